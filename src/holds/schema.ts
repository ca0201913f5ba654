import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, Nullable, NullableMoment, OneOf, ref, Strict } from '../plugins/schema.js'

export const HOLD_STATUSES = ['open', 'committed', 'released', 'expired'] as const
const MODES = ['live', 'test'] as const
const HOLD_ID = 'HO-19ab3c4d5e6f0a1b2c3d4e5f607'
const mode = OneOf(MODES, { description: 'A hold of test licenses is for test orders. Default: live', examples: ['live'] })
const currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217', examples: ['EUR'] })
const quantity = Type.Integer({ minimum: 1, maximum: 10_000, examples: [2] })
const id = Type.String({ minLength: 1, maxLength: 100, examples: [HOLD_ID] })

export const HoldParams = Type.Object({ id })

export const NewHold = Strict({
  mode: Type.Optional(mode),
  currency,
  line_items: Type.Array(Strict({
    external_id: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Your id of the line; without one, its number from 1', examples: ['1'] })),
    product: Type.String({ minLength: 1, maxLength: 255, description: 'The id or an external id of a product', examples: ['sku-pro'] }),
    quantity,
  }), { minItems: 1, maxItems: 100 }),
  expires_in_s: Type.Optional(Type.Integer({ minimum: 60, maximum: 86_400, description: 'Seconds. Default: half an hour', examples: [1800] })),
  external_id: Type.Optional(Type.String({
    minLength: 1, maxLength: 255, description: 'Your id of the checkout session: the same session again finds its hold', examples: ['cs_1001'],
  })),
}, { $id: 'NewHold' })

const summaryFields = {
  id,
  external_id: Nullable(Type.String()),
  status: OneOf(HOLD_STATUSES, { description: 'open: its licenses are nobody else\'s. committed: they are an order\'s. released, expired: they are back in stock' }),
  mode: OneOf(MODES),
  currency: Type.String({ examples: ['EUR'] }),
  order_id: Nullable(Type.String({ description: 'The order that its licenses went to' })),
  expires_at: Moment({ description: 'From then on it holds nothing' }),
  created_at: Moment(),
  ended_at: NullableMoment({ description: 'When it was committed, released or found expired; null: it is open, or nobody wrote down yet that it is over' }),
}

export const HoldSummary = Type.Object(summaryFields, { $id: 'HoldSummary', description: 'A hold as lists show it' })
const HoldLine = Type.Object({
  external_id: Type.String(),
  product_id: Type.String({ examples: ['PRD-123-456-789'] }),
  pool_id: Type.String({ description: 'Where its licenses are from' }),
  quantity,
  held: Type.Integer({ minimum: 0, maximum: 10_000, description: 'Licenses that it holds now, by the quantity rule of the pool' }),
}, { $id: 'HoldLine' })
export const Hold = Type.Object({ ...summaryFields, line_items: Type.Array(ref(HoldLine)) }, { $id: 'Hold' })

export const AvailabilityParams = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 255, description: 'The id or an external id of a product', examples: ['sku-pro'] }),
})
export const AvailabilityQuery = Type.Object({ currency, mode: Type.Optional(mode) })
export const Availability = Type.Object({
  product_id: Type.String({ examples: ['PRD-123-456-789'] }),
  mode: OneOf(MODES),
  currency: Type.String({ examples: ['EUR'] }),
  availability: OneOf(['in_stock', 'low', 'out_of_stock'], { description: 'low: fewer than the `low_stock_threshold` of the pool', examples: ['in_stock'] }),
  available: Type.Unsafe<number | null>({
    type: ['integer', 'null'],
    minimum: 0,
    maximum: 1000,
    description: 'Licenses that the next order could have; 1000: that many or more. null: the product\'s `availability` is `coarse`, or it is only a mail',
    examples: [42],
  }),
  on_shortage: Nullable(OneOf(['backorder', 'partial', 'fail'], { description: 'What an order gets beyond that: the policy of the pool. null: no pool serves it' })),
  quantity_rule: Nullable(OneOf(['unit', 'line'], { description: 'Whether a license is for one unit or for a line of any quantity' })),
}, { $id: 'Availability' })

export const holdSchemas = [NewHold, HoldLine, HoldSummary, Hold, Availability]

export const holdFieldsOfLists = rqlFields({
  id: { type: 'text', example: HOLD_ID },
  external_id: { type: 'text', example: 'cs_1001', search: true },
  status: { type: 'text', values: HOLD_STATUSES, example: 'open' },
  mode: { type: 'text', values: MODES },
  currency: { type: 'text', example: 'EUR' },
  order_id: { type: 'text', example: 'OR-19ab3c4d5e6f0a1b2c3d4e5f607' },
  expires_at: { type: 'timestamp', ordering: true },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
})
