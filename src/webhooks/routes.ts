import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../database/transaction.js'
import { wakeWorker } from '../deliveries/wake.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, Nullable, problem, ref } from '../plugins/schema.js'
import { createWebhook } from './create.js'
import { deleteWebhook } from './delete.js'
import { findWebhook, shownWebhook, webhooksOf } from './find.js'
import { oldSecretUntil, rotateSecret } from './rotate-secret.js'
import { ChangedWebhook, NewWebhook, RotatedSecret, Rotation, Webhook, webhookFields, webhookSchemas, WebhookWithSecret } from './schema.js'
import { triggerWebhook } from './trigger.js'
import { updateWebhook } from './update.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['WH-123-456-789'] }) })
const OVERLAP_HOURS = 24
const HOUR_MS = 3_600_000
const URL = '/notifications/webhooks'

export const webhookRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of webhookSchemas) app.addSchema(schema)
  const { public_url, webhook_allowed_networks } = app.config
  const settings = { keyring: app.keyring, allowed_networks: webhook_allowed_networks }
  const find = async (account_id: string, id: string) => findWebhook(app.db, { account_id, id }, public_url)

  app.post(URL, {
    config: { permission: 'webhooks:write' },
    schema: {
      operationId: 'createWebhook',
      tags: ['webhooks'],
      summary: 'Register a webhook',
      description: 'Of type `change`, the answer has the `signing_secret`, this once.',
      headers: IdempotencyHeaders,
      body: NewWebhook,
      response: { 201: ref(WebhookWithSecret), 404: problem('product-not-found'), 409: problem('too-many-webhooks') },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const { id, secret } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ ...await createWebhook(trx, settings, account, body), status: 201 }))
    return reply.code(201).header('location', `/v1${URL}/${id}`).header('cache-control', 'no-store')
      .send({ ...await find(account.id, id), ...(secret === undefined ? {} : { signing_secret: secret }) })
  })

  app.get(URL, {
    config: { permission: 'webhooks:read' },
    schema: {
      operationId: 'listWebhooks',
      tags: ['webhooks'],
      summary: 'List webhooks',
      querystring: listQuerySchema(webhookFields),
      response: { 200: listSchema(ref(Webhook), 'The webhooks'), 400: problem('query-invalid') },
    },
  }, async (request, reply) => {
    const rows = await list(request, reply, { query: webhooksOf(app.db, request.account.id), fields: webhookFields, defaultOrdering: 'created_at' })
    return rows.map((row) => shownWebhook(row, public_url))
  })

  app.get(`${URL}/:id`, {
    config: { permission: 'webhooks:read' },
    schema: {
      operationId: 'getWebhook',
      tags: ['webhooks'],
      summary: 'Read a webhook and its statistics',
      params: IdParams,
      response: { 200: ref(Webhook), 404: problem('webhook-not-found') },
    },
  }, async ({ account, params }) => find(account.id, params.id))

  app.put(`${URL}/:id`, {
    config: { permission: 'webhooks:write' },
    schema: {
      operationId: 'updateWebhook',
      tags: ['webhooks'],
      summary: 'Change a webhook',
      description: 'What is given replaces what was; the rest stays. The object as it was read can be sent back.',
      params: IdParams,
      body: ChangedWebhook,
      response: { 200: ref(Webhook), 404: problem('webhook-not-found') },
    },
  }, async ({ account, params, body }) => {
    await inTransaction(app.db, (trx) => updateWebhook(trx, settings, { account_id: account.id, id: params.id, actor: account.key_id }, body))
    if (body.active === true) wakeWorker()
    return find(account.id, params.id)
  })

  app.delete(`${URL}/:id`, {
    config: { permission: 'webhooks:write' },
    schema: {
      operationId: 'deleteWebhook',
      tags: ['webhooks'],
      summary: 'Delete a webhook',
      description: 'What is planned for it is not sent any more.',
      params: IdParams,
      response: { 204: Type.Null({ description: 'It is gone' }), 404: problem('webhook-not-found') },
    },
  }, async ({ account, params }, reply) => {
    await inTransaction(app.db, (trx) => deleteWebhook(trx, { account_id: account.id, id: params.id, actor: account.key_id }))
    return reply.code(204).send(null)
  })

  app.post(`${URL}/:id/trigger`, {
    config: { permission: 'webhooks:write' },
    schema: {
      operationId: 'triggerWebhook',
      tags: ['webhooks'],
      summary: 'Call a webhook now',
      description: 'A signal, or, of type `change`, a message `webhook.triggered`. It is sent by the worker: read the webhook or its messages to see how that went.',
      params: IdParams,
      headers: IdempotencyHeaders,
      response: { 200: ref(Webhook), 404: problem('webhook-not-found'), 409: problem('webhook-not-sending') },
    },
  }, async (request) => {
    const { account, params: { id } } = request
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await triggerWebhook(trx, { account_id: account.id, id, actor: account.key_id })
      return { id, status: 200 }
    })
    wakeWorker()
    return find(account.id, id)
  })

  app.post(`${URL}/:id/rotate-secret`, {
    config: { permission: 'webhooks:write' },
    schema: {
      operationId: 'rotateWebhookSecret',
      tags: ['webhooks'],
      summary: 'Give a webhook a new signing secret',
      description: 'Of type `change`. Until `old_until` every message has two signatures, of the new secret and the one before.',
      params: IdParams,
      headers: IdempotencyHeaders,
      body: Nullable(Rotation),
      response: { 200: ref(RotatedSecret), 404: problem('webhook-not-found'), 409: problem('webhook-not-signed') },
    },
  }, async (request, reply) => {
    const { account, params: { id }, body } = request
    const webhook = { account_id: account.id, id }
    const overlap_ms = (body?.overlap_hours ?? OVERLAP_HOURS) * HOUR_MS
    const { secret = '' } = await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) =>
      ({ id, status: 200, secret: await rotateSecret(trx, app.keyring, webhook, { overlap_ms, actor: account.key_id }) }))
    return reply.header('cache-control', 'no-store').send({ signing_secret: secret, old_until: await oldSecretUntil(app.db, webhook) ?? new Date() })
  })
}
