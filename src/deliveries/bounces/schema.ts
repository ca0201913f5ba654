import { Type } from 'typebox'
import { Nullable, OneOf, Strict } from '../../plugins/schema.js'

/** RFC 3464 §2.3.3. */
export const ACTIONS = ['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const

const DELIVERY_ID = 'DE-0199f3c2a7b41f0c9d8e7a6b5c4d'

export const NewBounce = Strict({
  delivery_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'This or `message_id`', examples: [DELIVERY_ID] })),
  message_id: Type.Optional(Type.String({ minLength: 1, maxLength: 998, description: 'The Message-ID of the mail, with or without its angle brackets', examples: [`<${DELIVERY_ID}@shop.example.com>`] })),
  action: OneOf(ACTIONS, { description: 'failed: it came back. delayed: it is still being tried. Of the others nothing is written down' }),
  status: Type.String({ pattern: '^[245]\\.\\d{1,3}\\.\\d{1,3}$', description: 'RFC 3463', examples: ['5.1.1'] }),
  diagnostic: Type.Optional(Type.String({ maxLength: 10_000, description: 'What the other side said', examples: ['550 5.1.1 no such user'] })),
}, { $id: 'NewBounce', description: 'What became of a mail that was accepted' })

export const BounceOutcome = Type.Object({
  matched: Type.Boolean({ description: 'Whether it is about a delivery of yours' }),
  delivery_id: Nullable(Type.String({ examples: [DELIVERY_ID] })),
  status: Nullable(Type.String({ description: 'Of the delivery, now', examples: ['bounced'] })),
}, { $id: 'BounceOutcome', description: 'What a report led to' })
