import { sql } from 'kysely'
import { Type } from 'typebox'
import { SCOPES, VALUE_MAX } from '../../parameters/schema.js'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, Nullable, ref } from '../../plugins/schema.js'
import { ProductParameter } from '../parameters/schema.js'
import { Events, momentFields } from '../schema.js'

const id = Type.String({ minLength: 1, maxLength: 100 })
const Named = (example: string) => Type.Object({ id: Type.String({ examples: [example] }), name: Type.String() })

const members = {
  value: Type.Optional(Nullable(Type.String({ maxLength: VALUE_MAX, description: 'Empty or null clears it', examples: ['eu-west'] }))),
  structured_value: Type.Optional(Type.Unsafe<object | null>({ type: ['object', 'array', 'null'], description: 'Of checkbox, phone, address and object' })),
  item: Type.Optional(Nullable(Lenient({ id }, { description: 'Where the scope is item or item_marketplace' }))),
  marketplace: Type.Optional(Nullable(Lenient({ id }, { description: 'Where the scope is marketplace or item_marketplace' }))),
}
export const ConfigurationWrite = Lenient(members)
export const NewConfiguration = Lenient({ parameter: Lenient({ id }, { examples: [{ id: 'PRM-123-456-789-0003' }] }), ...members })

export const ConfigurationValue = Type.Object({
  value: Type.String({ description: 'A secret is shown to its vendor only, to others as asterisks' }),
  structured_value: Type.Optional(Type.Unsafe<unknown>({ type: ['object', 'array'], additionalProperties: true })),
  parameter: ref(ProductParameter),
  item: Type.Optional(Named('PRD-123-456-789-0001')),
  marketplace: Type.Optional(Named('MP-12345')),
  events: Events,
}, { $id: 'ConfigurationValue' })

export const configurationFields = rqlFields({
  id: { type: 'text', column: sql`concat_ws('/', product_configurations.parameter_id, product_configurations.item_id, product_configurations.marketplace_id)` },
  'parameter.id': { type: 'text', column: 'product_configurations.parameter_id', example: 'PRM-123-456-789-0003', ordering: true },
  'parameter.name': { type: 'text', column: 'product_parameters.name' },
  'parameter.title': { type: 'text', column: 'product_parameters.title' },
  'parameter.scope': { type: 'text', column: 'product_parameters.scope', values: SCOPES },
  'item.id': { type: 'text', column: 'product_configurations.item_id' },
  'marketplace.id': { type: 'text', column: 'product_configurations.marketplace_id' },
  ...momentFields('product_configurations'),
})
