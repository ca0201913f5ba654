import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Lenient, Moment, Nullable, NullableMoment, OneOf, Strict } from '../plugins/schema.js'

/** What a provider may hear of as well as a vendor. */
export const SHARED_CLASSES = ['fulfillment_request', 'tier_config_request', 'tier_account_request', 'billing_request'] as const
const OBJECT_CLASSES = [...SHARED_CLASSES, 'order', 'license', 'pool', 'delivery'] as const
export type ObjectClass = typeof OBJECT_CLASSES[number]

/** The synchronous calls that a vendor may ask for, by Connect's names. */
const VALIDATOR_TYPES = [
  'validator', 'inquiring_validator', 'change_validator', 'change_inquiring_validator', 'renew_validator', 'renew_inquiring_validator',
  'transfer_validator', 'transfer_inquiring_validator', 'draft_tcr_t1_val', 'draft_tcr_t2_val', 'tcr_setup_t1_inq_val', 'tcr_setup_t2_inq_val',
] as const
export type ValidatorType = typeof VALIDATOR_TYPES[number]
const TYPES = ['event', 'change', 'noventiq', ...VALIDATOR_TYPES] as const
export type WebhookType = typeof TYPES[number]

const KINDS = ['signal', 'change'] as const
const STATUSES = ['planned', 'sending', 'sent', 'failed'] as const
const OUTCOMES = ['sent', 'failed', 'released'] as const

/** What text columns hold, as the checks of their tables say. */
export interface WebhookWords { type: WebhookType, object_class: ObjectClass, http_method: 'POST' | 'GET' }
export interface MessageWords { kind: typeof KINDS[number], status: typeof STATUSES[number] }
export interface AttemptWords { outcome: typeof OUTCOMES[number] | null }

/** Stands for a secret in an answer; sent back, it leaves the secret as it is. */
export const MASK = '********'

const label = Type.String({ minLength: 1, maxLength: 255, examples: ['License requests'] })
const external_url = Type.String({ minLength: 1, maxLength: 2048, description: 'http or https, without credentials', examples: ['https://hooks.example.com/requests'] })
const description = Type.String({ maxLength: 2000 })
const data = Type.Object({}, { additionalProperties: true, description: 'Sent along in every signal', examples: [{ team: 'licensing' }] })
const headers = Type.Record(Type.String(), Type.String({ maxLength: 2048 }), {
  maxProperties: 20, description: `Sent along in every call. Values are shown as ${MASK}, and one that is given back so stays as it is`, examples: [{ 'x-team': 'licensing' }],
})
const jwt_secret = Type.String({ maxLength: 100, description: `Signs the calls of all types but change: by HS256, or as Noventiq does. Never shown again: ${MASK} stands for it`, examples: ['a long random text of yours'] })
const http_method = OneOf(['POST', 'GET'], { description: 'GET only for type event: a signal without a body' })
const active = Type.Boolean({ description: 'false: nothing is planned, and what is planned waits', examples: [true] })
const object_class = OneOf(OBJECT_CLASSES, { description: 'Of what. order, license, pool and delivery are for vendors, and type change; order also for type noventiq' })
const type = OneOf(TYPES, { description: 'event: one signal for any number of changes, as Connect sends it. change: one signed message per change. noventiq: the same in the words of Noventiq, for receivers written for it. The others are called while a draft is checked. Default: event; change for order, license, pool and delivery' })
const product_id = Type.String({ minLength: 1, maxLength: 100, description: 'A product of yours, or one that you have a connection to. Type change: may be left out, for all of them', examples: ['PRD-123-456-789'] })

const event_types = Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
  maxItems: 20, uniqueItems: true, description: 'Of order, license, pool and delivery: the events it wants to hear of. None: all of its class', examples: [['order.paid', 'order.refunded']],
})

export const NewWebhook = Lenient({
  label,
  object_class,
  external_url,
  active,
  type: Type.Optional(type),
  product_id: Type.Optional(Nullable(product_id)),
  jwt_secret: Type.Optional(Nullable(jwt_secret)),
  description: Type.Optional(Nullable(description)),
  http_method: Type.Optional(http_method),
  data: Type.Optional(Nullable(data)),
  headers: Type.Optional(Nullable(headers)),
  event_types: Type.Optional(Nullable(event_types)),
})

export const ChangedWebhook = Lenient({
  label: Type.Optional(label),
  external_url: Type.Optional(external_url),
  active: Type.Optional(active),
  jwt_secret: Type.Optional(Nullable(jwt_secret)),
  description: Type.Optional(Nullable(description)),
  http_method: Type.Optional(http_method),
  data: Type.Optional(Nullable(data)),
  headers: Type.Optional(Nullable(headers)),
  event_types: Type.Optional(Nullable(event_types)),
}, { description: 'What is given replaces what was; the rest stays. type, object_class and product are fixed, and ignored here' })

export const Rotation = Strict({
  overlap_hours: Type.Optional(Type.Integer({ minimum: 0, maximum: 168, description: 'How long the old secret signs beside the new one. Default: 24', examples: [24] })),
})

const Person = Type.Object({ id: Type.String({ examples: ['SU-123-456-789'] }), name: Type.String(), email: Type.String() })
const Call = Type.Unsafe<unknown>({
  type: ['object', 'null'],
  properties: {
    time: { type: 'string', format: 'date-time' },
    duration: { type: 'integer', description: 'Milliseconds' },
    status: { type: 'string', enum: ['success', 'failure'] },
    status_code: { type: ['integer', 'null'] },
    response: { type: 'string', description: 'The beginning of the answer' },
    errors: { type: 'array', items: { type: 'string' } },
  },
})
const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

