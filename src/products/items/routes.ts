import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { ownProductKeyOf, productKeyOf } from '../find.js'
import { findItem, itemBody, itemsOf } from './find.js'
import { ItemChange, itemFields, NewItem, ProductItem } from './schema.js'
import { createItem, deleteItem, updateItem } from './write.js'

const product_id = Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789'] })
const ProductParams = Type.Object({ product_id })
const ItemParams = Type.Object({ product_id, id: Type.String({ minLength: 1, maxLength: 100, examples: ['PRD-123-456-789-0001'] }) })
const notFound = problem('product-not-found', 'item-not-found')

export const itemRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(ProductItem)

  app.post('/products/:product_id/items', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'createItem',
      tags: ['items'],
      summary: 'Add an item to a product',
      headers: IdempotencyHeaders,
      params: ProductParams,
      body: NewItem,
      response: { 201: ref(ProductItem), 404: problem('product-not-found'), 409: problem('name-taken') },
    },
  }, async (request, reply) => {
    const { account, body, params } = request
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    const { id } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createItem(trx, key, body, account.key_id), status: 201 }))
    return reply.code(201).header('location', `/v1/products/${params.product_id}/items/${id}`).send(await findItem(app.db, key, id))
  })

  app.get('/products/:product_id/items', {
    config: { permission: 'products:read' },
    schema: {
      operationId: 'listItems',
      tags: ['items'],
      summary: 'List the items of a product',
      params: ProductParams,
      querystring: listQuerySchema(itemFields),
      response: { 200: listSchema(ref(ProductItem), 'The items'), 400: problem('query-invalid'), 404: problem('product-not-found') },
    },
  }, async (request, reply) => {
    const key = await productKeyOf(app.db, request.account, request.params.product_id)
    return (await list(request, reply, { query: itemsOf(app.db, key), fields: itemFields, defaultOrdering: 'position' })).map(itemBody)
  })

  app.get('/products/:product_id/items/:id', {
    config: { permission: 'products:read' },
    schema: { operationId: 'getItem', tags: ['items'], summary: 'Read an item', params: ItemParams, response: { 200: ref(ProductItem), 404: notFound } },
  }, async ({ account, params }) => findItem(app.db, await productKeyOf(app.db, account, params.product_id), params.id))

  app.put('/products/:product_id/items/:id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'updateItem',
      tags: ['items'],
      summary: 'Change an item',
      description: 'What is given replaces what was; the rest stays. Assets and requests show the item as it is now.',
      params: ItemParams,
      body: ItemChange,
      response: { 200: ref(ProductItem), 404: notFound, 409: problem('name-taken') },
    },
  }, async ({ account, params, body }) => {
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    await inTransaction(app.db, (trx) => updateItem(trx, key, { id: params.id, change: body }, account.key_id))
    return findItem(app.db, key, params.id)
  })

  app.delete('/products/:product_id/items/:id', {
    config: { permission: 'products:write' },
    schema: {
      operationId: 'deleteItem',
      tags: ['items'],
      summary: 'Delete an item',
      description: 'One that nobody ever asked for.',
      params: ItemParams,
      response: { 204: Type.Null({ description: 'It is gone' }), 404: notFound, 409: problem('item-in-use') },
    },
  }, async ({ account, params }, reply) => {
    const key = await ownProductKeyOf(app.db, account, params.product_id)
    await inTransaction(app.db, (trx) => deleteItem(trx, key, params.id, account.key_id))
    return reply.code(204).send(null)
  })
}
