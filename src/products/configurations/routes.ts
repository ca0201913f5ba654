import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type, type Static } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import type { Caller } from '../../plugins/authentication.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { problem, ref } from '../../plugins/schema.js'
import { ownProductKeyOf, productKeyOf } from '../find.js'
import { ProductParameter } from '../parameters/schema.js'
import { configurationBody, configurationsSeenBy } from './find.js'
import { configurationFields, ConfigurationValue, ConfigurationWrite, NewConfiguration } from './schema.js'
import { setConfiguration } from './set.js'

const product_id = Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789'] })
const ProductParams = Type.Object({ product_id })
const ValueParams = Type.Object({ product_id, parameter_id: Type.String({ minLength: 1, maxLength: 100, examples: ['PRM-123-456-789-0003'] }) })
const notFound = problem('product-not-found', 'parameter-not-found')
const description = 'Sets the value of a parameter of the configuration phase, or replaces it; of an item or marketplace where the scope of the parameter says so.'

export const configurationRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [ProductParameter, ConfigurationValue]) app.addSchema(schema)

  async function set (account: Caller, params: { product_id: string, parameter_id: string }, given: Static<typeof ConfigurationWrite>) {
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    const where = await inTransaction(app.db, (trx) => setConfiguration(trx, app.keyring, { key, parameter_id: params.parameter_id, given }, account.key_id))
    const row = await configurationsSeenBy(app.db, account, key).where('product_configurations.parameter_id', '=', where.parameter_id)
      .where('product_configurations.item_id', '=', where.item_id).where('product_configurations.marketplace_id', '=', where.marketplace_id).executeTakeFirstOrThrow()
    return configurationBody(row, app.keyring, true)
  }

  app.get('/products/:product_id/configurations', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'listConfigurations',
      tags: ['configurations'],
      summary: 'List what is set up for a product',
      description: 'A provider sees what is for no marketplace or for its own, with asterisks for secrets.',
      params: ProductParams,
      querystring: listQuerySchema(configurationFields),
      response: { 200: listSchema(ref(ConfigurationValue), 'The values'), 400: problem('query-invalid'), 404: problem('product-not-found') },
    },
  }, async (request, reply) => {
    const { account, params } = request
    const key = await productKeyOf(app.db, account, params.product_id)
    const query = configurationsSeenBy(app.db, account, key)
    const values = await list(request, reply, { query, fields: configurationFields, defaultOrdering: 'parameter.id' })
    return values.map((value) => configurationBody(value, app.keyring, key.account_id === account.id))
  })

  app.post('/products/:product_id/configurations', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'setConfiguration',
      tags: ['configurations'],
      summary: 'Set up a value',
      description,
      params: ProductParams,
      body: NewConfiguration,
      response: { 201: ref(ConfigurationValue), 404: notFound },
    },
  }, async ({ account, params, body }, reply) =>
    reply.code(201).send(await set(account, { ...params, parameter_id: body.parameter.id }, body)))

  app.put('/products/:product_id/configurations/:parameter_id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'replaceConfiguration',
      tags: ['configurations'],
      summary: 'Set up the value of a parameter',
      description,
      params: ValueParams,
      body: ConfigurationWrite,
      response: { 200: ref(ConfigurationValue), 404: notFound },
    },
  }, async ({ account, params, body }) => set(account, params, body))
}
