import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, Nullable, NullableMoment, OneOf, Strict } from '../plugins/schema.js'

const DELIVERY_ID = 'DE-0199f3c2a7b41f0c9d8e7a6b5c4d'
const ORDER_ID = 'OR-0199f3c2a7b41f0c9d8e7a6b5c4d'
const STATUSES = ['planned', 'sending', 'sent', 'failed', 'bounced', 'cancelled'] as const
const REASONS = ['order', 'backorder', 'resend', 'information', 'replacement'] as const
const OUTCOMES = ['sent', 'deferred', 'bounced', 'failed'] as const

/** What text columns hold, as the checks of their tables say. */
export interface DeliveryWords { status: typeof STATUSES[number], reason: typeof REASONS[number] }
export interface ReportWords { action: 'failed' | 'delayed' }
export interface AttemptWords { outcome: typeof OUTCOMES[number] | null }

const properties = {
  id: Type.String({ examples: [DELIVERY_ID] }),
  order_id: Type.String({ examples: [ORDER_ID] }),
  product_id: Type.String({ examples: ['PRD-123-456-789'] }),
  license_ids: Type.Array(Type.String({ examples: ['LI-0199f3c2a7b41f0c9d8e7a6b5c4d'] }), { description: 'Whose keys it hands over, in their order; none of information' }),
  to: Type.String({ examples: ['ana@example.com'] }),
  reason: OneOf(REASONS, { description: 'The order itself, licenses that came later, a resend, information (what the product says without a license), or a replacement for what was bad' }),
  requested_by: Nullable(Type.String({ description: 'Of a resend: the API key', examples: ['SU-123-456-789'] })),
  status: OneOf(STATUSES, { description: 'sending: the mail server may have it. bounced: refused for good, at once or in a report. failed: given up. cancelled: nothing left to hand over' }),
  attempts: Type.Integer({ minimum: 0, maximum: 2147483647, description: 'How often it was tried' }),
  next_attempt_at: NullableMoment({ description: 'planned: when it is tried next. sending: when another worker takes over if there is no sign of life' }),
  message_id: Nullable(Type.String({ description: 'The header Message-ID of the mail, the same on every try', examples: [`<${DELIVERY_ID}@shop.example.com>`] })),
  last_error: Nullable(Type.String({ description: 'Why the last try did not succeed', examples: ['451 4.7.1 Greylisted, try again later'] })),
  created_at: Moment(),
  sent_at: NullableMoment({ description: 'When the mail server accepted it; it may have come back later' }),
}

export const Delivery = Type.Object(properties, { $id: 'Delivery', description: 'A mail that hands keys to a customer; what it says is never kept' })

export const DeliveryWithAttempts = Type.Object({
  ...properties,
  attempt_log: Type.Array(Type.Object({
    attempt: Type.Integer({ minimum: 1, maximum: 2147483647 }),
    started_at: Moment(),
    finished_at: NullableMoment({ description: 'null: under way, or its worker died' }),
    outcome: Nullable(OneOf(OUTCOMES)),
    response: Nullable(Type.String({ description: "The mail server's answer", examples: ['250 2.0.0 Ok: queued'] })),
  }), { description: 'Every try, the first one first' }),
  reports: Type.Array(Type.Object({
    action: OneOf(['failed', 'delayed'], { description: 'failed: it came back. delayed: it is still being tried' }),
    status: Type.String({ description: 'RFC 3463', examples: ['5.1.1'] }),
    diagnostic: Type.String({ description: 'What the other side said', examples: ['550 5.1.1 no such user'] }),
    received_at: Moment(),
  }), { description: 'What was reported after it was sent' }),
}, { $id: 'DeliveryWithAttempts', description: 'A delivery with every try' })

export const NewResend = Strict({
  line_items: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 255, examples: ['1'] }), {
    minItems: 1, maxItems: 100, uniqueItems: true, description: 'Lines by their `external_id`; without, all',
  })),
  to: Type.Optional(Type.String({ minLength: 3, maxLength: 254, description: 'The corrected address of the order; the customer\'s own stays in `customer`', examples: ['ana.souza@example.com'] })),
}, { description: 'Without: all of it, where it went before' })

export const deliveryFields = rqlFields({
  id: { type: 'text', example: DELIVERY_ID },
  order_id: { type: 'text', example: ORDER_ID },
  product_id: { type: 'text', example: 'PRD-123-456-789' },
  to: { type: 'text', example: 'ana@example.com', search: true },
  reason: { type: 'text', values: REASONS },
  status: { type: 'text', values: STATUSES },
  attempts: { type: 'integer', ordering: true },
  message_id: { type: 'text', example: `<${DELIVERY_ID}@shop.example.com>` },
  next_attempt_at: { type: 'timestamp', ordering: true },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  sent_at: { type: 'timestamp', ordering: true },
  requested_by: { type: 'text', example: 'SU-123-456-789' },
  last_error: { type: 'text', example: 'timed out', search: true },
})
