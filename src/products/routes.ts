import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../database/transaction.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { createProduct } from './create.js'
import { findProduct, productsOf } from './find.js'
import { NewProduct, Product, ProductChange, productFields } from './schema.js'
import { updateProduct } from './update.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789'] }) })

export const productRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(Product)

  app.post('/products', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'createProduct',
      tags: ['products'],
      summary: 'Make a product',
      headers: IdempotencyHeaders,
      body: NewProduct,
      response: { 201: ref(Product), 409: problem('external-id-taken') },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const { id, status } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createProduct(trx, account.id, body, account.key_id), status: 201 }))
    return reply.code(status as 201).header('location', `/v1/products/${id}`).send(await findProduct(app.db, account.id, id))
  })

  app.get('/products', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'listProducts',
      tags: ['products'],
      summary: 'List products',
      querystring: listQuerySchema(productFields),
      response: { 200: listSchema(ref(Product), 'The products'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    list(request, reply, { query: productsOf(app.db, request.account.id), fields: productFields, defaultOrdering: 'created_at' }))

  app.get('/products/:id', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'getProduct',
      tags: ['products'],
      summary: 'Read a product',
      params: IdParams,
      response: { 200: ref(Product), 404: problem('product-not-found') },
    },
  }, async ({ account, params }) => findProduct(app.db, account.id, params.id))

  app.put('/products/:id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'updateProduct',
      tags: ['products'],
      summary: 'Change a product',
      description: 'What is given replaces what was; the rest stays. Mails that are not sent yet get the new words.',
      params: IdParams,
      body: ProductChange,
      response: { 200: ref(Product), 404: problem('product-not-found'), 409: problem('external-id-taken') },
    },
  }, async ({ account, params, body }) => {
    await inTransaction(app.db, (trx) => updateProduct(trx, { account_id: account.id, id: params.id, change: body }, account.key_id))
    return findProduct(app.db, account.id, params.id)
  })
}
