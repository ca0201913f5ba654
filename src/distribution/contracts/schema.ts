import { Type } from 'typebox'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, OneOf } from '../../plugins/schema.js'
import { Events, given, icon, name, named } from '../schema.js'

const STATUSES = ['active', 'terminated'] as const

export const NewContract = Lenient({
  name: Type.Optional(name),
  marketplace: given('MP-12345', 'Where it lets the provider sell; the provider or the operator tells you its id'),
  provider: given('PA-123-456', 'Whose marketplace that is'),
})

export const ContractChange = Lenient({ name: Type.Optional(name), status: Type.Optional(OneOf(STATUSES, { description: 'Under a terminated contract nothing new is sold' })) })

export const Contract = Type.Object({
  id: Type.String({ examples: ['CRD-12345-67890-12345'] }),
  name,
  type: OneOf(['distribution']),
  status: OneOf(STATUSES),
  marketplace: named('MP-12345', { icon }),
  vendor: named('VA-123-456'),
  provider: named('PA-123-456'),
  events: Events,
}, { $id: 'Contract' })

export const contractFields = rqlFields({
  id: { type: 'text', column: 'contracts.id', example: 'CRD-12345-67890-12345', search: true },
  name: { type: 'text', column: 'contracts.name', example: 'Example', ordering: true, search: true },
  type: { type: 'text', column: 'contracts.type', values: ['distribution'] },
  status: { type: 'text', column: 'contracts.status', values: STATUSES },
  'marketplace.id': { type: 'text', column: 'contracts.marketplace_id', example: 'MP-12345' },
  'marketplace.name': { type: 'text', column: 'marketplaces.name' },
  'vendor.id': { type: 'text', column: 'contracts.account_id', example: 'VA-123-456' },
  'provider.id': { type: 'text', column: 'contracts.provider_id', example: 'PA-123-456' },
  created: { type: 'timestamp', column: 'contracts.created_at', aliases: ['events.created.at'], ordering: true },
})
