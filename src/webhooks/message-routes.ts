import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { wakeWorker } from '../deliveries/wake.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, problem, ref } from '../plugins/schema.js'
import { findMessage, messagesOf } from './find-message.js'
import { findWebhook } from './find.js'
import { replayMessage } from './replay.js'
import { messageFields, WebhookMessage, webhookMessageSchemas, WebhookMessageWithAttempts } from './schema.js'

const id = Type.String({ minLength: 1, maxLength: 100, examples: ['WH-123-456-789'] })
const message_id = Type.String({ minLength: 1, maxLength: 100, examples: ['WM-0199f3c2a7b41f0c9d8e7a6b5c4d'] })
const URL = '/notifications/webhooks/:id/messages'

export const webhookMessageRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of webhookMessageSchemas) app.addSchema(schema)
  /** The webhook, known to be the caller's. */
  const own = async (account_id: string, id: string): Promise<{ account_id: string, id: string }> => {
    await findWebhook(app.db, { account_id, id }, app.config.public_url)
    return { account_id, id }
  }

  app.get(URL, {
    config: { permission: 'webhooks:read' },
    schema: {
      operationId: 'listWebhookMessages',
      tags: ['webhooks'],
      summary: 'List what a webhook is told',
      description: 'The newest first. Kept 30 days.',
      params: Type.Object({ id }),
      querystring: listQuerySchema(messageFields),
      response: { 200: listSchema(ref(WebhookMessage), 'The messages'), 400: problem('query-invalid'), 404: problem('webhook-not-found') },
    },
  }, async (request, reply) => {
    const webhook = await own(request.account.id, request.params.id)
    return list(request, reply, { query: messagesOf(app.db, webhook), fields: messageFields, defaultOrdering: '-id' })
  })

  app.get(`${URL}/:message_id`, {
    config: { permission: 'webhooks:read' },
    schema: {
      operationId: 'getWebhookMessage',
      tags: ['webhooks'],
      summary: 'Read a message and every try',
      params: Type.Object({ id, message_id }),
      response: { 200: ref(WebhookMessageWithAttempts), 404: problem('webhook-not-found', 'webhook-message-not-found') },
    },
  }, async ({ account, params }) => findMessage(app.db, await own(account.id, params.id), params.message_id))

  app.post(`${URL}/:message_id/replay`, {
    config: { permission: 'webhooks:write' },
    schema: {
      operationId: 'replayWebhookMessage',
      tags: ['webhooks'],
      summary: 'Send a message again',
      description: 'Whatever became of it, under the same id.',
      params: Type.Object({ id, message_id }),
      headers: IdempotencyHeaders,
      response: { 200: ref(WebhookMessageWithAttempts), 404: problem('webhook-not-found', 'webhook-message-not-found'), 409: problem('webhook-not-sending') },
    },
  }, async (request) => {
    const { account, params } = request
    const webhook = { account_id: account.id, id: params.id }
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await replayMessage(trx, { ...webhook, actor: account.key_id }, params.message_id)
      return { id: params.message_id, status: 200 }
    })
    wakeWorker()
    return findMessage(app.db, webhook, params.message_id)
  })
}
