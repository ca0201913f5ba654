import { Type } from 'typebox'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, Nullable, OneOf } from '../../plugins/schema.js'
import { Events, longText, momentFields, Status, text255 } from '../schema.js'

const PERIODS = ['onetime', 'monthly', 'yearly', 'years_2', 'years_3', 'years_4', 'years_5'] as const
const PRECISIONS = ['integer', 'decimal(1)', 'decimal(2)', 'decimal(4)', 'decimal(8)'] as const
const TYPES = ['reservation', 'ppu'] as const

const name = Type.String({ minLength: 1, maxLength: 255, examples: ['Seat'] })
const mpn = Type.String({ minLength: 1, maxLength: 255, description: 'Your own number of it, unique in the product; the local id if left out', examples: ['PRO-SEAT'] })
const local_id = Type.String({ minLength: 1, maxLength: 255, description: 'Unique in the product; made from the id if left out', examples: ['PRD_123_456_789_0001'] })
const word = Type.Optional(Type.String({ maxLength: 255 }))

/** Connect's clients post the object that they read; a word is enough. */
const UnitWrite = Type.Unsafe<string | { id?: string, name?: string, title?: string, unit?: string }>({
  type: ['string', 'object'], properties: { id: word, name: word, title: word, unit: word }, minLength: 1, maxLength: 255, description: 'What is counted', examples: ['Seats'],
})

const Commitment = Lenient({
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  multiplier: Type.Optional(Type.String({ minLength: 1, maxLength: 50 })),
}, { examples: [{ count: 1, multiplier: 'billing_period' }] })

const writable = {
  local_id: Type.Optional(local_id),
  mpn: Type.Optional(mpn),
  display_name: Type.Optional(text255({ description: 'The name if left out' })),
  description: Type.Optional(longText()),
  status: Type.Optional(Status),
  type: Type.Optional(OneOf(TYPES, { description: 'Bought in a quantity, or paid as used' })),
  precision: Type.Optional(OneOf(PRECISIONS)),
  period: Type.Optional(OneOf(PERIODS, { description: 'How often it is billed', examples: ['monthly'] })),
  commitment: Type.Optional(Nullable(Commitment)),
  unit: Type.Optional(UnitWrite),
  external_id: Type.Optional(text255()),
  position: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  dynamic: Type.Optional(Type.Boolean()),
  ui: Type.Optional(Nullable(Lenient({ visibility: Type.Optional(Type.Boolean()) }))),
}
export const NewItem = Lenient({ name, ...writable })
export const ItemChange = Lenient({ name: Type.Optional(name), ...writable }, { description: 'What is given replaces what was; the rest stays' })

export const ProductItem = Type.Object({
  id: Type.String({ description: 'The id of the product and four digits', examples: ['PRD-123-456-789-0001'] }),
  local_id: Type.String(),
  mpn: Type.String(),
  name,
  display_name: Type.String(),
  description: Type.String(),
  status: Status,
  type: OneOf(TYPES),
  precision: Type.String({ examples: ['integer'] }),
  period: Type.String({ examples: ['monthly'] }),
  commitment: Type.Unsafe<unknown>({ type: 'object', properties: { count: { type: 'integer' }, multiplier: { type: 'string' } } }),
  unit: Type.Object({ id: Type.String(), name: Type.String(), title: Type.String(), unit: Type.String() }),
  external_id: Nullable(Type.String()),
  position: Type.Integer(),
  dynamic: Type.Boolean(),
  ui: Type.Unsafe<unknown>({ type: 'object', properties: { visibility: { type: 'boolean' } } }),
  events: Events,
}, { $id: 'ProductItem' })

export const itemFields = rqlFields({
  id: { type: 'text', example: 'PRD-123-456-789-0001', search: true },
  local_id: { type: 'text', search: true },
  mpn: { type: 'text', example: 'PRO-SEAT', search: true, ordering: true },
  name: { type: 'text', example: 'Seat', search: true, ordering: true },
  status: { type: 'text', values: ['draft', 'published', 'endofsale'] },
  type: { type: 'text', values: TYPES },
  period: { type: 'text', values: PERIODS },
  external_id: { type: 'text' },
  position: { type: 'integer', ordering: true },
  ...momentFields('product_items'),
})
