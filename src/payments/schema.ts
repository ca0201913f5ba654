import { Type, type TArrayOptions } from 'typebox'
import { MODES, SignedOrder } from '../orders/schema.js'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, Nullable, NullableMoment, OneOf, Strict } from '../plugins/schema.js'
import { CHECKOUT_KINDS } from './checkouts.js'

const EVENT_STATUSES = ['processed', 'failed', 'ignored', 'waiting'] as const
const Name = Type.String({ minLength: 1, maxLength: 255, examples: ['shop'] })
const SourceId = Type.String({ examples: ['PS-19ab3c4d5e6f0a1b2c3d4e5f607'] })

const Secret = Type.String({
  minLength: 1,
  maxLength: 500,
  description: 'The signing secret, in the form that the checkout gives it. Without one, one is made here, where the checkout takes one of ours',
  examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
})

const MAPPED_MAX = 1000
const NETWORKS_MAX = 100
const settings = {
  product_map: Type.Record(Type.String({ minLength: 1, maxLength: 255 }), Nullable(Type.String({ minLength: 1, maxLength: 255 })), {
    maxProperties: MAPPED_MAX,
    description: 'What the checkout calls an article → the id or an external id of a product here. Goes before every other way to find the product. Null: no license goes with it, its lines are left out',
    examples: [{ price_1NQ2sdfK: 'sku-pro', 'T-SHIRT': null }],
  }),
  api_url: Type.String({ minLength: 1, maxLength: 500, description: 'Where the checkout\'s API is, if not at its usual place', examples: ['https://api.example.com'] }),
  tolerance_s: Type.Integer({ minimum: 1, maximum: 604_800, description: 'How old, and how far in the future, a signed time may be. Seconds. Only of checkouts that sign a time', examples: [300] }),
  on_dispute: OneOf(['hold', 'none'], { description: 'What an open dispute does to its order: hold it (nothing is mailed, no stock is waited for), or nothing. Default: hold' }),
  allowed_networks: Type.Array(Type.String({ maxLength: 50, examples: ['203.0.113.0/24'] }), { maxItems: NETWORKS_MAX, description: 'Its webhooks are taken from these networks only. Default: from anywhere' }),
}
const ApiKey = Type.String({ minLength: 1, maxLength: 4096, pattern: '^[\\x21-\\x7e]+$', description: 'Your key to the checkout\'s API, for what its events do not carry. Kept sealed, shown never' })

export const NewPaymentSource = Strict({
  kind: OneOf(CHECKOUT_KINDS, { description: 'Which checkout posts the webhooks', examples: ['standard-webhooks'] }),
  name: Name,
  mode: Type.Optional(OneOf(MODES, { description: 'Its orders take licenses of pools of this mode only. Default: live' })),
  secret: Type.Optional(Secret),
  product_map: Type.Optional(settings.product_map),
  api_url: Type.Optional(settings.api_url),
  tolerance_s: Type.Optional(settings.tolerance_s),
  on_dispute: Type.Optional(settings.on_dispute),
  allowed_networks: Type.Optional(settings.allowed_networks),
  api_key: Type.Optional(ApiKey),
}, { $id: 'NewPaymentSource' })

export const ChangedPaymentSource = Strict({
  name: Type.Optional(Name),
  product_map: Type.Optional(Nullable(settings.product_map)),
  api_url: Type.Optional(Nullable(settings.api_url)),
  tolerance_s: Type.Optional(Nullable(settings.tolerance_s)),
  on_dispute: Type.Optional(Nullable(settings.on_dispute)),
  allowed_networks: Type.Optional(Nullable(settings.allowed_networks)),
  api_key: Type.Optional(Nullable(ApiKey)),
}, { $id: 'ChangedPaymentSource', minProperties: 1, description: 'What is absent stays as it is; null takes a setting back' })

const sourceFields = {
  id: SourceId,
  kind: OneOf(CHECKOUT_KINDS),
  name: Type.String(),
  mode: OneOf(MODES),
  url: Type.String({ description: 'Where the checkout posts its webhooks', examples: ['https://licenses.example.com/v1/payments/PS-19ab3c4d5e6f0a1b2c3d4e5f607'] }),
  product_map: Type.Record(Type.String(), Nullable(Type.String()), { description: 'What the checkout calls an article → the id or an external id of a product here' }),
  api_url: Nullable(Type.String()),
  tolerance_s: Nullable(Type.Integer()),
  on_dispute: OneOf(['hold', 'none']),
  allowed_networks: Type.Array(Type.String()),
  has_api_key: Type.Boolean({ description: 'Whether there is a key to the checkout\'s API' }),
  created_at: Moment(),
  updated_at: Moment(),
}
export const PaymentSource = Type.Object(sourceFields, { $id: 'PaymentSource' })
const shownOnce = Type.String({ description: 'Shown this once', examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'] })
export const PaymentSourceWithSecret = Type.Object({ ...sourceFields, secret: shownOnce }, { $id: 'PaymentSourceWithSecret' })

export const NewSourceSecret = Strict({
  secret: Type.Optional(Secret),
  expires_others_in_s: Type.Optional(Type.Integer({
    minimum: 0, maximum: 2_592_000, description: 'How long the secrets before it stay valid, in seconds; 0: not at all. Without it, until they are deleted', examples: [86_400],
  })),
}, { $id: 'NewPaymentSourceSecret' })
const secretFields = {
  id: Type.String({ examples: ['SS-19ab3c4d5e6f0a1b2c3d4e5f607'] }),
  created_at: Moment(),
  expires_at: NullableMoment({ description: 'Null: valid until it is deleted' }),
}
export const SourceSecret = Type.Object(secretFields, { $id: 'PaymentSourceSecret' })
export const SourceSecretWithSecret = Type.Object({ ...secretFields, secret: shownOnce }, { $id: 'PaymentSourceSecretWithSecret' })

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
  erased_at: NullableMoment({ description: 'When its content was erased: it cannot be replayed any more; null: not' }),
}, { $id: 'PaymentEvent' })

