import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../database/transaction.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { changeSource, deleteSource } from './change-source.js'
import { createSource } from './create-source.js'
import { findSource, sourcesOf } from './find-source.js'
import { ChangedPaymentSource, NewPaymentSource, PaymentSource, paymentSourceSchemas, PaymentSourceWithSecret, sourceFieldsOfLists } from './schema.js'
import { checkSettings } from './settings.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

export const paymentSourceRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of paymentSourceSchemas) app.addSchema(schema)
  const callable = app.config.webhook_allowed_networks
  const shown = ({ options, ...source }: Awaited<ReturnType<typeof findSource>>) => {
    const { product_map = {}, api_url = null, tolerance_s = null, on_dispute = 'hold' as const, allowed_networks = [] } = options
    return { ...source, url: `${app.config.public_url}/v1/payments/${source.id}`, product_map, api_url, tolerance_s, on_dispute, allowed_networks }
  }

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
    const { kind, name, mode = 'live', secret: given, ...settings } = body
    checkSettings(kind, settings, callable)
    const { id, secret = '' } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ ...await createSource(trx, app.keyring, { account_id: account.id, kind, name, mode, secret: given, settings }, account.key_id), status: 201 }))
    return reply.code(201).header('location', `/v1/payment-sources/${id}`).header('cache-control', 'no-store')
      .send({ ...shown(await findSource(app.db, account.id, id)), secret })
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
    (await list(request, reply, { query: sourcesOf(app.db, request.account.id), fields: sourceFieldsOfLists, defaultOrdering: 'created_at' })).map(shown))

  app.get('/payment-sources/:id', {
    config: { permission: 'payment-sources:read' },
    schema: {
      operationId: 'getPaymentSource',
      tags: ['payment-sources'],
      summary: 'Read a payment source',
      params: IdParams,
      response: { 200: ref(PaymentSource), 404: problem('payment-source-not-found') },
    },
  }, async ({ account, params }) => shown(await findSource(app.db, account.id, params.id)))

  app.put('/payment-sources/:id', {
    config: { permission: 'payment-sources:write' },
    schema: {
      operationId: 'changePaymentSource',
      tags: ['payment-sources'],
      summary: 'Change a payment source',
      description: 'Effective within a second. Its kind and mode stay as they are; its secrets are resources of their own.',
      params: IdParams,
      body: ref(ChangedPaymentSource),
      response: { 200: ref(PaymentSource), 404: problem('payment-source-not-found') },
    },
  }, async ({ account, params, body }) => {
    const { name, ...settings } = body
    await inTransaction(app.db, (trx) =>
      changeSource(trx, app.keyring, { account_id: account.id, id: params.id }, { name, settings, actor: account.key_id, callable }))
    return shown(await findSource(app.db, account.id, params.id))
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
    await inTransaction(app.db, (trx) => deleteSource(trx, { account_id: account.id, id: params.id }, account.key_id))
    return reply.code(204).send(null)
  })
}
