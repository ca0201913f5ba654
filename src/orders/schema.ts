import { Type, type Static } from 'typebox'
import { sql } from 'kysely'
import { ON_RENEWALS } from '../products/schema.js'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, Nullable, NullableMoment, OneOf, ref, Strict } from '../plugins/schema.js'

export const MODES = ['live', 'test'] as const
export const ORDER_STATUSES = ['paid', 'refunded', 'partially_refunded', 'disputed', 'charged_back', 'cancelled'] as const
export const FULFILLMENT_STATUSES = ['pending', 'backordered', 'partial', 'fulfilled', 'unfulfilled'] as const
export const DELIVERY_STATUSES = ['planned', 'sending', 'sent', 'failed', 'bounced', 'cancelled'] as const
export const DELIVERY_REASONS = ['order', 'backorder', 'resend', 'information', 'replacement'] as const

const text = (maxLength: number, example: string, description?: string) =>
  Type.String({ minLength: 1, maxLength, examples: [example], ...(description === undefined ? {} : { description }) })

const customerFields = {
  email: Type.String({ minLength: 3, maxLength: 254, description: 'Exactly one plain address: the licenses are mailed to it', examples: ['ada@example.com'] }),
  first_name: Type.Optional(text(255, 'Ada')),
  last_name: Type.Optional(text(255, 'Lovelace')),
  company: Type.Optional(text(255, 'Analytical Engines Ltd')),
  phone: Type.Optional(text(64, '+44 20 7946 0000')),
  country: Type.Optional(text(64, 'GB')),
  city: Type.Optional(text(255, 'London')),
  zip: Type.Optional(text(32, 'EC1A 1BB')),
  address: Type.Optional(text(1000, '12 Example Street')),
}
const licenseeFields = {
  name: Type.Optional(text(255, 'Charles Babbage')),
  email: Type.Optional(text(254, 'charles@example.com', 'For the mail to say; nothing is sent there')),
  phone: Type.Optional(text(64, '+44 20 7946 0001')),
  company: Type.Optional(text(255, 'Difference Engines Ltd')),
}
const LICENSEE = { description: 'Who will own the product, where that is not the customer: `{LICENSE_FOR}` of mails' }
const Licensee = Type.Object(licenseeFields, LICENSEE)
const additional_info = text(1000, 'For the office in Porto', 'What was answered to the checkout\'s own question: `{ADDINFO_TEXT}` of mails')
const lineFields = {
  external_id: Type.Optional(text(255, '1', 'Your id of the line, unique in the order; without one, its number from 1')),
  product: text(255, 'sku-pro', 'The id or an external id of a product'),
  quantity: Type.Integer({ minimum: 1, maximum: 10_000, examples: [2] }),
  period: Type.Optional(Type.String({ minLength: 3, pattern: '^P([0-9]{1,4}Y)?([0-9]{1,4}M)?([0-9]{1,4}W)?([0-9]{1,5}D)?$', description: 'Of a renewal: what it pays for, ISO 8601', examples: ['P1Y'] })),
  unit_amount: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Minor units of the currency', examples: [4900] })),
}
const Amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Minor units of the currency', examples: [4900] })
const orderFields = {
  external_id: text(255, 'A-1001', 'Your id of the order: the same order again changes nothing'),
  currency: Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217', examples: ['EUR'] }),
  locale: Type.Optional(Type.String({ pattern: '^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,3}$', description: 'The language of the mail', examples: ['de_DE'] })),
  mode: Type.Optional(OneOf(MODES, { description: 'A test order takes licenses of test pools only. Default: live', examples: ['live'] })),
  paid_at: Type.Optional(Type.String({ format: 'date-time', description: 'Default: now', examples: ['2026-01-31T10:15:00Z'] })),
  total_amount: Type.Optional({ ...Amount, description: 'Minor units, of all lines with tax and discount: a refund of this much is a whole one' }),
  hold_id: Type.Optional(text(100, 'HO-19ab3c4d5e6f0a1b2c3d4e5f607', 'The hold made for this purchase: its licenses are taken first. One that is unknown or over changes nothing')),
  parent: Type.Optional(text(255, 'OR-19ab3c4d5e6f0a1b2c3d4e5f607', 'The order that this one renews: its id, or its external_id. What it gets is the policy of each product, `on_renewal`')),
}
const LINES_MAX = 100
const Reason = Type.String({ minLength: 1, maxLength: 500, description: 'For the audit trail', examples: ['the buyer withdrew'] })

