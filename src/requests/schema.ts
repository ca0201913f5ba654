import { sql } from 'kysely'
import { Type, type Static } from 'typebox'
import { Asset, assetFilters, REQUEST_STATUSES, REQUEST_TYPES, REQUEST_TYPES_ASKED } from '../assets/schema.js'
import { paramsRelation } from '../parameters/params-relation.js'
import { rqlFields } from '../plugins/rql/index.js'
import { FULFILLMENT_STATUSES } from '../orders/schema.js'
import { Moment, OneOf, ref } from '../plugins/schema.js'

export const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['PR-1234-5678-9012-001'] }) })

export const Request = Type.Object({
  id: Type.String({ description: 'The digits of its asset and a running number', examples: ['PR-1234-5678-9012-001'] }),
  type: OneOf(REQUEST_TYPES),
  status: OneOf(REQUEST_STATUSES),
  created: Moment(),
  updated: Moment(),
  note: Type.String(),
  reason: Type.String({ description: 'Why it failed or was revoked' }),
  effective_date: Type.Optional(Moment({ description: 'Since when the approval holds' })),
  planned_date: Type.Optional(Moment({ description: 'When it is wanted, or scheduled for' })),
  answered: Type.Boolean({ description: 'The buyer answered an inquiry' }),
  assignee: Type.Unsafe<'' | { id: string, name: string, email: string }>({
    type: ['string', 'object'],
    properties: { id: { type: 'string' }, name: { type: 'string' }, email: { type: 'string' } },
    description: 'Who works on it for the vendor: an API key. An empty text: nobody',
    examples: [''],
  }),
  activation_key: Type.Optional(Type.String({
    description: 'What the customer is told, in Markdown, with the values: it may hold license keys. Empty until it is approved or inquiring',
    examples: ['Your license key: ABCD-EFGH-IJKL'],
  })),
  template: Type.Optional(Type.Object({
    id: Type.String({ examples: ['TL-123-456-789'] }),
    name: Type.String(),
    message: Type.String({ description: 'The text that is shown in this state, rendered' }),
  }, { description: 'While it is pending: what it is approved with unless the vendor names another' })),
  params_form_url: Type.Optional(Type.String({
    description: 'While it is inquiring: where the buyer answers. The code in it is a secret',
    examples: ['https://keys.example.com/v1/requests/PR-1234-5678-9012-001/form?code=…'],
  })),
  previous_approved_request: Type.Optional(Type.Object({ id: Type.String() })),
  external_attributes: Type.Optional(Type.Unsafe<unknown>({ type: 'object', additionalProperties: true })),
  marketplace: Type.Object({ id: Type.String(), name: Type.String(), icon: Type.String() }),
  contract: Type.Optional(Type.Object({ id: Type.String(), name: Type.String(), type: Type.String() })),
  order_id: Type.Optional(Type.String({ description: 'To the vendor, of a product with a pool: the order that fills it', examples: ['OR-19ab3c4d5e6f0a1b2c3d4e5f607'] })),
  fulfillment_status: Type.Optional(OneOf(FULFILLMENT_STATUSES, {
    description: 'Of a product with a pool: how far that order is',
  })),
  pool_note: Type.Optional(Type.String({
    description: 'To the vendor: why the pool has not filled it', examples: ['waiting for stock of pool PL-19ab3c4d5e6f0a1b2c3d4e5f607'],
  })),
  asset: ref(Asset),
}, { $id: 'Request', description: 'A demand of a provider on an asset, with the asset as it would leave it' })

export type RequestDocument = Static<typeof Request>

type OfAsset = { [name in keyof typeof assetFilters as `asset.${name}`]: (typeof assetFilters)[name] }
const ofAsset = Object.fromEntries(Object.entries(assetFilters).map(([name, field]) => [`asset.${name}`, {
  ...field, search: false, aliases: 'aliases' in field ? field.aliases.map((alias) => `asset.${alias}`) : [],
}])) as unknown as OfAsset

/** By what lists of requests are filtered; the tables are those of requestsListedFor. */
export const requestFields = rqlFields({
  ...ofAsset,
  id: { type: 'text', column: 'requests.id', search: true, example: 'PR-1234-5678-9012-001' },
  type: { type: 'text', column: 'requests.type', values: REQUEST_TYPES_ASKED, example: 'purchase' },
  status: { type: 'text', column: 'requests.status', values: REQUEST_STATUSES, ordering: true, example: 'pending' },
  created: { type: 'timestamp', column: 'requests.created_at', aliases: ['created_at', 'events.created.at'], ordering: true },
  updated: { type: 'timestamp', column: 'requests.updated_at', aliases: ['updated_at', 'events.updated.at'], ordering: true },
  assignee: { type: 'text', column: 'requests.assignee_id', aliases: ['assignee.id'], example: 'SU-123-456-789' },
  'assignee.email': { type: 'text', column: 'assignee.email' },
  'template.id': { type: 'text', column: 'requests.template_id' },
  effective_date: { type: 'timestamp', column: 'requests.effective_date', ordering: true },
  planned_date: { type: 'timestamp', column: 'requests.planned_date', ordering: true },
  'contract.id': { type: 'text', column: 'a.contract_id' },
  'marketplace.id': { type: 'text', column: 'a.marketplace_id' },
  'marketplace.name': { type: 'text', column: 'm.name', ordering: true },
  'sli.days': { type: 'integer', column: sql`floor(extract(epoch from now() - requests.created_at) / 86400)::int`, ordering: true },
  'asset.id': { type: 'text', column: 'requests.asset_id', aliases: ['asset_id'], search: true, example: 'AS-1234-5678-9012' },
  'asset.product.id': { type: 'text', column: 'requests.product_id', aliases: ['product_id'], example: 'PRD-123-456-789' },
  'asset.product.name': { type: 'text', column: 'p.name', aliases: ['asset.product.title'], ordering: true },
  'asset.account_id': { type: 'text', column: 'a.customer_id' },
  'asset.tiers.tier1.id': { type: 'text', column: 'a.tier1_id', aliases: ['asset.tier1_id'] },
  'asset.tiers.tier2.id': { type: 'text', column: 'a.tier2_id', aliases: ['asset.tier2_id'] },
  'asset.connection.hub.name': { type: 'text', column: 'h.name', aliases: ['asset.hub.name'], ordering: true },
  'asset.connection.environment': { type: 'text', column: 'c.type', values: ['test', 'production', 'preview'] },
}, { relations: { params: paramsRelation('requests.account_id', 'requests.id') } })
