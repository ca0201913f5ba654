import type { FastifyPluginAsyncTypebox, TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { inTransaction } from '../database/transaction.js'
import { wakeWorker } from '../deliveries/wake.js'
import { newId } from '../ids.js'
import type { Intake } from '../orders/intake.js'
import { documented } from '../plugins/openapi.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { problem, ref } from '../plugins/schema.js'
import type { Checkout } from './checkout.js'
import { checkouts, type CheckoutKind } from './checkouts.js'
import { findPaymentEvent, findStoredEvent, paymentEventsOf } from './find-event.js'
import { findKept, keepEvent } from './keep-event.js'
import { receiveEvent, type SourceEvent } from './receive.js'
import { eventFieldsOfLists, PaymentEvent, paymentEventSchemas, Receipt, signedWebhook } from './schema.js'
import { sourceCache } from './source-cache.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

export const paymentRoutes: FastifyPluginAsyncTypebox<{ intake: Intake }> = async (app, { intake }) => {
  for (const schema of paymentEventSchemas) app.addSchema(schema)
  const sourceOf = sourceCache(app.db, app.keyring)

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
        description: 'Signed, as the kind of the payment source says; no API key. For `standard-webhooks`: the headers webhook-id, webhook-timestamp and webhook-signature, and ' +
          'the body `{"type": "order.paid", "timestamp": "…", "data": <order as in POST /v1/orders>}`. A 2xx says that the event is durable. The same event again changes nothing. ' +
          'What cannot be processed is kept with its reason and answered 202; sent again or replayed, it is tried again.',
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
      const checkout: Checkout = checkouts[source.kind]
      const checking = { now: new Date(), tolerance_ms: checkout.tolerance_ms ?? 0, fetchText: () => Promise.reject(new Error('not built')) }
      const verified = await checkout.verify({ headers: request.headers, body }, source.secrets, checking)
      const event: SourceEvent = { id: newId('PE'), ...verified, body }
      const outcome = await receiveEvent(intake, source, event)
      if (outcome.status !== 'processed') await inTransaction(app.db, (trx) => keepEvent(trx, source, event, outcome))
      wakeWorker()
      if (outcome.status === 'processed' && outcome.is_new) return reply.code(200).send({ id: event.id, status: 'processed', order_id: outcome.order_id, reason: null })
      const kept = await findKept(app.db, source, event.event_key)
      return reply.code(kept.status === 'processed' ? 200 : 202).send(kept)
    })
  })

  app.get('/payment-events', {
    config: { permission: 'payment-events:read' },
    schema: {
      operationId: 'listPaymentEvents',
      tags: ['payment-events'],
      summary: 'List payment events',
      description: 'The newest first. `status=failed` are those that wait for you.',
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
      response: { 200: ref(PaymentEvent), 404: problem('payment-event-not-found') },
    },
  }, async ({ account, params }) => {
    const { source_id, kind, mode, received_at, ...stored } = await findStoredEvent(app.db, account.id, params.id)
    const source = { account_id: account.id, id: source_id, kind: kind as CheckoutKind, mode: mode as 'live' | 'test' }
    const event: SourceEvent = { ...stored, sent_at: received_at }
    const outcome = await receiveEvent(intake, source, event, true)
    if (outcome.status !== 'processed') await inTransaction(app.db, (trx) => keepEvent(trx, source, event, outcome))
    wakeWorker()
    return findPaymentEvent(app.db, account.id, params.id)
  })
}