export const NewRefund = Strict({
  lines: Type.Optional(Type.Array(Strict({
    external_id: text(255, '1', 'Of the line'),
    quantity: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'Units; without it what is left of the line', examples: [1] })),
  }), { minItems: 1, maxItems: LINES_MAX, description: 'What is refunded; the licenses of these units are taken back' })),
  amount: Type.Optional({ ...Amount, minimum: 1, description: 'How much is refunded, in minor units. Alone it takes no license, unless nothing is left of `total_amount`' }),
  reason: Type.Optional(Reason),
}, { $id: 'NewRefund', description: 'Without lines and amount: the whole order' })

export const NewCancellation = Strict({ reason: Type.Optional(Reason) }, { $id: 'NewCancellation' })

export const NewOrder = Strict({
  ...orderFields,
  additional_info: Type.Optional(additional_info),
  licensee: Type.Optional(Strict(licenseeFields, LICENSEE)),
  customer: Strict(customerFields),
  line_items: Type.Array(Strict(lineFields), { minItems: 1, maxItems: LINES_MAX }),
}, { $id: 'NewOrder' })

/** The same order inside a signed webhook, where what is not known is ignored. */
export const SignedOrder = Type.Object({
  ...orderFields,
  additional_info: Type.Optional(additional_info),
  licensee: Type.Optional(Licensee),
  customer: Type.Object(customerFields),
  line_items: Type.Array(Type.Object(lineFields), { minItems: 1, maxItems: LINES_MAX }),
})

const OrderLicense = Type.Object({
  id: Type.String({ examples: ['LI-19ab3c4d5e6f0a1b2c3d4e5f607'] }),
  unit: Type.Integer({ minimum: 1, maximum: 10_000, description: 'Which unit of the line it is for' }),
  masked: Type.String({ description: 'Enough to recognise it; `POST /v1/licenses/{id}/reveal` shows the key', examples: ['ABCD-…-7F'] }),
  state: OneOf(['allocated', 'revoked']),
  allocated_at: Moment(),
  expires_at: NullableMoment({ description: 'Until when it is good; null: it never expires. One that expires is its holder\'s all the same' }),
  seen_at: NullableMoment({ description: 'When somebody may first have seen the key; null: nobody has' }),
  replaces: Nullable(Type.String({ description: 'The bad license in whose place it came' })),
  replaced_by: Nullable(Type.String({ description: 'The license that came in its place' })),
}, { $id: 'OrderLicense' })

