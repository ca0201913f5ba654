import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, Nullable, NullableMoment, OneOf, Strict } from '../plugins/schema.js'

const ERASURE_ID = 'ER-19ab3c4d5e6f0a1b2c3d4e5f607'
export const KINDS = ['customer', 'tier_account', 'retention'] as const
export const ERASURE_STATUSES = ['running', 'done'] as const
export const PHASES = ['orders', 'payment_events', 'tier_accounts'] as const
/** How many of those that were left an erasure names. */
export const KEPT_IDS_MAX = 100

export const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

export const NewErasure = Strict({
  email: Type.Optional(Type.String({ minLength: 3, maxLength: 254, description: 'Of a vendor: all orders that have this address, or were mailed to it, in capitals or not. Of a provider: its tier accounts with it', examples: ['ada@example.com'] })),
  order_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Of a vendor: the customer of this order, so all orders with its address', examples: ['OR-19ab3c4d5e6f0a1b2c3d4e5f607'] })),
  tier_account_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'Of a provider: this tier account, and what was said of its purchases', examples: ['TA-1234-5678-9012'] })),
  reason: Type.Optional(Type.String({ minLength: 1, maxLength: 500, pattern: '^[^@]*$', description: 'Kept: a number of yours, and nothing of the person', examples: ['privacy request 17'] })),
  force: Type.Optional(Type.Boolean({ default: false, description: 'Also what is paid and not delivered yet, or not over: its mails are not sent any more' })),
}, { $id: 'NewErasure', description: 'Whose data: exactly one of email, order_id and tier_account_id' })

const count = (description: string) => Type.Integer({ minimum: 0, maximum: 2147483647, description })

export const Erasure = Type.Object({
  id: Type.String({ examples: [ERASURE_ID] }),
  kind: OneOf(KINDS, { description: 'A customer, a tier account, or what the retention of the account says is too old', examples: ['customer'] }),
  status: OneOf(ERASURE_STATUSES, { examples: ['done'] }),
  forced: Type.Boolean(),
  reason: Nullable(Type.String({ examples: ['privacy request 17'] })),
  orders: count('Orders whose customer was erased'),
  payment_events: count('Webhooks of checkouts whose content was erased'),
  purchases: count('Assets whose ordering parameters, notes and conversations were erased'),
  tier_accounts: count('Tier accounts that were erased'),
  kept: count('What was left: not delivered, disputed, or not over yet'),
  kept_ids: Type.Array(Type.String(), { description: `The first ${KEPT_IDS_MAX} of these: orders, payment events, tier accounts` }),
  created_by: Nullable(Type.String({ description: 'The API key; null: retention', examples: ['SU-123-456-789'] })),
  created_at: Moment(),
  finished_at: NullableMoment(),
}, { $id: 'Erasure', description: 'Personal data being erased, or erased. Whom it was about is not kept' })

const days = (minimum: number, description: string) => Nullable(Type.Integer({ minimum, maximum: 36_500, description, examples: [3650] }))

export const RetentionSettings = Strict({
  customer_days: days(1, 'Customers of orders to which nothing has happened for so long are erased; null: never by themselves'),
  payment_event_days: days(30, 'What checkouts sent is erased after so long; that it came is not. null: never by itself'),
}, { $id: 'RetentionSettings', description: 'How long an account keeps what it knows of customers' })

export const erasureSchemas = [NewErasure, Erasure, RetentionSettings]

export const erasureFields = rqlFields({
  id: { type: 'text', example: ERASURE_ID },
  kind: { type: 'text', values: KINDS },
  status: { type: 'text', values: ERASURE_STATUSES },
  kept: { type: 'integer', ordering: true },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  finished_at: { type: 'timestamp', ordering: true },
})
