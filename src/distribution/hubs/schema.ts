import { Type } from 'typebox'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, OneOf } from '../../plugins/schema.js'
import { description, Events, given, GivenInstance, Instance, name, named } from '../schema.js'

export const NewHub = Lenient({
  name,
  description: Type.Optional(description),
  instance: Type.Optional(GivenInstance),
  owner: Type.Optional(given('PA-123-456', 'Whose it is to be; only the operator names one')),
})

export const HubChange = Lenient({ name: Type.Optional(name), description: Type.Optional(description), instance: Type.Optional(GivenInstance) })

export const Hub = Type.Object({
  id: Type.String({ examples: ['HB-1234-5678'] }),
  name,
  description,
  company: named('PA-123-456'),
  instance: Instance,
  instance_id: Type.String(),
  instance_type: OneOf(['API', 'OA']),
  stats: Type.Object({ connections: Type.Integer(), marketplaces: Type.Integer() }, { description: 'How many of each the caller sees' }),
  events: Events,
}, { $id: 'Hub' })

export const hubFields = rqlFields({
  id: { type: 'text', column: 'hubs.id', example: 'HB-1234-5678', search: true },
  name: { type: 'text', column: 'hubs.name', example: 'Example', ordering: true, search: true },
  'company.id': { type: 'text', column: 'hubs.provider_id', aliases: ['owner.id'], example: 'PA-123-456' },
  'instance.id': { type: 'text', column: 'hubs.instance_id', aliases: ['instance_id'] },
  'instance.type': { type: 'text', column: 'hubs.instance_type', aliases: ['instance_type'], values: ['API', 'OA'] },
  created: { type: 'timestamp', column: 'hubs.created_at', aliases: ['events.created.at'], ordering: true },
})
