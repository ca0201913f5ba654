import { Type } from 'typebox'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, Moment, Nullable, OneOf } from '../../plugins/schema.js'
import { given, icon, Instance, named } from '../schema.js'

const TYPES = ['test', 'production', 'preview'] as const
const STATUSES = ['pending', 'approved', 'rejected', 'revoked', 'active'] as const
const VERSIONS = ['public', 'staging'] as const

const status = OneOf(STATUSES, { description: 'Requests are made through one that is active or approved; what was bought through it before goes on' })
const product_version_type = OneOf(VERSIONS)

export const ConnectionParams = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789'] }),
  connection_id: Type.String({ minLength: 1, maxLength: 100, examples: ['CT-1234-5678-9012'] }),
})

export const NewConnection = Lenient({
  type: OneOf(TYPES, { description: 'Purchases through test and preview connections take licenses of test pools', examples: ['production'] }),
  provider: Type.Optional(given('PA-123-456', 'Who may request the product; its id is given to you by it or by the operator')),
  hub: Type.Optional(Nullable(given('HB-1234-5678', 'The one system of the provider that it is for; left out: any of them'))),
  product_version_type: Type.Optional(product_version_type),
}, { description: 'Name the provider, or one of its hubs, or both' })

export const ConnectionChange = Lenient({ status: Type.Optional(status), product_version_type: Type.Optional(product_version_type) })

const Hub = Nullable(named('HB-1234-5678', { instance: Instance }))

export const Connection = Type.Object({
  id: Type.String({ examples: ['CT-1234-5678-9012'] }),
  type: OneOf(TYPES),
  status,
  provider: named('PA-123-456'),
  vendor: named('VA-123-456'),
  hub: Hub,
  product: named('PRD-123-456-789', { icon }),
  product_version_type,
  created_at: Moment(),
}, { $id: 'Connection' })

export const connectionFields = rqlFields({
  id: { type: 'text', column: 'connections.id', example: 'CT-1234-5678-9012', search: true },
  type: { type: 'text', column: 'connections.type', values: TYPES },
  status: { type: 'text', column: 'connections.status', values: STATUSES },
  'hub.id': { type: 'text', column: 'connections.hub_id', example: 'HB-1234-5678' },
  'hub.name': { type: 'text', column: 'hubs.name', ordering: true, search: true },
  'hub.instance.id': { type: 'text', column: 'hubs.instance_id' },
  product_version_type: { type: 'text', column: 'connections.product_version_type', values: VERSIONS },
  'product.id': { type: 'text', column: 'connections.product_id', example: 'PRD-123-456-789' },
  'provider.id': { type: 'text', column: 'connections.provider_id', example: 'PA-123-456' },
  'provider.name': { type: 'text', column: 'providers.name', search: true },
  'vendor.id': { type: 'text', column: 'connections.account_id', example: 'VA-123-456' },
  created_at: { type: 'timestamp', column: 'connections.created_at', aliases: ['created', 'events.created.at'], ordering: true },
})
