import type { FastifyPluginAsyncTypebox, TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { wakeWorker } from '../deliveries/wake.js'
import { newId } from '../ids.js'
import type { Intake } from '../orders/intake.js'
import { documented } from '../plugins/openapi.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { problem, ref } from '../plugins/schema.js'
import { textFetcher } from './fetch-text.js'
import { findPaymentEvent, paymentEventsOf } from './find-event.js'
import { findKept, type SourceEvent } from './keep-event.js'
import { receiveEvent } from './receive.js'
import { replayEvent } from './replay-event.js'
import { eventFieldsOfLists, PaymentEvent, paymentEventSchemas, Receipt, signedWebhook } from './schema.js'
import { sourceCache } from './source-cache.js'
import { isPing, keptStatus, verifyWebhook } from './verify-webhook.js'

const FETCH_MS_MAX = 4000 // a checkout waits five seconds for its answer, or little more
const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

export const paymentRoutes: FastifyPluginAsyncTypebox<{ intake: Intake }> = async (app, { intake }) => {
  for (const schema of paymentEventSchemas) app.addSchema(schema)
  const sourceOf = sourceCache(app.db, app.keyring)
  const doors = { db: app.db, intake }
  const fetchText = textFetcher({ timeout_ms: FETCH_MS_MAX, allowed_networks: app.config.webhook_allowed_networks })

  await app.register(async (scope) => {
    const raw = scope.withTypeProvider<TypeBoxTypeProvider>()
    // what was signed are bytes, whatever they say they are
    raw.removeAllContentTypeParsers()
    raw.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => body)

    raw.post('/payments/:id', {
      config: {
        public: true,
        swaggerTransform: ({ schema, url, route }) => ({ schema: documented({ ...schema, ...signedWebhook }, route), url }),
      },
      schema: {
        operationId: 'receivePayment',
        tags: ['payments'],
        summary: 'Take in a webhook of a checkout',
        description: 'Signed, as the kind of the payment source says; no API key: docs/checkouts has a page for each. For `standard-webhooks`: the headers webhook-id, webhook-timestamp and webhook-signature, and ' +
          'the body `{"type": "order.paid", "timestamp": "…", "data": <order as in POST /v1/orders>}`. A 2xx says that the event is durable. The same event again changes nothing. ' +
          'What cannot be processed is kept with its reason and answered 202, or 200 to a checkout that takes nothing else; sent again or replayed, it is tried again.',
        consumes: ['application/json'],
        params: IdParams,
        response: {
          200: { description: 'Processed', ...ref(Receipt) },
          202: { description: 'Kept, and not processed: see reason', ...ref(Receipt) },
          401: problem('signature-invalid'),
          404: problem('payment-source-not-found'),
        },
      },
    }, async (request, reply) => {
      const body = request.body instanceof Buffer ? request.body : Buffer.alloc(0)
      const source = await sourceOf(request.params.id)
      const webhook = { headers: request.headers, body, address: request.ip }
      if (isPing(source, webhook)) return reply.code(200).type('text/plain').send('' as never)
      const { context = {}, ...verified } = await verifyWebhook(source, webhook, fetchText)
      const event: SourceEvent = { id: newId('PE'), ...verified, context, body }
      const outcome = await receiveEvent(doors, source, event)
      wakeWorker()
      if (outcome.status === 'processed' && outcome.is_new) return reply.code(200).send({ id: event.id, status: 'processed', order_id: outcome.order_id, reason: null })
      const kept = await findKept(app.db, source, event.event_key)
      if (kept === undefined) throw new Error('an event that was taken in is not there')
      return reply.code(kept.status === 'processed' ? 200 : keptStatus(source)).send(kept)
    })
  })

  app.get('/payment-events', {
    config: { permission: 'payment-events:read' },
    schema: {
      operationId: 'listPaymentEvents',
      tags: ['payment-events'],
      summary: 'List payment events',
      description: 'The newest first. `status=failed` are those that wait for you, `status=waiting` those that wait for their order or for an answer of the checkout.',
      querystring: listQuerySchema(eventFieldsOfLists),
      response: { 200: listSchema(ref(PaymentEvent), 'The payment events'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    list(request, reply, { query: paymentEventsOf(app.db, request.account.id), fields: eventFieldsOfLists, defaultOrdering: '-received_at' }))

  app.get('/payment-events/:id', {
    config: { permission: 'payment-events:read' },
    schema: {
      operationId: 'getPaymentEvent',
      tags: ['payment-events'],
      summary: 'Read a payment event',
      params: IdParams,
      response: { 200: ref(PaymentEvent), 404: problem('payment-event-not-found') },
    },
  }, async ({ account, params }) => findPaymentEvent(app.db, account.id, params.id))

  app.post('/payment-events/:id/replay', {
    config: { permission: 'payment-events:replay' },
    schema: {
      operationId: 'replayPaymentEvent',
      tags: ['payment-events'],
      summary: 'Process a payment event again',
      description: 'After what it failed for was mended. Of one that is processed already, only lines that the pool\'s policy `fail` left unfulfilled are tried again.',
      params: IdParams,
      response: { 200: ref(PaymentEvent), 404: problem('payment-event-not-found'), 409: problem('payment-event-erased') },
    },
  }, async ({ account, params }) => {
    await replayEvent(doors, app.keyring, account.id, params.id)
    wakeWorker()
    return findPaymentEvent(app.db, account.id, params.id)
  })
}
