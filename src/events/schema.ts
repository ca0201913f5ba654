import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment } from '../plugins/schema.js'

export const Event = Type.Object({
  id: Type.String({ examples: ['EV-0199f3c2a7b41f0c9d8e7a6b5c4d'] }),
  type: Type.String({ description: 'What happened, in the past tense', examples: ['license.allocated'] }),
  subject_id: Type.String({ description: 'What it happened to', examples: ['LI-0199f3c2a7b41f0c9d8e7a6b5c4d'] }),
  actor: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'The API key that caused it; null: the service itself', examples: ['SU-123-456-789'] }),
  data: Type.Unsafe<unknown>({ type: 'object', additionalProperties: true, description: 'Ids, counts and reasons; never a key' }),
  created_at: Moment(),
}, { $id: 'Event' })

export const eventFields = rqlFields({
  id: { type: 'text', example: 'EV-0199f3c2a7b41f0c9d8e7a6b5c4d' },
  type: { type: 'text', example: 'license.allocated', search: true },
  subject_id: { type: 'text', search: true, example: 'LI-0199f3c2a7b41f0c9d8e7a6b5c4d' },
  actor: { type: 'text', example: 'SU-123-456-789' },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
})
