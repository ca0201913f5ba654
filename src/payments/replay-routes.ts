import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { wakeWorker } from '../deliveries/wake.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { findSource } from './find-source.js'
import { reconcile } from './reconcile.js'
import { createReplay, findReplay, replaysOf } from './replays.js'
import { NewReplay, Reconciled, Reconciliation, reconciliationSchemas, Replay, replayFieldsOfLists, replaySchemas } from './schema.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

export const paymentReplayRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [...replaySchemas, ...reconciliationSchemas]) app.addSchema(schema)

  app.post('/payment-events/replay', {
    config: { permission: 'payment-events:replay' },
    schema: {
      operationId: 'replayPaymentEvents',
      tags: ['payment-events'],
      summary: 'Process the payment events of a range again',
      description: 'In the order they were received, by the worker; GET the answer again for its progress. Harmless for what is processed already. It goes on after a crash where it was.',
      headers: IdempotencyHeaders,
      body: ref(NewReplay),
      response: { 202: ref(Replay), 404: problem('payment-source-not-found') },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const { id } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id: await createReplay(trx, account.id, body, account.key_id), status: 202 }))
    wakeWorker()
    return reply.code(202).header('location', `/v1/payment-replays/${id}`).send(await findReplay(app.db, account.id, id))
  })

  app.get('/payment-replays', {
    config: { permission: 'payment-events:read' },
    schema: {
      operationId: 'listPaymentReplays',
      tags: ['payment-events'],
      summary: 'List replays of ranges',
      querystring: listQuerySchema(replayFieldsOfLists),
      response: { 200: listSchema(ref(Replay), 'The replays'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    list(request, reply, { query: replaysOf(app.db, request.account.id), fields: replayFieldsOfLists, defaultOrdering: '-created_at' }))

  app.get('/payment-replays/:id', {
    config: { permission: 'payment-events:read' },
    schema: {
      operationId: 'getPaymentReplay',
      tags: ['payment-events'],
      summary: 'Read how far a replay is',
      params: IdParams,
      response: { 200: ref(Replay), 404: problem('payment-replay-not-found') },
    },
  }, async ({ account, params }) => findReplay(app.db, account.id, params.id))

  app.post('/payment-sources/:id/reconcile', {
    config: { permission: 'payment-events:read' },
    schema: {
      operationId: 'reconcilePaymentSource',
      tags: ['payment-sources'],
      summary: 'Compare the orders of a checkout with those here',
      description: 'For checkouts that never send a webhook again. Changes nothing. Up to 10,000 ids a call.',
      params: IdParams,
      body: ref(Reconciliation),
      response: { 200: ref(Reconciled), 404: problem('payment-source-not-found') },
    },
  }, async ({ account, params, body }) => {
    await findSource(app.db, account.id, params.id)
    return reconcile(app.db, { account_id: account.id, id: params.id }, body)
  })
}
