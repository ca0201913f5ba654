import { Type } from 'typebox'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, OneOf } from '../../plugins/schema.js'
import { Events, given, icon, named } from '../schema.js'

const STATUSES = ['listed', 'unlisted'] as const
const status = OneOf(STATUSES, { description: 'What is unlisted is not sold anew' })

export const NewListing = Lenient({
  product: given('PRD-123-456-789', 'What is listed'),
  contract: given('CRD-12345-67890-12345', 'Under which contract, and so on which marketplace'),
  status: Type.Optional(status),
})

export const ListingChange = Lenient({ status: Type.Optional(status) })

export const Listing = Type.Object({
  id: Type.String({ examples: ['LST-123-456-789'] }),
  status,
  contract: named('CRD-12345-67890-12345', { marketplace: named('MP-12345', { icon }) }),
  product: named('PRD-123-456-789', { icon }),
  vendor: named('VA-123-456'),
  provider: named('PA-123-456'),
  events: Events,
}, { $id: 'Listing' })

export const listingFields = rqlFields({
  id: { type: 'text', column: 'listings.id', example: 'LST-123-456-789', search: true },
  status: { type: 'text', column: 'listings.status', values: STATUSES },
  'product.id': { type: 'text', column: 'listings.product_id', example: 'PRD-123-456-789' },
  'product.name': { type: 'text', column: 'products.name', ordering: true, search: true },
  'contract.id': { type: 'text', column: 'listings.contract_id', example: 'CRD-12345-67890-12345' },
  'contract.marketplace.id': { type: 'text', column: 'contracts.marketplace_id', aliases: ['marketplace.id'], example: 'MP-12345' },
  'contract.marketplace.name': { type: 'text', column: 'marketplaces.name', aliases: ['marketplace.name'] },
  'vendor.id': { type: 'text', column: 'listings.account_id', example: 'VA-123-456' },
  'provider.id': { type: 'text', column: 'listings.provider_id', example: 'PA-123-456' },
  created: { type: 'timestamp', column: 'listings.created_at', aliases: ['events.created.at'], ordering: true },
})
