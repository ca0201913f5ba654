import { Type } from 'typebox'
import { MODES, SignedOrder } from '../orders/schema.js'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, Nullable, NullableMoment, OneOf, Strict } from '../plugins/schema.js'
import { CHECKOUT_KINDS } from './checkouts.js'

const EVENT_STATUSES = ['processed', 'failed', 'ignored', 'waiting'] as const
const Name = Type.String({ minLength: 1, maxLength: 255, examples: ['shop'] })
const SourceId = Type.String({ examples: ['PS-19ab3c4d5e6f0a1b2c3d4e5f607'] })

export const NewPaymentSource = Strict({
  kind: OneOf(CHECKOUT_KINDS, { description: 'Which checkout posts the webhooks', examples: ['standard-webhooks'] }),
  name: Name,
  mode: Type.Optional(OneOf(MODES, { description: 'Its orders take licenses of pools of this mode only. Default: live' })),
  secret: Type.Optional(Type.String({
    minLength: 1, maxLength: 500, description: 'The signing secret, in the form that the checkout gives it; without it, one is made here, where the checkout takes one of ours', examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  })),
}, { $id: 'NewPaymentSource' })

export const ChangedPaymentSource = Strict({ name: Name }, { $id: 'ChangedPaymentSource' })

const sourceFields = {
  id: SourceId,
  kind: OneOf(CHECKOUT_KINDS),
  name: Type.String(),
  mode: OneOf(MODES),
  url: Type.String({ description: 'Where the checkout posts its webhooks', examples: ['https://licenses.example.com/v1/payments/PS-19ab3c4d5e6f0a1b2c3d4e5f607'] }),
  created_at: Moment(),
  updated_at: Moment(),
}
export const PaymentSource = Type.Object(sourceFields, { $id: 'PaymentSource' })
export const PaymentSourceWithSecret = Type.Object({
  ...sourceFields, secret: Type.String({ description: 'Shown this once', examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'] }),
}, { $id: 'PaymentSourceWithSecret' })

/** What a signed webhook holds, for the API reference: the bytes are checked by their signature first, and the rest may then be kept with a reason. */
export const signedWebhook = {
  headers: Type.Object({
    'webhook-id': Type.Optional(Type.String({ description: 'Standard Webhooks: the id of the event, the same when it is sent again', examples: ['msg_2KWPBgLlAfxdpx2AI54pPJ85f4W'] })),
    'webhook-timestamp': Type.Optional(Type.String({ description: 'Seconds since 1970, within five minutes of now', examples: ['1767225600'] })),
    'webhook-signature': Type.Optional(Type.String({ description: '`v1,` and the HMAC-SHA-256 of `id.timestamp.body` in base64; several with blanks between', examples: ['v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4='] })),
  }),
  body: Type.Object({
    type: Type.String({ description: '`order.paid`, `order.payment_failed`, `order.cancelled`, `order.refunded`, `order.refund_failed`, `dispute.opened`, `dispute.won`, `dispute.lost`; others are kept as ignored', examples: ['order.paid'] }),
    timestamp: Type.Optional(Type.String({ format: 'date-time', description: 'When it happened. Default: when it was sent' })),
    data: SignedOrder,
  }),
}

const eventFields = {
  id: Type.String({ examples: ['PE-19ab3c4d5e6f0a1b2c3d4e5f607'] }),
  status: OneOf(EVENT_STATUSES, { description: 'processed: its order is placed, or changed. failed: see reason; mend it and replay. ignored: nothing to do for it. waiting: for its order, or for an answer of the checkout' }),
  order_id: Nullable(Type.String()),
  reason: Nullable(Type.String({ description: 'Why it is not processed' })),
}
export const Receipt = Type.Object(eventFields, { $id: 'PaymentReceipt' })
export const PaymentEvent = Type.Object({
  ...eventFields,
  source_id: SourceId,
  event_key: Type.String({ description: 'The checkout\'s own id of the event: a repeat has the same' }),
  type: Type.String({ examples: ['order.paid'] }),
  attempts: Type.Integer({ minimum: 0, description: 'How often the checkout was asked for what the event does not carry' }),
  next_attempt_at: NullableMoment({ description: 'When it is asked again' }),
  occurred_at: Moment(),
  received_at: Moment(),
  processed_at: NullableMoment(),
}, { $id: 'PaymentEvent' })

export const paymentSourceSchemas = [NewPaymentSource, ChangedPaymentSource, PaymentSource, PaymentSourceWithSecret]
export const paymentEventSchemas = [Receipt, PaymentEvent]

export const sourceFieldsOfLists = rqlFields({
  id: { type: 'text' },
  kind: { type: 'text', values: CHECKOUT_KINDS },
  name: { type: 'text', ordering: true, search: true },
  mode: { type: 'text', values: MODES },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  updated_at: { type: 'timestamp', aliases: ['updated'], ordering: true },
})

export const eventFieldsOfLists = rqlFields({
  id: { type: 'text' },
  source_id: { type: 'text' },
  event_key: { type: 'text', search: true },
  type: { type: 'text', example: 'order.paid' },
  status: { type: 'text', values: EVENT_STATUSES, example: 'failed' },
  reason: { type: 'text', search: true },
  order_id: { type: 'text' },
  occurred_at: { type: 'timestamp', ordering: true },
  received_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  processed_at: { type: 'timestamp' },
})
