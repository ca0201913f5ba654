import { Type, type Static } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, Nullable, NullableMoment, OneOf, Strict } from '../plugins/schema.js'

const SUPPLY_TYPES = ['pool', 'web_service', 'emulator', 'information'] as const
export const BEHAVIOURS = ['succeed', 'stall', 'fail_temporarily', 'fail_fatally', 'too_few', 'garbage'] as const
export const SUPPLY_ORDER_STATUSES = ['planned', 'calling', 'done', 'given_up', 'cancelled'] as const
const MODES = ['live', 'test'] as const

/** The parameters of a call, in their order; the second ones only of lines that renew others, the last ones only where they are named. */
export const PARAMETERS = ['Order', 'Item', 'ID', 'Quantity', 'Order_sum', 'Currency', 'Zone'] as const
export const PARAMETERS_OF_RENEWALS = ['Subscription_ID', 'Subscription_period', 'Key_first_renew', 'Key_last_renew'] as const
export const PARAMETERS_ON_DEMAND = ['Unit', 'Fullname', 'Email', 'Company', 'Locale'] as const
const ALL_PARAMETERS = [...PARAMETERS, ...PARAMETERS_OF_RENEWALS, ...PARAMETERS_ON_DEMAND] as const
export type ParameterName = typeof ALL_PARAMETERS[number]

/** Waiting longer for one answer helps nobody; what takes long answers with a temporary error. */
const TIMEOUT_S_MAX = 60
export const TIMEOUT_S_DEFAULT = 30
const STEPS_MAX = 10

const Names = Strict(Object.fromEntries(ALL_PARAMETERS.map((name) =>
  [name, Type.Optional(Type.String({ minLength: 1, maxLength: 100, pattern: '^[A-Za-z0-9_.\\-]+$' }))])), {
  description: `By what name a parameter is sent where it is another than its own. ${PARAMETERS_ON_DEMAND.join(', ')} are sent only if they are named here`,
  examples: [{ Order: 'order_no', Email: 'mail' }],
})

/** One schema for all types, so that a fault makes one message; which field belongs to which type is in check.ts. */
const members = {
  type: OneOf(SUPPLY_TYPES, {
    description: '`pool`: takes from another pool. `web_service`: calls a service of yours that answers with licenses. `emulator`: plays such a service, in test mode. ' +
      '`information`: a mail without a license',
  }),
  modes: Type.Optional(Type.Array(OneOf(MODES), { minItems: 1, maxItems: 2, uniqueItems: true, description: 'Of which orders; left out: `live` of a web service, `test` of an emulator, else both', examples: [['live']] })),
  pool_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Of a pool', examples: ['PL-0199f3c2a7b41f0c9d8e7a6b5c4d'] })),
  per: Type.Optional(OneOf(['unit', 'line'], { description: 'Of a web service or an emulator: one call for each license, or one for all that the line misses; `unit` if left out. The same in all steps' })),
  url: Type.Optional(Type.String({ minLength: 1, maxLength: 2048, description: 'Of a web service', examples: ['https://licenses.example.com/issue'] })),
  method: Type.Optional(OneOf(['POST', 'GET'], { description: 'Of a web service: the parameters as JSON in the body, or in the query; POST if left out' })),
  encoding: Type.Optional(OneOf(['utf-8'], { description: 'Of a web service' })),
  names: Type.Optional(Names),
  temporary_pattern: Type.Optional(Type.String({
    minLength: 1, maxLength: 200, description: 'Of a web service: an answer whose body has this text, letter by letter, is tried again later, whatever its status', examples: ['BUSY'],
  })),
  timeout_s: Type.Optional(Type.Integer({ minimum: 1, maximum: TIMEOUT_S_MAX, description: `Of a web service or an emulator; ${TIMEOUT_S_DEFAULT} if left out` })),
  behaviour: Type.Optional(OneOf(BEHAVIOURS, { description: 'Of an emulator' })),
  subject: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Of information', examples: ['Your license for {PROGRAM_NAME} is on its way'] })),
  text: Type.Optional(Type.String({ minLength: 1, maxLength: 100_000, description: 'Of information. The tags of mails but `{KEY}`', examples: ['Thank you for order {ORDER_ID}. We will write again.'] })),
}

