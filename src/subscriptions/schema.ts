import { Type, type Static, type TSchema } from 'typebox'
import { Asset, assetFilters } from '../assets/schema.js'
import { paramsRelation } from '../parameters/params-relation.js'
import type { FieldDeclaration } from '../plugins/rql/fields.js'
import { rqlFields } from '../plugins/rql/index.js'
import { Lenient, Moment, Nullable, OneOf, ref } from '../plugins/schema.js'
import { Events, momentFields } from '../products/schema.js'

const UNITS = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const
const BILLING_TYPES = ['vendor', 'provider'] as const
const ATTRIBUTES_CHARACTERS_MAX = 65_536

const Length = Type.Object({ delta: Type.Integer({ minimum: 1, examples: [1] }), uom: OneOf(UNITS, { examples: ['monthly'] }) })
const Period = Type.Object({ from: Moment(), to: Moment(), delta: Type.Integer({ minimum: 1, examples: [1] }), uom: OneOf(UNITS, { examples: ['monthly'] }) })

const quantity = Type.Integer({ minimum: -1, description: 'A number, unlike in requests and assets; -1: without limit', examples: [10] })
const item = {
  id: Type.String({ examples: ['PRD-123-456-789-0001'] }),
  global_id: Type.String(),
  mpn: Type.String({ examples: ['PRO-SEAT'] }),
  type: Type.String({ description: 'What is counted', examples: ['Seats'] }),
  display_name: Type.String(),
  period: Type.String({ examples: ['Monthly'] }),
  item_type: OneOf(['Reservation', 'PPU']),
}
const RecurringItem = Type.Object({ ...item, quantity, old_quantity: quantity }, { $id: 'RecurringItem' })
export type RecurringItemDocument = Static<typeof RecurringItem>
const BilledItem = Type.Object({ ...item, quantity }, { $id: 'BilledItem', description: 'An item as it was when the request was made' })
export type BilledItemDocument = Static<typeof BilledItem>

const Count = Type.Object({
  count: Type.Integer({ minimum: 0 }),
  last_request: Nullable(Type.Object({ id: Type.String({ examples: ['BRV-1234-5678-9012-3456'] }), period: Period })),
})
const Billing = Type.Object({
  period: Nullable(Length),
  next_date: Type.Unsafe<Date | null>({ type: ['string', 'null'], format: 'date-time', description: 'As given with an approval, or the end of the last period billed if that is later' }),
  stats: Type.Object({ vendor: Count, provider: Count }),
})
export type BillingDocument = Static<typeof Billing>

const { items, pending_request, template, ...assetMembers } = Asset.properties
export const RecurringAsset = Type.Object({ ...assetMembers, items: Type.Optional(Type.Array(ref(RecurringItem))), billing: Billing }, {
  $id: 'RecurringAsset', description: 'An asset as it is billed: quantities are numbers, and secret parameters are left out',
})
export type RecurringAssetDocument = Static<typeof RecurringAsset>

const attributes = (description: string) => Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true, description, examples: [{ external_id: '42' }] })
export const BillingRequest = Type.Object({
  id: Type.String({ examples: ['BRP-1234-5678-9012-3456'] }),
  type: OneOf(BILLING_TYPES, { description: 'Who made it' }),
  events: Events,
  asset: ref(RecurringAsset),
  items: Type.Array(ref(BilledItem)),
  attributes: Type.Object({ vendor: attributes('What the vendor notes'), provider: attributes('What the provider notes') }),
  period: Period,
}, { $id: 'BillingRequest', description: 'What a period of an asset is charged for' })
export type BillingRequestDocument = Static<typeof BillingRequest>

export const subscriptionSchemas = [RecurringItem, BilledItem, RecurringAsset, BillingRequest]

/** Clients post whole objects back, with null for what is unset. */
const optional = <T extends TSchema>(schema: T) => Type.Optional(Nullable(schema))
const given = optional(Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true }))
export const Attributes = Lenient({ vendor: given, provider: given }, { description: `Each side writes its own; at most ${ATTRIBUTES_CHARACTERS_MAX} characters of JSON` })
export type GivenAttributes = Static<typeof Attributes>

const moment = (description: string, example: string) => Type.String({ minLength: 1, maxLength: 64, description, examples: [example] })
export const NewBillingRequest = Lenient({
  type: optional(OneOf(BILLING_TYPES, { description: 'The caller\'s side; nobody makes those of the other' })),
  asset: Lenient({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['AS-1234-5678-9012'] }) }),
  period: Lenient({
    from: moment('The first moment of it', '2026-01-01T00:00:00+00:00'),
    to: moment('The first moment after it', '2026-02-01T00:00:00+00:00'),
    delta: optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'How many units it is long. Default: as the asset is billed' })),
    uom: optional(OneOf(UNITS)),
  }),
  items: optional(Type.Array(Lenient({
    id: Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789-0001'] }), quantity: optional(Type.Integer({ minimum: -1, maximum: 2_147_483_647 })),
  }), { maxItems: 1000, description: 'Items of the asset, with the quantity charged. Default: all, as the asset has them' })),
  attributes: optional(Attributes),
})
export type BillingRequestToMake = Static<typeof NewBillingRequest>

export const recurringAssetFields = rqlFields({
  id: { type: 'text', column: 'a.id', search: true, example: 'AS-1234-5678-9012' },
  ...assetFilters,
  ...momentFields('a'),
}, { relations: { params: paramsRelation('a.account_id', 'a.id') } })

const ofAsset: Record<string, FieldDeclaration> = Object.fromEntries(Object.entries<FieldDeclaration>(assetFilters).map(([name, { aliases = [], ...field }]) =>
  [`asset.${name}`, { ...field, aliases: aliases.map((alias) => `asset.${alias}`) }]))

export const billingRequestFields = rqlFields({
  id: { type: 'text', column: 'b.id', example: 'BRP-1234-5678-9012-3456' },
  type: { type: 'text', column: 'b.type', values: BILLING_TYPES },
  'period.from': { type: 'timestamp', column: 'b.period_from', ordering: true },
  'period.to': { type: 'timestamp', column: 'b.period_to', ordering: true },
  'period.uom': { type: 'text', column: 'b.period_uom', values: UNITS },
  'period.delta': { type: 'integer', column: 'b.period_delta' },
  'asset.id': { type: 'text', column: 'b.asset_id', example: 'AS-1234-5678-9012' },
  ...ofAsset as Record<`asset.${keyof typeof assetFilters}`, FieldDeclaration>,
  ...momentFields('b'),
}, { relations: { params: paramsRelation('a.account_id', 'a.id') } })

/** How long the notes of a side may be, as JSON. */
export const attributesFit = (value: object): boolean => JSON.stringify(value).length <= ATTRIBUTES_CHARACTERS_MAX
