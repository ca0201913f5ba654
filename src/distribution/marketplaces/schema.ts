import { Type } from 'typebox'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient } from '../../plugins/schema.js'
import { description, Events, given, icon, name, named } from '../schema.js'

const hub = given('HB-1234-5678', 'The hub that serves it')

export const NewMarketplace = Lenient({
  name,
  description: Type.Optional(description),
  icon: Type.Optional(icon),
  hub,
  owner: Type.Optional(given('PA-123-456', 'Whose it is to be; only the operator names one')),
})

export const MarketplaceChange = Lenient({
  name: Type.Optional(name), description: Type.Optional(description), icon: Type.Optional(icon), hub: Type.Optional(hub),
})

export const Marketplace = Type.Object({
  id: Type.String({ examples: ['MP-12345'] }),
  name,
  description,
  icon,
  owner: named('PA-123-456'),
  hub: named('HB-1234-5678'),
  events: Events,
}, { $id: 'Marketplace' })

export const marketplaceFields = rqlFields({
  id: { type: 'text', column: 'marketplaces.id', example: 'MP-12345', search: true },
  name: { type: 'text', column: 'marketplaces.name', example: 'Example', ordering: true, search: true },
  'owner.id': { type: 'text', column: 'marketplaces.provider_id', example: 'PA-123-456' },
  'owner.name': { type: 'text', column: 'accounts.name' },
  'hub.id': { type: 'text', column: 'marketplaces.hub_id', example: 'HB-1234-5678' },
  'hub.name': { type: 'text', column: 'hubs.name' },
  created: { type: 'timestamp', column: 'marketplaces.created_at', aliases: ['events.created.at'], ordering: true },
})
