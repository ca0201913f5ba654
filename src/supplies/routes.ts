import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../database/transaction.js'
import { wakeWorker } from '../deliveries/wake.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { ownProductKeyOf } from '../products/find.js'
import { findSupplies, findSupplyOrder, supplyOrdersOf } from './find.js'
import { retrySupplyOrder } from './retry.js'
import { NewSupplies, Supply, SupplyOrder, supplyOrderFields } from './schema.js'
import { writeSupplies } from './write.js'

const ProductParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789'] }) })
const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['SO-0199f3c2a7b41f0c9d8e7a6b5c4d'] }) })

export const supplyRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [NewSupplies, Supply, SupplyOrder]) app.addSchema(schema)
  const allowed_networks = app.config.webhook_allowed_networks

  app.get('/products/:id/supplies', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'listSupplies',
      tags: ['supplies'],
      summary: 'Read the supplies of a product',
      description: 'For its vendor. Where licenses come from when the pool is short, in the order in which they are asked.',
      params: ProductParams,
      response: { 200: Type.Array(ref(Supply)), 404: problem('product-not-found') },
    },
  }, async ({ account, params }) => findSupplies(app.db, await ownProductKeyOf(app.db, account, params.id)))

  app.put('/products/:id/supplies', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'replaceSupplies',
      tags: ['supplies'],
      summary: 'Set the supplies of a product',
      description: 'All of them, in the order in which they are asked when the pool of a line is short. Lines that wait are supplied anew; a call that is under way goes on. ' +
        'If the only one is `information`, orders of the product need no pool: the mail is all that they hand over.',
      params: ProductParams,
      body: ref(NewSupplies),
      response: { 200: Type.Array(ref(Supply)), 404: problem('product-not-found') },
    },
  }, async ({ account, params, body }) => {
    const product = await ownProductKeyOf(app.db, account, params.id)
    await inTransaction(app.db, (trx) => writeSupplies(trx, app.keyring, product, { supplies: body, actor: account.key_id, allowed_networks }))
    wakeWorker()
    return findSupplies(app.db, product)
  })

  app.get('/supply-orders', {
    config: { permission: 'supply-orders:read' },
    schema: {
      operationId: 'listSupplyOrders',
      tags: ['supplies'],
      summary: 'List supply orders',
      description: 'Demands for licenses to web services, the newest first. Those that need somebody are `status=given_up`.',
      querystring: listQuerySchema(supplyOrderFields),
      response: { 200: listSchema(ref(SupplyOrder), 'The supply orders'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    list(request, reply, { query: supplyOrdersOf(app.db, request.account.id), fields: supplyOrderFields, defaultOrdering: '-created_at' }))

  app.get('/supply-orders/:id', {
    config: { permission: 'supply-orders:read' },
    schema: {
      operationId: 'getSupplyOrder',
      tags: ['supplies'],
      summary: 'Read a supply order',
      params: IdParams,
      response: { 200: ref(SupplyOrder), 404: problem('supply-order-not-found') },
    },
  }, async ({ account, params }) => findSupplyOrder(app.db, account.id, params.id))

  app.post('/supply-orders/:id/retry', {
    config: { permission: 'supply-orders:retry' },
    schema: {
      operationId: 'retrySupplyOrder',
      tags: ['supplies'],
      summary: 'Call again',
      description: 'At once, and not when its time comes. One that was given up begins anew with the first supply that is called, under a new `Idempotency-Key`.',
      params: IdParams,
      headers: IdempotencyHeaders,
      response: { 200: ref(SupplyOrder), 404: problem('supply-order-not-found'), 409: problem('supply-order-closed') },
    },
  }, async (request) => {
    const { account, params: { id } } = request
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await retrySupplyOrder(trx, { account_id: account.id, id, actor: account.key_id })
      return { id, status: 200 }
    })
    wakeWorker()
    return findSupplyOrder(app.db, account.id, id)
  })
}
