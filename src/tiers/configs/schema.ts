import { Type, type Static } from 'typebox'
import { ConfigParam, connectionMember } from '../../assets/schema.js'
import { paramsRelation } from '../../parameters/params-relation.js'
import { ParamSchema } from '../../parameters/schema.js'
import { rqlFields } from '../../plugins/rql/index.js'
import { Nullable, OneOf, ref } from '../../plugins/schema.js'
import { Events, momentFields } from '../../products/schema.js'
import { TierAccount } from '../accounts/schema.js'
import { Named, ShortProduct } from '../schema.js'

const CONFIG_STATUSES = ['processing', 'active'] as const

export const ShownTemplate = Type.Object({
  id: Type.String({ description: 'Empty where the vendor gave a text of its own', examples: ['TL-123-456-789'] }),
  name: Type.String(),
  representation: Type.String({ description: 'The text with the values of the parameters' }),
})

export const TierConfig = Type.Object({
  id: Type.String({ examples: ['TC-123-456-789'] }),
  name: Type.String(),
  status: OneOf(CONFIG_STATUSES, { description: 'processing: not set up yet. It stays active while a change of it is under way' }),
  account: ref(TierAccount),
  product: ShortProduct,
  tier_level: Type.Integer({ minimum: 1, maximum: 2, description: '1: the reseller that sells to the customer; 2: the one above' }),
  connection: connectionMember,
  params: Type.Array(ref(ParamSchema)),
  template: Nullable(ShownTemplate),
  open_request: Nullable(Type.Object({ id: Type.String({ examples: ['TCR-123-456-789-002'] }) })),
  contract: Nullable(Named),
  marketplace: Nullable(Type.Object({ id: Type.String(), name: Type.String(), icon: Type.String() })),
  configuration: Type.Object({ params: Type.Array(ref(ConfigParam)) }, { description: 'What was set up beforehand for the product' }),
  events: Events,
}, { $id: 'TierConfig', description: 'How a reseller is set up for a product' })
/** All that answers with tier configurations refer to. */
export const tierConfigSchemas = [ParamSchema, ConfigParam, TierAccount, TierConfig]
export type TierConfigDocument = Static<typeof TierConfig>

/** Filters that configurations and their requests share; columns of `c` and what it is joined to. */
export const sharedFields = {
  tier_level: { type: 'integer', column: 'c.tier_level', ordering: true, example: '1' },
  'product.id': { type: 'text', column: 'c.product_id', example: 'PRD-123-456-789' },
  'product.name': { type: 'text', column: 'd.name', search: true },
  'account.id': { type: 'text', column: 'c.tier_account_id', example: 'TA-1234-5678-9012' },
  'account.external_id': { type: 'text', column: 'a.external_id' },
  'account.external_uid': { type: 'text', column: 'a.external_uid' },
  'account.company_name': { type: 'text', column: 'a.name', aliases: ['account.name'], search: true, example: 'Reseller Ltd' },
  'connection.id': { type: 'text', column: 'c.connection_id' },
  'connection.type': { type: 'text', column: 'n.type', values: ['test', 'production', 'preview'] },
  'contract.id': { type: 'text', column: 'c.contract_id' },
  'marketplace.id': { type: 'text', column: 'c.marketplace_id' },
  'marketplace.name': { type: 'text', column: 'm.name' },
} as const

export const tierConfigFields = rqlFields({
  id: { type: 'text', column: 'c.id', search: true, example: 'TC-123-456-789' },
  status: { type: 'text', column: 'c.status', values: CONFIG_STATUSES, ordering: true },
  ...sharedFields,
  'connection.product_version_type': { type: 'text', column: 'n.product_version_type', values: ['public', 'staging'] },
  'template.id': { type: 'text', column: 'c.template_id' },
  'params.id': { type: 'text', column: 'pp.name', relation: 'params', example: 'partner_id' },
  'params.value': { type: 'text', column: 'pv.value', relation: 'params' },
  ...momentFields('c'),
}, { relations: { params: paramsRelation('c.account_id', 'c.id') } })
