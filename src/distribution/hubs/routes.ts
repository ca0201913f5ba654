import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../../database/transaction.js'
import { idempotencyKeyOf, once } from '../../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../../plugins/schema.js'
import { IdParams } from '../schema.js'
import { notForVendors, writingProvider } from '../shape.js'
import { createHub } from './create.js'
import { deleteHub } from './delete.js'
import { findHub, hubBody, hubsSeenBy } from './find.js'
import { Hub, HubChange, hubFields, NewHub } from './schema.js'
import { updateHub } from './update.js'

export const hubRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.addSchema(Hub)

  app.post('/hubs', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'createHub',
      tags: ['distribution'],
      summary: 'Make a hub',
      description: 'A system of a provider that sends requests. By the provider, or by the operator, who names the provider as `owner`.',
      headers: IdempotencyHeaders,
      body: NewHub,
      response: { 201: ref(Hub), 403: problem('forbidden') },
    },
  }, async (request, reply) => {
    const { account, body: { name, description, instance, owner } } = request
    const provider_id = writingProvider(account, owner)
    const { id, status } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createHub(trx, { provider_id, name, description, instance }, account.key_id), status: 201 }))
    return reply.code(status as 201).header('location', `/v1/hubs/${id}`).send(hubBody(await findHub(app.db, account, id)))
  })

  app.get('/hubs', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'listHubs',
      tags: ['distribution'],
      summary: 'List hubs',
      description: 'A provider sees its own, a vendor those of the providers that it has a connection or a contract with, the operator all.',
      querystring: listQuerySchema(hubFields),
      response: { 200: listSchema(ref(Hub), 'The hubs'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    (await list(request, reply, { query: hubsSeenBy(app.db, request.account), fields: hubFields, defaultOrdering: 'created' })).map(hubBody))

  app.get('/hubs/:id', {
    config: { permission: 'marketplaces:read' },
    schema: {
      operationId: 'getHub',
      tags: ['distribution'],
      summary: 'Read a hub',
      params: IdParams,
      response: { 200: ref(Hub), 404: problem('hub-not-found') },
    },
  }, async ({ account, params }) => hubBody(await findHub(app.db, account, params.id)))

  app.put('/hubs/:id', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'updateHub',
      tags: ['distribution'],
      summary: 'Change a hub',
      description: 'What is given replaces what was; the rest stays.',
      params: IdParams,
      body: HubChange,
      response: { 200: ref(Hub), 404: problem('hub-not-found') },
    },
  }, async ({ account, params: { id }, body: { name, description, instance } }) => {
    notForVendors(account)
    await inTransaction(app.db, async (trx) => {
      const { provider_id } = await findHub(trx, account, id)
      await updateHub(trx, { provider_id, id, change: { name, description, instance } }, account.key_id)
    })
    return hubBody(await findHub(app.db, account, id))
  })

  app.delete('/hubs/:id', {
    config: { permission: 'marketplaces:write' },
    schema: {
      operationId: 'deleteHub',
      tags: ['distribution'],
      summary: 'Delete a hub',
      description: 'Only one that has no marketplaces, connections or tier accounts.',
      params: IdParams,
      response: { 204: Type.Null({ description: 'It is deleted' }), 404: problem('hub-not-found'), 409: problem('in-use') },
    },
  }, async ({ account, params }, reply) => {
    notForVendors(account)
    await inTransaction(app.db, async (trx) => deleteHub(trx, await findHub(trx, account, params.id), account.key_id))
    return reply.code(204).send(null)
  })
}
