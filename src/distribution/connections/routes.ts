import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { findHub } from '../hubs/find.js'
import { IdParams } from '../schema.js'
import { vendorOnly } from '../shape.js'
import { createConnection } from './create.js'
import { deleteConnection } from './delete.js'
import { connectionBody, connectionsOfProduct, connectionsSeenBy, findConnectionOf } from './find.js'
import { Connection, ConnectionChange, connectionFields, ConnectionParams, NewConnection } from './schema.js'
import { updateConnection } from './update.js'

export const connectionRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(Connection)

  app.post('/products/:id/connections', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'createConnection',
      tags: ['distribution'],
      summary: 'Connect a product to a provider',
      description: 'By its vendor. From then on the provider sees the product and requests it.',
      params: IdParams,
      headers: IdempotencyHeaders,
      body: NewConnection,
      response: { 201: ref(Connection), 403: problem('forbidden'), 404: problem('product-not-found') },
    },
  }, async (request, reply) => {
    const { account, params, body: { type, provider, hub, product_version_type } } = request
    vendorOnly(account)
    const wanted = { account_id: account.id, product_id: params.id, type, provider_id: provider?.id, hub_id: hub?.id, product_version_type }
    const { id, status } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createConnection(trx, wanted, account.key_id), status: 201 }))
    return reply.code(status as 201).header('location', `/v1/products/${params.id}/connections/${id}`)
      .send(connectionBody(await findConnectionOf(app.db, account, params.id, id)))
  })

  app.get('/products/:id/connections', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'listConnections',
      tags: ['distribution'],
      summary: 'List the connections of a product',
      description: 'The vendor of the product sees all, a provider its own.',
      params: IdParams,
      querystring: listQuerySchema(connectionFields),
      response: { 200: listSchema(ref(Connection), 'The connections'), 400: problem('query-invalid'), 404: problem('product-not-found') },
    },
  }, async (request, reply) => {
    const query = await connectionsOfProduct(app.db, request.account, request.params.id)
    return (await list(request, reply, { query, fields: connectionFields, defaultOrdering: 'created_at' })).map(connectionBody)
  })

  app.get('/hubs/:id/connections', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'listConnectionsOfHub',
      tags: ['distribution'],
      summary: 'List the connections of a hub',
      description: 'A provider sees those of its hub, a vendor those of its products.',
      params: IdParams,
      querystring: listQuerySchema(connectionFields),
      response: { 200: listSchema(ref(Connection), 'The connections'), 400: problem('query-invalid'), 404: problem('hub-not-found') },
    },
  }, async (request, reply) => {
    const hub = await findHub(app.db, request.account, request.params.id)
    const query = connectionsSeenBy(app.db, request.account).where('connections.provider_id', '=', hub.provider_id).where('connections.hub_id', '=', hub.id)
    return (await list(request, reply, { query, fields: connectionFields, defaultOrdering: 'created_at' })).map(connectionBody)
  })

  app.get('/products/:id/connections/:connection_id', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'getConnection',
      tags: ['distribution'],
      summary: 'Read a connection',
      params: ConnectionParams,
      response: { 200: ref(Connection), 404: problem('connection-not-found', 'product-not-found') },
    },
  }, async ({ account, params: { id, connection_id } }) => connectionBody(await findConnectionOf(app.db, account, id, connection_id)))

  app.put('/products/:id/connections/:connection_id', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'updateConnection',
      tags: ['distribution'],
      summary: 'Change the state of a connection',
      description: 'By the vendor. Provider, hub and type stay what they were made with. Through a revoked one nothing new is bought.',
      params: ConnectionParams,
      body: ConnectionChange,
      response: { 200: ref(Connection), 404: problem('connection-not-found', 'product-not-found') },
    },
  }, async ({ account, params: { id: product_id, connection_id: id }, body: { status, product_version_type } }) => {
    vendorOnly(account)
    const wanted = { account_id: account.id, product_id, id, change: { status, product_version_type } }
    await inTransaction(app.db, (trx) => updateConnection(trx, wanted, account.key_id))
    return connectionBody(await findConnectionOf(app.db, account, product_id, id))
  })

  app.delete('/products/:id/connections/:connection_id', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'deleteConnection',
      tags: ['distribution'],
      summary: 'Delete a connection',
      description: 'By the vendor, and only one through which nothing was bought.',
      params: ConnectionParams,
      response: { 204: Type.Null({ description: 'It is deleted' }), 404: problem('connection-not-found'), 409: problem('in-use') },
    },
  }, async ({ account, params: { id: product_id, connection_id: id } }, reply) => {
    vendorOnly(account)
    await inTransaction(app.db, (trx) => deleteConnection(trx, { account_id: account.id, product_id, id }, account.key_id))
    return reply.code(204).send(null)
  })
}
