import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Lenient, Moment, OneOf } from '../plugins/schema.js'

const TYPES = ['message', 'state_change', 'private'] as const
const TEXT_LENGTH_MAX = 4000 // a page and a half: more belongs into a document

export const IdParams = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 100, description: 'Its own id, or that of the request it is about', examples: ['PR-1234-5678-9012-001'] }),
})
export const MessageParams = Type.Object({ ...IdParams.properties, message_id: Type.String({ minLength: 1, maxLength: 100 }) })

const text = Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX, examples: ['Which domain is it for?'] })

export const NewMessage = Lenient({
  text,
  type: Type.Optional(OneOf(['message', 'private'], { default: 'message', description: 'A private one is shown to nobody but the account that wrote it' })),
})
export const MessageChange = Lenient({ text })

const Events = Type.Object({ created: Type.Object({ at: Moment() }), updated: Type.Object({ at: Moment() }) })
const Who = (id: string, description: string) => Type.Object({ id: Type.String({ examples: [id] }), name: Type.String() }, { description })

export const Conversation = Type.Object({
  id: Type.String({ examples: ['CO-1234-5678-9012-001'] }),
  instance_id: Type.String({ description: 'The request it is about', examples: ['PR-1234-5678-9012-001'] }),
  topic: Type.String(),
  type: OneOf(['conversation', 'notes']),
  status: OneOf(['open', 'closed']),
  accounts: Type.Array(Who('VA-123-456', 'The vendor, and the provider')),
  creator: Who('SU-123-456-789', 'The API key that made the request; without an id: the service itself'),
  created: Moment(),
  events: Events,
}, { $id: 'Conversation' })

export const Message = Type.Object({
  id: Type.String({ examples: ['ME-0199f3c2a7b41f0c9d8e7a6b5c4d'] }),
  conversation: Type.String({ examples: ['CO-1234-5678-9012-001'] }),
  account: Who('VA-123-456', 'Who says it; without an id: the service itself'),
  creator: Who('SU-123-456-789', 'With which API key'),
  created: Moment(),
  text: Type.String(),
  type: OneOf(TYPES),
  events: Events,
}, { $id: 'Message' })

export const conversationFields = rqlFields({
  id: { type: 'text', column: 'conversations.id', example: 'CO-1234-5678-9012-001' },
  instance_id: { type: 'text', column: 'conversations.instance_id', example: 'PR-1234-5678-9012-001' },
  topic: { type: 'text', column: 'conversations.topic', search: true },
  status: { type: 'text', column: 'conversations.status', values: ['open', 'closed'] },
  created: { type: 'timestamp', column: 'conversations.created_at', aliases: ['events.created.at'], ordering: true },
})

export const messageFields = rqlFields({
  id: { type: 'text', column: 'messages.id' },
  type: { type: 'text', column: 'messages.type', values: TYPES },
  text: { type: 'text', column: 'messages.text', search: true },
  'account.id': { type: 'text', column: 'messages.author_id', example: 'VA-123-456' },
  created: { type: 'timestamp', column: 'messages.created_at', aliases: ['events.created.at'], ordering: true },
})