const properties = {
  id: Type.String({ examples: ['WH-123-456-789'] }),
  label,
  description,
  type,
  object_class,
  product: Nullable(Type.Object({ id: product_id, name: Type.String(), icon: Type.String() }, { description: 'null: every product' })),
  event_types,
  external_url,
  http_method,
  headers,
  data,
  jwt_secret: Nullable(Type.String({ description: `${MASK}; null where none is used`, examples: [MASK] })),
  active,
  disabled_reason: Nullable(Type.String({ description: 'Why the service made it inactive', examples: ['the endpoint answered 410'] })),
  api_url: Type.String({ description: 'Where to look for what has changed', examples: ['https://licenses.example.com/v1/requests'] }),
  account: Type.Object({ id: Type.String({ examples: ['VA-123-456'] }), name: Type.String() }),
  created_at: Moment(),
  created_by: Person,
  modified_at: NullableMoment(),
  modified_by: Nullable(Person),
  earliest_possible_trigger: NullableMoment({ description: 'When the next planned call is due' }),
  last_event: NullableMoment({ description: 'When the last change was planned that a call has told' }),
  stats: Type.Object({
    events: { ...Count, description: 'Changes told, in calls that were tried' },
    triggers: { ...Count, description: 'Tries' },
    success_triggers: Count,
    failure_triggers: Count,
    failure_since_last_success: Count,
  }),
  last_success: Call,
  last_failure: Call,
}
export const Webhook = Type.Object(properties, { $id: 'Webhook' })

const signing_secret = Type.String({ description: 'Verifies the messages (Standard Webhooks). Shown this once', examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'] })
export const WebhookWithSecret = Type.Object({ ...properties, signing_secret: Type.Optional(signing_secret) }, { $id: 'WebhookWithSecret', description: 'signing_secret: for type change only' })
export const RotatedSecret = Type.Object({ signing_secret, old_until: Moment({ description: 'Until then both sign' }) }, { $id: 'RotatedWebhookSecret' })

const messageProperties = {
  id: Type.String({ description: 'The header webhook-id of a change', examples: ['WM-0199f3c2a7b41f0c9d8e7a6b5c4d'] }),
  kind: OneOf(KINDS),
  event: Type.String({ examples: ['fulfillment_request.approved'] }),
  data: Type.Unsafe<unknown>({ type: 'object', additionalProperties: true, description: 'Of a change', examples: [{ id: 'PR-1111-2222-3333-001', type: 'purchase', status: 'approved' }] }),
  status: OneOf(STATUSES, { description: 'failed: every try was used up, or the endpoint answered 410; it can be replayed' }),
  attempts: Type.Integer({ minimum: 0, maximum: 2147483647 }),
  next_attempt_at: NullableMoment(),
  last_error: Nullable(Type.String()),
  created_at: Moment(),
  sent_at: NullableMoment(),
}
export const WebhookMessage = Type.Object(messageProperties, { $id: 'WebhookMessage', description: 'What a webhook is told; kept 30 days' })
export const WebhookMessageWithAttempts = Type.Object({
  ...messageProperties,
  attempt_log: Type.Array(Type.Object({
    attempt: Type.Integer({ minimum: 1, maximum: 2147483647 }),
    started_at: Moment(),
    finished_at: NullableMoment({ description: 'null: under way, or its worker died' }),
    outcome: Nullable(OneOf(OUTCOMES, { description: 'released: the worker stopped, the next one tries again' })),
    status_code: Nullable(Type.Integer({ minimum: 100, maximum: 999 })),
    duration_ms: Nullable(Type.Integer({ minimum: 0, maximum: 2147483647 })),
    response: Nullable(Type.String({ description: 'The beginning of the answer' })),
    error: Nullable(Type.String({ description: 'Why it counts as failed' })),
  }), { description: 'Every try, the first one first' }),
}, { $id: 'WebhookMessageWithAttempts' })

export const webhookSchemas = [Webhook, WebhookWithSecret, RotatedSecret]
export const webhookMessageSchemas = [WebhookMessage, WebhookMessageWithAttempts]

export const webhookFields = rqlFields({
  id: { type: 'text', column: 'w.id', example: 'WH-123-456-789' },
  label: { type: 'text', column: 'w.label', example: 'License requests', ordering: true },
  description: { type: 'text', column: 'w.description' },
  type: { type: 'text', column: 'w.type', values: TYPES },
  object_class: { type: 'text', column: 'w.object_class', values: OBJECT_CLASSES },
  active: { type: 'boolean', column: 'w.active' },
  'product.id': { type: 'text', column: 'w.product_id', aliases: ['product_id'], example: 'PRD-123-456-789' },
  'product.name': { type: 'text', column: 'p.name' },
  created_at: { type: 'timestamp', column: 'w.created_at', aliases: ['created'], ordering: true },
})

export const messageFields = rqlFields({
  id: { type: 'text', example: 'WM-0199f3c2a7b41f0c9d8e7a6b5c4d' },
  kind: { type: 'text', values: KINDS },
  event: { type: 'text', example: 'fulfillment_request.approved' },
  status: { type: 'text', values: STATUSES, example: 'failed' },
  attempts: { type: 'integer', ordering: true },
  next_attempt_at: { type: 'timestamp', ordering: true },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
})
