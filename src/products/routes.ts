import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../database/transaction.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { Problem } from '../problems.js'
import { createProduct } from './create.js'
import { deleteProduct } from './delete.js'
import { findProduct, productBody, productsSeenBy } from './find.js'
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
      description: 'For vendors. It has templates for fulfillment and inquiry, and is its own first version.',
      headers: IdempotencyHeaders,
      body: NewProduct,
      response: { 201: ref(Product), 409: problem('external-id-taken') },
    },
  }, async (request, reply) => {
    const { account, body } = request
    if (account.type !== 'vendor') throw new Problem('forbidden', 'only vendors make products')
    const { id, status } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createProduct(trx, account.id, body, account.key_id), status: 201 }))
    return reply.code(status as 201).header('location', `/v1/products/${id}`).send(await findProduct(app.db, account, id))
  })

  app.get('/products', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'listProducts',
      tags: ['products'],
      summary: 'List products',
      description: 'A vendor sees its own, a provider those that it is connected to.',
      querystring: listQuerySchema(productFields),
      response: { 200: listSchema(ref(Product), 'The products'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => {
    const { account } = request
    const products = await list(request, reply, { query: productsSeenBy(app.db, account), fields: productFields, defaultOrdering: 'created_at' })
    return products.map((product) => productBody(product, account))
  })

  app.get('/products/:id', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'getProduct',
      tags: ['products'],
      summary: 'Read a product',
      params: IdParams,
      response: { 200: ref(Product), 404: problem('product-not-found') },
    },
  }, async ({ account, params }) => findProduct(app.db, account, params.id))

  app.put('/products/:id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'updateProduct',
      tags: ['products'],
      summary: 'Change a product',
      description: 'What is given replaces what was; the rest stays. Mails that were not tried yet get the new words.',
      params: IdParams,
      body: ProductChange,
      response: { 200: ref(Product), 404: problem('product-not-found'), 409: problem('external-id-taken') },
    },
  }, async ({ account, params, body }) => {
    await inTransaction(app.db, (trx) => updateProduct(trx, { account_id: account.id, id: params.id, change: body }, account.key_id))
    return findProduct(app.db, account, params.id)
  })

  app.delete('/products/:id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'deleteProduct',
      tags: ['products'],
      summary: 'Delete a product',
      description: 'One that nothing was made with, and all below it.',
      params: IdParams,
      response: { 204: Type.Null({ description: 'It is gone' }), 404: problem('product-not-found'), 409: problem('product-in-use') },
    },
  }, async ({ account, params }, reply) => {
    await inTransaction(app.db, (trx) => deleteProduct(trx, account.id, params.id, account.key_id))
    return reply.code(204).send(null)
  })
}
