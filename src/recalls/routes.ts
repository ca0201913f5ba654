import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { wakeWorker } from '../deliveries/wake.js'
import { findLicense } from '../licenses/find-license.js'
import { License } from '../licenses/schema.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { cancelRecall } from './cancel.js'
import { findRecall, itemsOf, recallsOf } from './find.js'
import { replaceLicense } from './replace.js'
import { revokeLicense } from './revoke.js'
import { BadLicense, IdParams, itemFields, NewRecall, Recall, recallFields, RecallItem, RecallProspect } from './schema.js'
import { foreseeRecall, startRecall } from './start.js'

/** What is done about licenses that were sold and turned out bad: one of them, or all of a batch. */
export const recallRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [License, Recall, RecallProspect, RecallItem]) app.addSchema(schema)
  await app.register(badLicenseRoutes)

  app.post('/batches/:id/recall', {
    config: { permission: 'batches:recall' },
    schema: {
      operationId: 'recallBatch',
      tags: ['batches'],
      summary: 'Recall a batch',
      description: 'Withdraws what is unsold of the batch, then revokes every license of it that an order holds, gives the order another of the pool and mails it, one mail per ' +
        'order and product. The worker does this; the answer comes at once, and `GET /v1/recalls/{id}` shows the progress. What the stock does not cover waits for it. A batch ' +
        'that is being recalled answers with the recall that runs.',
      params: IdParams,
      headers: IdempotencyHeaders,
      body: NewRecall,
      response: {
        200: { description: 'Of a dry run: what would happen', ...ref(RecallProspect) },
        202: { description: 'The recall has begun', ...ref(Recall) },
        404: problem('batch-not-found'),
      },
    },
  }, async (request, reply) => {
    const { account, params, body: { reason, dry_run = false } } = request
    if (dry_run) return foreseeRecall(app.db, account.id, params.id)
    const { id } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      const recall = await startRecall(trx, { account_id: account.id, batch_id: params.id, reason, actor: account.key_id })
      return { id: recall.id, status: 202 }
    })
    wakeWorker()
    return reply.code(202).header('location', `/v1/recalls/${id}`).send(await findRecall(app.db, account.id, id))
  })

  app.get('/recalls', {
    config: { permission: 'licenses:read' },
    schema: {
      operationId: 'listRecalls',
      tags: ['recalls'],
      summary: 'List recalls',
      description: 'The newest first.',
      querystring: listQuerySchema(recallFields),
      response: { 200: listSchema(ref(Recall), 'The recalls'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => list(request, reply, { query: recallsOf(app.db, request.account.id), fields: recallFields, defaultOrdering: '-id' }))

  app.get('/recalls/:id', {
    config: { permission: 'licenses:read' },
    schema: {
      operationId: 'getRecall',
      tags: ['recalls'],
      summary: 'Read a recall and how far it is',
      params: IdParams,
      response: { 200: ref(Recall), 404: problem('recall-not-found') },
    },
  }, async ({ account, params }) => findRecall(app.db, account.id, params.id))

  app.get('/recalls/:id/items', {
    config: { permission: 'licenses:read' },
    schema: {
      operationId: 'listRecallItems',
      tags: ['recalls'],
      summary: 'List what a recall did',
      description: 'One row for each license that it has looked at, in the order of their ids.',
      params: IdParams,
      querystring: listQuerySchema(itemFields),
      response: { 200: listSchema(ref(RecallItem), 'The licenses'), 400: problem('query-invalid'), 404: problem('recall-not-found') },
    },
  }, async (request, reply) => list(request, reply, {
    query: await itemsOf(app.db, request.account.id, request.params.id), fields: itemFields, defaultOrdering: 'id',
  }))

  app.post('/recalls/:id/cancel', {
    config: { permission: 'batches:recall' },
    schema: {
      operationId: 'cancelRecall',
      tags: ['recalls'],
      summary: 'Stop a recall',
      description: 'What it did stays done: what was withdrawn or revoked does not come back, and what waits for stock goes on waiting.',
      params: IdParams,
      headers: IdempotencyHeaders,
      response: { 200: ref(Recall), 404: problem('recall-not-found'), 409: problem('recall-over') },
    },
  }, async (request) => {
    const { account, params: { id } } = request
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await cancelRecall(trx, { account_id: account.id, recall_id: id, actor: account.key_id })
      return { id, status: 200 }
    })
    return findRecall(app.db, account.id, id)
  })
}

const badLicenseRoutes: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/licenses/:id/replace', {
    config: { permission: 'licenses:replace' },
    schema: {
      operationId: 'replaceLicense',
      tags: ['licenses'],
      summary: 'Replace a license that is bad',
      description: 'Revokes the license that an order holds, for good, gives the order the next one of the pool and mails it. Where a fulfillment request showed the license, it ' +
        'shows the new one. Without stock, or while somebody waits for it, nothing changes. The answer is the old license; `replaced_by` names the new one.',
      params: IdParams,
      headers: IdempotencyHeaders,
      body: BadLicense,
      response: { 200: ref(License), 404: problem('license-not-found'), 409: problem('license-not-allocated', 'order-not-paid', 'out-of-stock') },
    },
  }, async (request) => {
    const { account, params: { id }, body: { reason } } = request
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await replaceLicense(trx, { account_id: account.id, license_id: id, reason, actor: account.key_id })
      return { id, status: 200 }
    })
    wakeWorker()
    return findLicense(app.db, app.keyring, account.id, id)
  })

  app.post('/licenses/:id/revoke', {
    config: { permission: 'licenses:revoke' },
    schema: {
      operationId: 'revokeLicense',
      tags: ['licenses'],
      summary: 'Revoke a license that an order holds',
      description: 'For good, with nothing in its place: whatever is said of the order later, its slot stays closed. No money moves: a refund is a call of its own.',
      params: IdParams,
      headers: IdempotencyHeaders,
      body: BadLicense,
      response: { 200: ref(License), 404: problem('license-not-found'), 409: problem('license-not-allocated') },
    },
  }, async (request) => {
    const { account, params: { id }, body: { reason } } = request
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await revokeLicense(trx, { account_id: account.id, license_id: id, reason, actor: account.key_id })
      return { id, status: 200 }
    })
    wakeWorker()
    return findLicense(app.db, app.keyring, account.id, id)
  })
}
