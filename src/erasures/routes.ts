import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { inTransaction } from '../database/transaction.js'
import { wakeWorker } from '../deliveries/wake.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { erasuresOf, findErasure } from './find.js'
import { readRetention, writeRetention } from './retention.js'
import { Erasure, erasureFields, erasureSchemas, IdParams, NewErasure, RetentionSettings } from './schema.js'
import { startErasure } from './start.js'

/** Personal data of customers: erased on request, and after a time. */
export const erasureRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of erasureSchemas) app.addSchema(schema)

  app.post('/erasures', {
    config: { permission: 'customers:erase' },
    schema: {
      operationId: 'eraseCustomer',
      tags: ['erasures'],
      summary: 'Erase the personal data of a customer',
      description: 'For good. Orders, lines, amounts, licenses and the audit trail stay; name, addresses and what checkouts and mail servers said are erased. The worker does this; the answer ' +
        'comes at once, and `GET /v1/erasures/{id}` shows the progress. A vendor erases customers of its orders, a provider its tier accounts with their purchases. What is paid and not ' +
        'delivered is refused, unless forced. One that runs for the same person answers with that one.',
      headers: IdempotencyHeaders,
      body: ref(NewErasure),
      response: {
        202: { description: 'The erasure has begun', ...ref(Erasure) },
        404: problem('order-not-found', 'tier-account-not-found'),
        409: problem('customer-served'),
      },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const { id } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await startErasure(trx, app.keyring, { account_id: account.id, type: account.type, asked: body, actor: account.key_id }), status: 202 }))
    wakeWorker()
    return reply.code(202).header('location', `/v1/erasures/${id}`).send(await findErasure(app.db, account.id, id))
  })

  app.get('/erasures', {
    config: { permission: 'erasures:read' },
    schema: {
      operationId: 'listErasures',
      tags: ['erasures'],
      summary: 'List erasures',
      description: 'The newest first.',
      querystring: listQuerySchema(erasureFields),
      response: { 200: listSchema(ref(Erasure), 'The erasures'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => list(request, reply, { query: erasuresOf(app.db, request.account.id), fields: erasureFields, defaultOrdering: '-id' }))

  app.get('/erasures/:id', {
    config: { permission: 'erasures:read' },
    schema: {
      operationId: 'getErasure',
      tags: ['erasures'],
      summary: 'Read an erasure and how far it is',
      params: IdParams,
      response: { 200: ref(Erasure), 404: problem('erasure-not-found') },
    },
  }, async ({ account, params }) => findErasure(app.db, account.id, params.id))

  app.get('/retention-settings', {
    config: { permission: 'erasures:read' },
    schema: {
      operationId: 'getRetentionSettings',
      tags: ['erasures'],
      summary: 'Read how long personal data is kept',
      response: { 200: ref(RetentionSettings) },
    },
  }, async ({ account }) => readRetention(app.db, account.id))

  app.put('/retention-settings', {
    config: { permission: 'customers:erase' },
    schema: {
      operationId: 'replaceRetentionSettings',
      tags: ['erasures'],
      summary: 'Set how long personal data is kept',
      description: 'Once a day the worker erases what is older. Orders that are not delivered, disputed, renewed or part of a live subscription are left, and so is what checkouts sent of them.',
      body: ref(RetentionSettings),
      response: { 200: ref(RetentionSettings) },
    },
  }, async ({ account, body }) => {
    await inTransaction(app.db, (trx) => writeRetention(trx, account.id, body, account.key_id))
    return readRetention(app.db, account.id)
  })
}
