import { sql } from 'kysely'
import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, Nullable, OneOf, Strict } from '../plugins/schema.js'

const INTEGER_MAX = 2_147_483_647 // PostgreSQL's integer

const name = Type.String({ minLength: 1, maxLength: 255, examples: ['Pro EUR'] })
const product_ids = Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
  maxItems: 1000, uniqueItems: true, description: 'The products it serves; none: it is common to all products', examples: [['PRD-123-456-789']],
})
const Currency = Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217', examples: ['EUR'] })
const currency = Nullable(Type.String({ pattern: '^[A-Z]{3}$', description: 'ISO 4217; null: orders of every currency', examples: ['EUR'] }))
export const Mode = OneOf(['live', 'test'], { description: 'Test orders take only from test pools, and live ones from live pools' })
const quantity_rule = OneOf(['unit', 'line'], { description: '`unit`: one license for each unit of a line; `line`: one common license for the line' })
const on_shortage = OneOf(['backorder', 'partial', 'fail'], {
  description: '`backorder`: a line waits until it is covered whole; `partial`: it gets what there is, the rest waits; `fail`: the order is refused',
})
const low_stock_threshold = Nullable(Type.Integer({ minimum: 0, maximum: INTEGER_MAX, description: 'Warn when fewer licenses are available; null: never', examples: [20] }))
const low_stock_percents = Type.Array(Type.Integer({ minimum: 1, maximum: 99 }), {
  maxItems: 10, uniqueItems: true, description: 'Warn when so many percent, or fewer, of what there was after the last load are left, once for each load; none: never', examples: [[50, 20, 10]],
})
const low_stock_days = Nullable(Type.Integer({
  minimum: 1, maximum: 365, description: 'Warn when what is available lasts fewer days than this, as it sold in the last 14 days; null: never', examples: [7],
}))
const pick = OneOf(['first', 'soonest'], {
  description: 'Which license is next: `first` in the order loaded, `soonest` the one that expires first, those that never do last',
})
const min_remaining_days = Type.Integer({
  minimum: 0, maximum: 36_500, description: 'Licenses that expire are given only if they last longer than so many days of 24 hours from then on; what expires before now is never given', examples: [30],
})

export const NewPool = Strict({
  name,
  product_ids: Type.Optional(product_ids),
  currency: Type.Optional(currency),
  mode: Type.Optional(Mode),
  quantity_rule: Type.Optional(quantity_rule),
  on_shortage: Type.Optional(on_shortage),
  low_stock_threshold: Type.Optional(low_stock_threshold),
  low_stock_percents: Type.Optional(low_stock_percents),
  low_stock_days: Type.Optional(low_stock_days),
  pick: Type.Optional(pick),
  min_remaining_days: Type.Optional(min_remaining_days),
}, { description: 'Left out: mode `live`, quantity_rule `unit`, on_shortage `backorder`, pick `first`, min_remaining_days 0, common to all products, any currency' })

export const PoolChange = Strict({
  name: Type.Optional(name),
  product_ids: Type.Optional(product_ids),
  currency: Type.Optional(currency),
  mode: Type.Optional(Mode),
  quantity_rule: Type.Optional(quantity_rule),
  on_shortage: Type.Optional(on_shortage),
  low_stock_threshold: Type.Optional(low_stock_threshold),
  low_stock_percents: Type.Optional(low_stock_percents),
  low_stock_days: Type.Optional(low_stock_days),
  pick: Type.Optional(pick),
  min_remaining_days: Type.Optional(min_remaining_days),
}, { description: 'What is given replaces what was; the rest stays. The mode cannot be changed' })

const poolFieldsOfAnswer = {
  id: Type.String({ examples: ['PL-0199f3c2a7b41f0c9d8e7a6b5c4d'] }),
  name,
  product_ids,
  currency,
  mode: Mode,
  quantity_rule,
  on_shortage,
  low_stock_threshold,
  low_stock_percents,
  low_stock_days,
  pick,
  min_remaining_days,
  created_at: Moment(),
  updated_at: Moment(),
}
export const Pool = Type.Object(poolFieldsOfAnswer, { $id: 'Pool' })

const count = (description: string) => Type.Integer({ minimum: 0, description })
export const PoolWithStock = Type.Object({
  ...poolFieldsOfAnswer,
  stock: Type.Object({
    loaded: count('Every license ever loaded: the sum of the six below'),
    available: count('Can be given now'),
    held: count('Set aside for an order that is not paid yet'),
    allocated: count('Belong to an order'),
    revoked: count('Belonged to an order, seen, and ended for good'),
    expired: count('Unsold and too old to be given'),
    withdrawn: count('Taken out unsold, for good'),
    backordered: count('Licenses that paid lines wait for'),
    unfit: count('Of the expired: those that have not expired yet, but do not last as long as `min_remaining_days` demands. Lower it, and they are available again'),
  }, { description: 'Exact, of one moment' }),
}, { $id: 'PoolWithStock' })

export const RouteQuery = Type.Object({
  product: Type.String({ minLength: 1, maxLength: 255, description: 'Id or external id of a product', examples: ['sku-pro'] }),
  currency: Currency,
  mode: Type.Optional(Mode),
})

export const RouteAnswer = Type.Object({
  product_id: Type.String(),
  pool_id: Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'From where such a line is served; null: from nowhere' }),
  reason: Type.String({ examples: ['it serves this one product, in EUR'] }),
  candidates: Type.Array(Type.Object({
    pool_id: Type.String(),
    name: Type.String(),
    reason: Type.String({ description: 'Why it matches' }),
  }), { description: 'Every pool that matches, the most specific first: the first one wins' }),
}, { $id: 'PoolRoute' })

export const poolFields = rqlFields({
  id: { type: 'text', example: 'PL-0199f3c2a7b41f0c9d8e7a6b5c4d' },
  name: { type: 'text', example: 'Pro EUR', ordering: true, search: true },
  product_ids: { type: 'text', column: 'product_id', relation: 'products', example: 'PRD-123-456-789' },
  currency: { type: 'text', example: 'EUR' },
  mode: { type: 'text', values: ['live', 'test'] },
  quantity_rule: { type: 'text', values: ['unit', 'line'] },
  on_shortage: { type: 'text', values: ['backorder', 'partial', 'fail'] },
  low_stock_threshold: { type: 'integer' },
  low_stock_days: { type: 'integer' },
  pick: { type: 'text', values: ['first', 'soonest'] },
  min_remaining_days: { type: 'integer' },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  updated_at: { type: 'timestamp', aliases: ['updated'], ordering: true },
}, { relations: { products: (where) => sql`exists (select from unnest(pools.product_ids) product_id where ${where})` } })