export const NewReplay = Strict({
  source_id: Type.Optional(SourceId),
  status: Type.Optional(OneOf(EVENT_STATUSES, { description: 'Only events that stand so', examples: ['failed'] })),
  type: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Only events of this type', examples: ['order.paid'] })),
  received_from: Type.String({ format: 'date-time', examples: ['2026-01-31T00:00:00Z'] }),
  received_to: Type.Optional(Type.String({ format: 'date-time', description: 'Default: now', examples: ['2026-02-01T00:00:00Z'] })),
}, { $id: 'NewPaymentReplay' })

export const Replay = Type.Object({
  id: Type.String({ examples: ['RP-19ab3c4d5e6f0a1b2c3d4e5f607'] }),
  status: OneOf(['running', 'finished']),
  source_id: Nullable(Type.String()),
  event_status: Nullable(OneOf(EVENT_STATUSES)),
  event_type: Nullable(Type.String()),
  received_from: Moment(),
  received_to: Moment(),
  total: Type.Integer({ minimum: 0, description: 'How many events there were when it was asked for' }),
  done: Type.Integer({ minimum: 0 }),
  processed: Type.Integer({ minimum: 0, description: 'Of those done: their orders are placed or changed, now or before' }),
  failed: Type.Integer({ minimum: 0, description: 'Of those done: see their reasons. The rest is ignored, or waiting' }),
  created_at: Moment(),
  finished_at: NullableMoment(),
}, { $id: 'PaymentReplay' })

const LISTED_MAX = 10_000
const ExternalIds = (options: TArrayOptions = {}) => Type.Array(Type.String({ minLength: 1, maxLength: 255, examples: ['A-1001'] }), options)
export const Reconciliation = Strict({
  external_ids: ExternalIds({ minItems: 1, maxItems: LISTED_MAX, description: 'The ids of paid orders, as the checkout has them' }),
  paid_from: Type.Optional(Type.String({ format: 'date-time', description: 'With it, orders paid since then that the list lacks are told too', examples: ['2026-01-01T00:00:00Z'] })),
  paid_to: Type.Optional(Type.String({ format: 'date-time', description: 'Default: now', examples: ['2026-02-01T00:00:00Z'] })),
}, { $id: 'PaymentReconciliation' })

export const Reconciled = Type.Object({
  known: Type.Integer({ minimum: 0, description: 'How many are orders here' }),
  kept: Type.Array(Type.Object({
    external_id: Type.String(), event_id: Type.String(), status: OneOf(['failed', 'waiting']), reason: Type.String(),
  }), { description: 'No orders here, but an event of them is: see its reason; mend it and replay' }),
  unknown: ExternalIds({ description: 'Nothing is here of them: their webhooks never came. Have the checkout send them again' }),
  unlisted: Type.Array(Type.Object({ id: Type.String(), external_id: Type.String() }), { description: 'Orders here, of the period, that the list lacks; 10,000 at most' }),
}, { $id: 'PaymentReconciled' })

export const paymentSourceSchemas = [NewPaymentSource, ChangedPaymentSource, PaymentSource, PaymentSourceWithSecret]
export const sourceSecretSchemas = [NewSourceSecret, SourceSecret, SourceSecretWithSecret]
export const paymentEventSchemas = [Receipt, PaymentEvent]
export const replaySchemas = [NewReplay, Replay]
export const reconciliationSchemas = [Reconciliation, Reconciled]

export const sourceFieldsOfLists = rqlFields({
  id: { type: 'text' },
  kind: { type: 'text', values: CHECKOUT_KINDS },
  name: { type: 'text', ordering: true, search: true },
  mode: { type: 'text', values: MODES },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  updated_at: { type: 'timestamp', aliases: ['updated'], ordering: true },
})

export const secretFieldsOfLists = rqlFields({
  id: { type: 'text', ordering: true },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  expires_at: { type: 'timestamp' },
})

export const replayFieldsOfLists = rqlFields({
  id: { type: 'text', ordering: true },
  status: { type: 'text', values: ['running', 'finished'] },
  source_id: { type: 'text' },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  finished_at: { type: 'timestamp' },
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
