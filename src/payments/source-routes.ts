import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../database/transaction.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { deleteSource, renameSource } from './change-source.js'
import { createSource } from './create-source.js'
import { findSource, sourcesOf } from './find-source.js'
import { ChangedPaymentSource, NewPaymentSource, PaymentSource, paymentSourceSchemas, PaymentSourceWithSecret, sourceFieldsOfLists } from './schema.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

export const paymentSourceRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of paymentSourceSchemas) app.addSchema(schema)
  const withUrl = <T extends { id: string }> (source: T) => ({ ...source, url: `${app.config.public_url}/v1/payments/${source.id}` })

  app.post('/payment-sources', {
    config: { permission: 'payment-sources:write' },
    schema: {
      operationId: 'createPaymentSource',
      tags: ['payment-sources'],
      summary: 'Connect a checkout',
      description: 'Then have the checkout post its webhooks to `url`, signed with `secret`.',
      headers: IdempotencyHeaders,
      body: ref(NewPaymentSource),
      response: { 201: ref(PaymentSourceWithSecret) },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const { kind, name, mode = 'live', secret: given } = body
    const { id, secret = '' } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ ...await createSource(trx, app.keyring, { account_id: account.id, kind, name, mode, secret: given }, account.key_id), status: 201 }))
    return reply.code(201).header('location', `/v1/payment-sources/${id}`).header('cache-control', 'no-store')
      .send({ ...withUrl(await findSource(app.db, account.id, id)), secret })
  })

  app.get('/payment-sources', {
    config: { permission: 'payment-sources:read' },
    schema: {
      operationId: 'listPaymentSources',
      tags: ['payment-sources'],
      summary: 'List payment sources',
      querystring: listQuerySchema(sourceFieldsOfLists),
      response: { 200: listSchema(ref(PaymentSource), 'The payment sources'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    (await list(request, reply, { query: sourcesOf(app.db, request.account.id), fields: sourceFieldsOfLists, defaultOrdering: 'created_at' })).map(withUrl))

  app.get('/payment-sources/:id', {
    config: { permission: 'payment-sources:read' },
    schema: {
      operationId: 'getPaymentSource',
      tags: ['payment-sources'],
      summary: 'Read a payment source',
      params: IdParams,
      response: { 200: ref(PaymentSource), 404: problem('payment-source-not-found') },
    },
  }, async ({ account, params }) => withUrl(await findSource(app.db, account.id, params.id)))

  app.put('/payment-sources/:id', {
    config: { permission: 'payment-sources:write' },
    schema: {
      operationId: 'changePaymentSource',
      tags: ['payment-sources'],
      summary: 'Rename a payment source',
      params: IdParams,
      body: ref(ChangedPaymentSource),
      response: { 200: ref(PaymentSource), 404: problem('payment-source-not-found') },
    },
  }, async ({ account, params, body }) => {
    await inTransaction(app.db, (trx) => renameSource(trx, account.id, params.id, body.name, account.key_id))
    return withUrl(await findSource(app.db, account.id, params.id))
  })

  app.delete('/payment-sources/:id', {
    config: { permission: 'payment-sources:write' },
    schema: {
      operationId: 'deletePaymentSource',
      tags: ['payment-sources'],
      summary: 'Disconnect a checkout',
      description: 'Its webhooks are refused within a second. Its orders and events stay; an event of it can still be replayed.',
      params: IdParams,
      response: { 204: Type.Null({ description: 'It is gone' }), 404: problem('payment-source-not-found') },
    },
  }, async ({ account, params }, reply) => {
    await inTransaction(app.db, (trx) => deleteSource(trx, account.id, params.id, account.key_id))
    return reply.code(204).send(null)
  })
}
