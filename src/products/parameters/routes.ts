import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { ownProductKeyOf, productKeyOf } from '../find.js'
import { findParameter, parameterBody, parametersOf } from './find.js'
import { ParameterChange, parameterFields, NewParameter, ProductParameter } from './schema.js'
import { createParameter, deleteParameter, updateParameter } from './write.js'

const product_id = Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789'] })
const ProductParams = Type.Object({ product_id })
const ParameterParams = Type.Object({ product_id, id: Type.String({ minLength: 1, maxLength: 100, examples: ['PRM-123-456-789-0001'] }) })
const notFound = problem('product-not-found', 'parameter-not-found')

export const parameterRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(ProductParameter)

  app.post('/products/:product_id/parameters', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'createParameter',
      tags: ['product-parameters'],
      summary: 'Add a parameter to a product',
      description: 'A fulfillment parameter with `pool_id` is filled from that pool by itself, in purchases over a test connection from `test_pool_id`.',
      headers: IdempotencyHeaders,
      params: ProductParams,
      body: NewParameter,
      response: { 201: ref(ProductParameter), 404: problem('product-not-found'), 409: problem('name-taken') },
    },
  }, async (request, reply) => {
    const { account, body, params } = request
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    const { id } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createParameter(trx, key, body, account.key_id), status: 201 }))
    return reply.code(201).header('location', `/v1/products/${params.product_id}/parameters/${id}`).send(await findParameter(app.db, key, id, true))
  })

  app.get('/products/:product_id/parameters', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'listParameters',
      tags: ['product-parameters'],
      summary: 'List the parameters of a product',
      params: ProductParams,
      querystring: listQuerySchema(parameterFields),
      response: { 200: listSchema(ref(ProductParameter), 'The parameters'), 400: problem('query-invalid'), 404: problem('product-not-found') },
    },
  }, async (request, reply) => {
    const { account, params } = request
    const key = await productKeyOf(app.db, account, params.product_id)
    const parameters = await list(request, reply, { query: parametersOf(app.db, key), fields: parameterFields, defaultOrdering: 'position' })
    return parameters.map((parameter) => parameterBody(parameter, key.account_id === account.id))
  })

  app.get('/products/:product_id/parameters/:id', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'getParameter',
      tags: ['product-parameters'],
      summary: 'Read a parameter',
      params: ParameterParams,
      response: { 200: ref(ProductParameter), 404: notFound },
    },
  }, async ({ account, params }) => {
    const key = await productKeyOf(app.db, account, params.product_id)
    return findParameter(app.db, key, params.id, key.account_id === account.id)
  })

  app.put('/products/:product_id/parameters/:id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'updateParameter',
      tags: ['product-parameters'],
      summary: 'Change a parameter',
      description: 'What is given replaces what was; the constraints are replaced as a whole; the rest stays. Name, type, scope, phase and secrecy cannot change once there are values.',
      params: ParameterParams,
      body: ParameterChange,
      response: { 200: ref(ProductParameter), 404: notFound, 409: problem('name-taken', 'parameter-in-use') },
    },
  }, async ({ account, params, body }) => {
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    await inTransaction(app.db, (trx) => updateParameter(trx, key, { id: params.id, change: body }, account.key_id))
    return findParameter(app.db, key, params.id, true)
  })

  app.delete('/products/:product_id/parameters/:id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'deleteParameter',
      tags: ['product-parameters'],
      summary: 'Delete a parameter',
      description: 'One that no request, asset or tier configuration has a value of.',
      params: ParameterParams,
      response: { 204: Type.Null({ description: 'It is gone' }), 404: notFound, 409: problem('parameter-in-use') },
    },
  }, async ({ account, params }, reply) => {
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    await inTransaction(app.db, (trx) => deleteParameter(trx, key, params.id, account.key_id))
    return reply.code(204).send(null)
  })
}