const LineItem = Type.Object({
  id: Type.String({ examples: ['OR-19ab3c4d5e6f0a1b2c3d4e5f607-1'] }),
  external_id: Type.String(),
  product_id: Type.String({ examples: ['PRD-123-456-789'] }),
  pool_id: Type.String({ description: 'Where it is filled from' }),
  quantity: Type.Integer({ minimum: 1, maximum: 10_000 }),
  unit_amount: Nullable(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  ended_units: Type.Integer({ minimum: 0, maximum: 10_000, description: 'How many of its units were refunded, or ended with the order' }),
  slots: Type.Integer({ minimum: 0, maximum: 10_000, description: 'How many licenses it gets, by the quantity rule of its pool' }),
  fulfillment_status: OneOf(FULFILLMENT_STATUSES),
}, { $id: 'LineItem' })

const OrderDelivery = Type.Object({
  id: Type.String({ examples: ['DE-19ab3c4d5e6f0a1b2c3d4e5f607'] }),
  product_id: Type.String(),
  license_ids: Type.Array(Type.String()),
  reason: OneOf(DELIVERY_REASONS),
  status: OneOf(DELIVERY_STATUSES),
}, { $id: 'OrderDelivery' })

const summaryFields = {
  id: Type.String({ examples: ['OR-19ab3c4d5e6f0a1b2c3d4e5f607'] }),
  external_id: Type.String({ examples: ['A-1001'] }),
  source_id: Type.String({ description: 'The payment source it came from, or api-live, api-test, requests', examples: ['PS-19ab3c4d5e6f0a1b2c3d4e5f607'] }),
  status: OneOf(ORDER_STATUSES),
  fulfillment_status: OneOf(FULFILLMENT_STATUSES, { description: 'fulfilled: every slot has its license. partial: some have. backordered: all wait for stock. unfulfilled: the pool refused' }),
  mode: OneOf(MODES),
  currency: Type.String({ examples: ['EUR'] }),
  total_amount: Nullable({ ...Amount, description: 'Minor units, with tax and discount, where the checkout said so' }),
  refunded_amount: { ...Amount, description: 'Minor units, as far as refunds said amounts', examples: [0] },
  parent_id: Nullable(Type.String({ description: 'The order that it renews' })),
  mail_to: Nullable(Type.String({ description: 'Where its mails go in place of the customer\'s address, corrected with a resend', examples: ['ana.souza@example.com'] })),
  is_held: Type.Boolean({ description: 'A dispute is open: nothing is mailed, and no line waits for stock' }),
  locale: Nullable(Type.String()),
  customer: Type.Object({ ...customerFields, email: Type.Optional({ ...customerFields.email, description: 'Absent: nothing is mailed' }) }),
  licensee: Type.Unsafe<Static<typeof Licensee> | null>({ ...Licensee, type: ['object', 'null'] }),
  additional_info: Nullable(additional_info),
  paid_at: Moment(),
  created_at: Moment(),
  erased_at: NullableMoment({ description: 'When its customer was erased; null: not' }),
}

export const OrderSummary = Type.Object(summaryFields, { $id: 'OrderSummary', description: 'An order as lists show it' })
const Renewal = Nullable(Type.Object({
  parent_line_item_id: Type.String({ description: 'The line before it in the chain', examples: ['OR-19ab3c4d5e6f0a1b2c3d4e5f607-1'] }),
  first_line_item_id: Type.String({ description: 'The line that the chain began with' }),
  number: Type.Integer({ minimum: 1, description: 'Which renewal of the chain it is' }),
  on_renewal: OneOf(ON_RENEWALS, { description: 'What it got: `issue` licenses of its own; `keep` and `extend` those before it, and of its own only what these do not cover' }),
  period: Nullable(Type.String({ examples: ['P1Y'] })),
  kept_license_ids: Type.Array(Type.String(), { description: 'Licenses of lines before it that go on with it' }),
}, { description: 'null: it renews nothing' }))
const LineItemWithLicenses = Type.Object({
  ...LineItem.properties,
  licenses: Type.Array(ref(OrderLicense)),
  renewal: Renewal,
}, { $id: 'LineItemWithLicenses' })
export const Order = Type.Object({ ...summaryFields, line_items: Type.Array(ref(LineItemWithLicenses)), deliveries: Type.Array(ref(OrderDelivery)) }, { $id: 'Order' })

export const orderSchemas = [NewOrder, NewRefund, NewCancellation, OrderLicense, OrderDelivery, LineItemWithLicenses, OrderSummary, Order]

export const orderFieldsOfLists = rqlFields({
  id: { type: 'text', example: 'OR-19ab3c4d5e6f0a1b2c3d4e5f607' },
  external_id: { type: 'text', example: 'A-1001', search: true },
  source_id: { type: 'text', example: 'PS-19ab3c4d5e6f0a1b2c3d4e5f607' },
  status: { type: 'text', values: ORDER_STATUSES },
  fulfillment_status: { type: 'text', values: FULFILLMENT_STATUSES, example: 'backordered' },
  mode: { type: 'text', values: MODES },
  refunded_amount: { type: 'bigint', ordering: true },
  parent_id: { type: 'text', example: 'OR-19ab3c4d5e6f0a1b2c3d4e5f607' },
  is_held: { type: 'boolean' },
  currency: { type: 'text', example: 'EUR' },
  locale: { type: 'text', example: 'de_DE' },
  'customer.email': { type: 'text', column: sql`customer ->> 'email'`, example: 'ada@example.com', search: true },
  'customer.first_name': { type: 'text', column: sql`customer ->> 'first_name'`, example: 'Ada', search: true },
  'customer.last_name': { type: 'text', column: sql`customer ->> 'last_name'`, example: 'Lovelace', search: true },
  'customer.company': { type: 'text', column: sql`customer ->> 'company'`, example: 'Example Works', search: true },
  'line_items.product_id': { type: 'text', column: 'l.product_id', relation: 'line_items', example: 'PRD-123-456-789' },
  'line_items.external_id': { type: 'text', column: 'l.external_id', relation: 'line_items', example: '1' },
  'line_items.quantity': { type: 'integer', column: 'l.quantity', relation: 'line_items' },
  paid_at: { type: 'timestamp' },
  erased_at: { type: 'timestamp' },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
}, {
  relations: {
    line_items: (where) => sql`exists (select from line_items l where l.account_id = orders.account_id and l.order_id = orders.id and ${where})`,
  },
})
