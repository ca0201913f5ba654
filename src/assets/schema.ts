import { Type, type Static } from 'typebox'
import { ParamSchema, SCOPES, TYPES } from '../parameters/schema.js'
import { paramsRelation } from '../parameters/params-relation.js'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, OneOf, ref } from '../plugins/schema.js'
import { Events, momentFields } from '../products/schema.js'
import { BriefTierAccount } from '../tiers/accounts/schema.js'

const ASSET_STATUSES = ['draft', 'processing', 'active', 'suspended', 'terminating', 'terminated'] as const
export const REQUEST_TYPES = ['purchase', 'change', 'suspend', 'resume', 'cancel', 'adjustment'] as const
/** What may be filtered by: Connect's clients ask for these two among others, and nothing here is of them. */
export const REQUEST_TYPES_ASKED = [...REQUEST_TYPES, 'renew', 'transfer'] as const
export const REQUEST_STATUSES = ['draft', 'tiers_setup', 'pending', 'inquiring', 'approved', 'failed', 'scheduled', 'revoking', 'revoked'] as const

const Named = Type.Object({ id: Type.String(), name: Type.String() })
const NamedTemplate = Type.Object({ id: Type.String({ examples: ['TL-123-456-789'] }), name: Type.String() })

export const ConfigParam = Type.Object({
  id: Type.String({ description: 'The name of the parameter', examples: ['terms_url'] }),
  title: Type.String(),
  type: OneOf(TYPES),
  scope: OneOf(SCOPES),
  phase: OneOf(['configuration']),
  value: Type.String({ description: 'Empty: none' }),
  structured_value: Type.Optional(Type.Unsafe<object>({ type: ['object', 'array'] })),
}, { $id: 'ConfigParam', description: 'A value that was set up beforehand; secret ones are left out' })
export type ConfigParamDocument = Static<typeof ConfigParam>

const quantity = (description: string) => Type.String({ description, examples: ['10'] })
const AssetItem = Type.Object({
  id: Type.String({ examples: ['PRD-123-456-789-0001'] }),
  global_id: Type.String({ description: 'The same as the id' }),
  mpn: Type.String({ examples: ['PRO-SEAT'] }),
  old_quantity: quantity('In a request: before it. Else the same as the quantity'),
  quantity: quantity('A number as a text, or "unlimited"'),
  type: Type.String({ description: 'What is counted', examples: ['Seats'] }),
  display_name: Type.String(),
  period: Type.String({ examples: ['Monthly'] }),
  item_type: OneOf(['Reservation', 'PPU'], { description: 'Bought in a quantity, or paid as used' }),
  params: Type.Array(ref(ConfigParam)),
}, { $id: 'AssetItem' })
export type AssetItemDocument = Static<typeof AssetItem>

const AssetTier = Type.Partial(Type.Object(BriefTierAccount.properties), { $id: 'AssetTier', description: 'A tier account; {} for none' })

const PendingRequest = Type.Object({
  id: Type.String({ examples: ['PR-1234-5678-9012-002'] }), type: OneOf(REQUEST_TYPES), status: OneOf(REQUEST_STATUSES), template: Type.Optional(NamedTemplate),
})

export const connectionMember = Type.Object({
  id: Type.String({ examples: ['CT-1234-5678-9012'] }),
  type: OneOf(['test', 'production', 'preview']),
  status: OneOf(['pending', 'approved', 'rejected', 'revoked', 'active']),
  provider: Named,
  vendor: Named,
  hub: Type.Optional(Named),
  created_at: Moment(),
})

export const Asset = Type.Object({
  id: Type.String({ examples: ['AS-1234-5678-9012'] }),
  status: OneOf(ASSET_STATUSES),
  external_id: Type.String({ description: 'The provider\'s number for it; empty if it gave none' }),
  external_uid: Type.String(),
  product: Type.Object({
    id: Type.String({ examples: ['PRD-123-456-789'] }),
    icon: Type.String(),
    name: Type.String(),
    status: OneOf(['draft', 'published', 'endofsale']),
    capabilities: Type.Optional(Type.Unsafe<object>({ type: 'object', additionalProperties: true, description: 'Where selected' })),
  }),
  connection: connectionMember,
  events: Events,
  items: Type.Optional(Type.Array(ref(AssetItem))),
  params: Type.Optional(Type.Array(ref(ParamSchema))),
  tiers: Type.Object({ customer: ref(AssetTier), tier1: ref(AssetTier), tier2: ref(AssetTier) }),
  configuration: Type.Optional(Type.Object({ params: Type.Array(ref(ConfigParam)) })),
  marketplace: Type.Object({ id: Type.String({ examples: ['MP-12345'] }), name: Type.String(), icon: Type.String() }),
  contract: Type.Optional(Type.Object({ id: Type.String(), name: Type.String(), type: Type.String() })),
  template: Type.Optional(NamedTemplate),
  pending_request: Type.Optional(PendingRequest),
}, { $id: 'Asset', description: 'One purchase and its present state' })
export type AssetDocument = Static<typeof Asset>

