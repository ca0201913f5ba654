import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../database/transaction.js'
import { wakeWorker } from '../deliveries/wake.js'
import { fillPool } from '../licenses/fill.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { createPool } from './create.js'
import { findPool, poolsOf } from './find.js'
import { explainRoute } from './route.js'
import { NewPool, Pool, PoolChange, poolFields, PoolWithStock, RouteAnswer, RouteQuery } from './schema.js'
import { updatePool } from './update.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['PL-0199f3c2a7b41f0c9d8e7a6b5c4d'] }) })

export const poolRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [Pool, PoolWithStock, RouteAnswer]) app.addSchema(schema)

  app.post('/pools', {
    config: { permission: 'pools:write' },
    schema: {
      operationId: 'createPool',
      tags: ['pools'],
      summary: 'Make a pool',
      description: 'For one product, several or all, in one currency or any. A line is served by the most specific pool that matches.',
      headers: IdempotencyHeaders,
      body: NewPool,
      response: { 201: ref(PoolWithStock), 404: problem('product-not-found'), 409: problem('pool-route-taken') },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const { id, status } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createPool(trx, account.id, body, account.key_id), status: 201 }))
    return reply.code(status as 201).header('location', `/v1/pools/${id}`).send(await findPool(app.db, account.id, id))
  })

  app.get('/pools', {
    config: { permission: 'pools:read' },
    schema: {
      operationId: 'listPools',
      tags: ['pools'],
      summary: 'List pools',
      description: 'Without their stock counts, which `GET /v1/pools/{id}` has.',
      querystring: listQuerySchema(poolFields),
      response: { 200: listSchema(ref(Pool), 'The pools'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => list(request, reply, { query: poolsOf(app.db, request.account.id), fields: poolFields, defaultOrdering: 'created_at' }))

  app.get('/pools/route', {
    config: { permission: 'pools:read' },
    schema: {
      operationId: 'explainPoolRoute',
      tags: ['pools'],
      summary: 'Ask which pool serves a line',
      description: 'Says from where an order line would be served, and why; changes nothing. The mode is `live` if left out.',
      querystring: RouteQuery,
      response: { 200: ref(RouteAnswer), 404: problem('product-not-found') },
    },
  }, async ({ account, query: { product, currency, mode = 'live' } }) => explainRoute(app.db, { account_id: account.id, product, currency, mode }))

  app.get('/pools/:id', {
    config: { permission: 'pools:read' },
    schema: {
      operationId: 'getPool',
      tags: ['pools'],
      summary: 'Read a pool with its stock',
      params: IdParams,
      response: { 200: ref(PoolWithStock), 404: problem('pool-not-found') },
    },
  }, async ({ account, params }) => findPool(app.db, account.id, params.id))

  app.put('/pools/:id', {
    config: { permission: 'pools:write' },
    schema: {
      operationId: 'updatePool',
      tags: ['pools'],
      summary: 'Change a pool',
      description: 'What is given replaces what was; the rest stays. Lines taken in before keep their pool and what they are owed; ' +
        'another `on_shortage`, `pick` or `min_remaining_days` counts at once for the lines that wait.',
      params: IdParams,
      body: PoolChange,
      response: { 200: ref(PoolWithStock), 404: problem('pool-not-found', 'product-not-found'), 409: problem('pool-route-taken') },
    },
  }, async ({ account, params: { id }, body }) => {
    const { allocated } = await inTransaction(app.db, async (trx) => {
      const { policy_changed } = await updatePool(trx, { account_id: account.id, id, change: body }, account.key_id)
      return policy_changed ? fillPool(trx, account.id, id) : { allocated: 0 }
    })
    if (allocated > 0) wakeWorker()
    return findPool(app.db, account.id, id)
  })
}
