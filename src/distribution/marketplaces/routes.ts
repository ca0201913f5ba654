import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { findHub } from '../hubs/find.js'
import { IdParams } from '../schema.js'
import { notForVendors, writingProvider } from '../shape.js'
import { createMarketplace } from './create.js'
import { deleteMarketplace } from './delete.js'
import { findMarketplace, marketplaceBody, marketplacesSeenBy } from './find.js'
import { Marketplace, MarketplaceChange, marketplaceFields, NewMarketplace } from './schema.js'
import { updateMarketplace } from './update.js'

export const marketplaceRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(Marketplace)

  app.post('/marketplaces', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'createMarketplace',
      tags: ['distribution'],
      summary: 'Make a marketplace',
      description: 'A place where a provider sells. By the provider, or by the operator, who names the provider as `owner`.',
      headers: IdempotencyHeaders,
      body: NewMarketplace,
      response: { 201: ref(Marketplace), 403: problem('forbidden') },
    },
  }, async (request, reply) => {
    const { account, body: { name, description, icon, hub, owner } } = request
    const provider_id = writingProvider(account, owner)
    const { id, status } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createMarketplace(trx, { provider_id, hub_id: hub.id, name, description, icon }, account.key_id), status: 201 }))
    return reply.code(status as 201).header('location', `/v1/marketplaces/${id}`).send(marketplaceBody(await findMarketplace(app.db, account, id)))
  })

  app.get('/marketplaces', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'listMarketplaces',
      tags: ['distribution'],
      summary: 'List marketplaces',
      description: 'A provider sees its own, a vendor those of the providers that it has a connection or a contract with, the operator all.',
      querystring: listQuerySchema(marketplaceFields),
      response: { 200: listSchema(ref(Marketplace), 'The marketplaces'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    (await list(request, reply, { query: marketplacesSeenBy(app.db, request.account), fields: marketplaceFields, defaultOrdering: 'created' })).map(marketplaceBody))

  app.get('/hubs/:id/marketplaces', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'listMarketplacesOfHub',
      tags: ['distribution'],
      summary: 'List the marketplaces that a hub serves',
      params: IdParams,
      querystring: listQuerySchema(marketplaceFields),
      response: { 200: listSchema(ref(Marketplace), 'The marketplaces'), 400: problem('query-invalid'), 404: problem('hub-not-found') },
    },
  }, async (request, reply) => {
    const hub = await findHub(app.db, request.account, request.params.id)
    const query = marketplacesSeenBy(app.db, request.account).where('marketplaces.provider_id', '=', hub.provider_id).where('marketplaces.hub_id', '=', hub.id)
    return (await list(request, reply, { query, fields: marketplaceFields, defaultOrdering: 'created' })).map(marketplaceBody)
  })

  app.get('/marketplaces/:id', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'getMarketplace',
      tags: ['distribution'],
      summary: 'Read a marketplace',
      params: IdParams,
      response: { 200: ref(Marketplace), 404: problem('marketplace-not-found') },
    },
  }, async ({ account, params }) => marketplaceBody(await findMarketplace(app.db, account, params.id)))

  app.put('/marketplaces/:id', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'updateMarketplace',
      tags: ['distribution'],
      summary: 'Change a marketplace',
      description: 'What is given replaces what was; the rest stays.',
      params: IdParams,
      body: MarketplaceChange,
      response: { 200: ref(Marketplace), 404: problem('marketplace-not-found') },
    },
  }, async ({ account, params: { id }, body: { name, description, icon, hub } }) => {
    notForVendors(account)
    await inTransaction(app.db, async (trx) => {
      const { provider_id } = await findMarketplace(trx, account, id)
      await updateMarketplace(trx, { provider_id, id, change: { name, description, icon, ...(hub && { hub_id: hub.id }) } }, account.key_id)
    })
    return marketplaceBody(await findMarketplace(app.db, account, id))
  })

  app.delete('/marketplaces/:id', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'deleteMarketplace',
      tags: ['distribution'],
      summary: 'Delete a marketplace',
      description: 'Only one that has no contracts and no purchases.',
      params: IdParams,
      response: { 204: Type.Null({ description: 'It is deleted' }), 404: problem('marketplace-not-found'), 409: problem('in-use') },
    },
  }, async ({ account, params }, reply) => {
    notForVendors(account)
    await inTransaction(app.db, async (trx) => deleteMarketplace(trx, await findMarketplace(trx, account, params.id), account.key_id))
    return reply.code(204).send(null)
  })
}