const secret = Type.Optional(Nullable(Type.String({
  pattern: '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$',
  description: 'Of a web service: signs the calls as Standard Webhooks has it, `whsec_` and 24 to 64 bytes in base64. Never shown. Left out: the one that this url has stays; null: none',
  examples: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
})))

const isSigned = Type.Boolean({ description: 'Of a web service: it has a secret. Ignored on input' })

export const NewSupplies = Type.Array(Strict({ ...members, secret, is_signed: Type.Optional(isSigned) }), {
  $id: 'NewSupplies', maxItems: STEPS_MAX, description: 'In the order in which they are asked; none: what is short waits for its pool',
})
export type NewSupply = Static<typeof NewSupplies>[number]

export const Supply = Type.Object({ ...members, is_signed: Type.Optional(isSigned) }, { $id: 'Supply', description: 'One more source of licenses' })

const SUPPLY_ORDER_ID = 'SO-0199f3c2a7b41f0c9d8e7a6b5c4d'

export const SupplyOrder = Type.Object({
  id: Type.String({ examples: [SUPPLY_ORDER_ID] }),
  order_id: Type.String({ examples: ['OR-0199f3c2a7b41f0c9d8e7a6b5c4d'] }),
  line_item_id: Type.String({ examples: ['OR-0199f3c2a7b41f0c9d8e7a6b5c4d-1'] }),
  product_id: Type.String({ examples: ['PRD-123-456-789'] }),
  pool_id: Type.String({ description: 'What comes is loaded into it', examples: ['PL-0199f3c2a7b41f0c9d8e7a6b5c4d'] }),
  mode: OneOf(MODES),
  number: Type.Integer({ minimum: 1, maximum: 2147483647, description: "Of the line's supply orders, from 1" }),
  quantity: Type.Integer({ minimum: 1, maximum: 10_000, description: 'How many licenses are asked for' }),
  step: Type.Integer({ minimum: 1, maximum: STEPS_MAX, description: "Which of the product's supplies is asked" }),
  type: OneOf(['web_service', 'emulator']),
  round: Type.Integer({ minimum: 1, maximum: 2147483647, description: 'The calls of one round have one `Idempotency-Key`, `<id>-<round>`' }),
  status: OneOf(SUPPLY_ORDER_STATUSES, {
    description: 'planned: is called at next_attempt_at. calling: the service may have it. done: the licenses came. given_up: no supply is left; the line still waits for stock. cancelled: the line misses nothing any more, or the supplies were changed',
  }),
  attempts: Type.Integer({ minimum: 0, maximum: 2147483647, description: 'How often it was called in this round' }),
  next_attempt_at: NullableMoment({ description: 'calling: when another worker takes over if there is no sign of life' }),
  last_error: Nullable(Type.String({ description: 'Why the last call did not succeed; never a word of the answer', examples: ['the service answered 503'] })),
  batch_id: Nullable(Type.String({ description: 'The licenses that came', examples: ['BA-0199f3c2a7b41f0c9d8e7a6b5c4d'] })),
  created_at: Moment(),
  finished_at: NullableMoment(),
}, { $id: 'SupplyOrder', description: 'A demand for licenses to a web service, for a line that waits' })

export const supplyOrderFields = rqlFields({
  id: { type: 'text', example: SUPPLY_ORDER_ID },
  order_id: { type: 'text', example: 'OR-0199f3c2a7b41f0c9d8e7a6b5c4d' },
  line_item_id: { type: 'text', example: 'OR-0199f3c2a7b41f0c9d8e7a6b5c4d-1' },
  product_id: { type: 'text', example: 'PRD-123-456-789' },
  pool_id: { type: 'text', example: 'PL-0199f3c2a7b41f0c9d8e7a6b5c4d' },
  batch_id: { type: 'text', example: 'BA-0199f3c2a7b41f0c9d8e7a6b5c4d' },
  mode: { type: 'text', values: MODES },
  type: { type: 'text', values: ['web_service', 'emulator'] },
  status: { type: 'text', values: SUPPLY_ORDER_STATUSES, example: 'given_up' },
  number: { type: 'integer' },
  quantity: { type: 'integer' },
  step: { type: 'integer' },
  round: { type: 'integer' },
  attempts: { type: 'integer', ordering: true },
  last_error: { type: 'text', example: 'the service answered 503', search: true },
  next_attempt_at: { type: 'timestamp', ordering: true },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  finished_at: { type: 'timestamp', ordering: true },
})