/** What a response that shows assets refers to; its routes add them all. */
export const assetSchemas = [ParamSchema, ConfigParam, AssetItem, AssetTier, Asset]

export const AssetRequest = Type.Object({
  id: Type.String({ examples: ['PR-1234-5678-9012-001'] }),
  type: OneOf(REQUEST_TYPES),
  status: OneOf(REQUEST_STATUSES),
  events: Events,
  assignee: Type.Unsafe<'' | { id: string, name: string, email: string }>({
    type: ['string', 'object'], properties: { id: { type: 'string' }, name: { type: 'string' }, email: { type: 'string' } }, description: 'An empty text: nobody',
  }),
}, { $id: 'AssetRequest', description: 'A request as its asset lists it' })

/** By what lists that show assets are filtered; the tables are those of assetsSeenBy. */
export const assetFilters = {
  external_id: { type: 'text', column: 'a.external_id', search: true, example: 'order-1001' },
  external_uid: { type: 'text', column: 'a.external_uid', search: true },
  status: { type: 'text', column: 'a.status', values: ASSET_STATUSES, ordering: true, example: 'active' },
  'product.id': { type: 'text', column: 'a.product_id', example: 'PRD-123-456-789' },
  'product.name': { type: 'text', column: 'p.name', aliases: ['product.title'], search: true },
  'connection.id': { type: 'text', column: 'a.connection_id' },
  'connection.type': { type: 'text', column: 'c.type', values: ['test', 'production', 'preview'] },
  'connection.hub.id': { type: 'text', column: 'c.hub_id', aliases: ['hub.id'] },
  'connection.hub.name': { type: 'text', column: 'h.name', aliases: ['hub.name'] },
  'connection.provider.id': { type: 'text', column: 'a.provider_id' },
  'connection.provider.name': { type: 'text', column: 'provider.name' },
  'connection.vendor.id': { type: 'text', column: 'a.account_id' },
  'connection.vendor.name': { type: 'text', column: 'vendor.name' },
  'contract.id': { type: 'text', column: 'a.contract_id' },
  'marketplace.id': { type: 'text', column: 'a.marketplace_id' },
  'marketplace.name': { type: 'text', column: 'm.name', ordering: true },
  'template.id': { type: 'text', column: 'a.template_id' },
  'tiers.customer.id': { type: 'text', column: 'a.customer_id', ordering: true },
  'tiers.customer.name': { type: 'text', column: 'customer.name', ordering: true, search: true },
  'tiers.customer.external_id': { type: 'text', column: 'customer.external_id' },
  'tiers.customer.external_uid': { type: 'text', column: 'customer.external_uid' },
  'tiers.tier1.id': { type: 'text', column: 'a.tier1_id' },
  'tiers.tier2.id': { type: 'text', column: 'a.tier2_id' },
  'params.id': { type: 'text', column: 'pp.name', relation: 'params', example: 'admin_email' },
  'params.value': { type: 'text', column: 'pv.value', relation: 'params', example: 'admin@example.com' },
} as const

export const assetFields = rqlFields({
  id: { type: 'text', column: 'a.id', search: true, example: 'AS-1234-5678-9012' },
  ...assetFilters,
  ...momentFields('a'),
}, { relations: { params: paramsRelation('a.account_id', 'a.id') } })

export const assetRequestFields = rqlFields({
  id: { type: 'text', column: 'r.id', example: 'PR-1234-5678-9012-001' },
  type: { type: 'text', column: 'r.type', values: REQUEST_TYPES_ASKED },
  status: { type: 'text', column: 'r.status', values: REQUEST_STATUSES },
  ...momentFields('r'),
})
