import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { resendOrder } from '../deliveries/resend.js'
import { NewResend } from '../deliveries/schema.js'
import { wakeWorker } from '../deliveries/wake.js'
import { newId } from '../ids.js'
import { idempotencyKeyOf, once } from '../plugins/idempotency.js'
import { list, listQuerySchema, listSchema } from '../plugins/rql/index.js'
import { IdempotencyHeaders, Nullable, problem, ref } from '../plugins/schema.js'
import { Problem } from '../problems.js'
import { cancelOrder } from './cancel.js'
import { findOrder, ordersOf } from './find-order.js'
import type { Intake } from './intake.js'
import { assertNoRequest, refundOrder } from './refund.js'
import { NewCancellation, NewOrder, NewRefund, Order, orderFieldsOfLists, orderSchemas, OrderSummary } from './schema.js'
import { toPaidOrder } from './to-paid-order.js'

const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100 }) })

export const orderRoutes: FastifyPluginAsyncTypebox<{ intake: Intake }> = async (app, { intake }) => {
  for (const schema of orderSchemas) app.addSchema(schema)

  app.post('/orders', {
    config: { permission: 'orders:write' },
    schema: {
      operationId: 'placeOrder',
      tags: ['orders'],
      summary: 'Place a paid order',
      description: 'For a checkout backend that posts no webhook. The licenses are taken, saved in the order and mailed; the answer comes when that is durable, except the ' +
        'mail, which follows. The same order again (external_id, currency, mode, lines and quantities) answers 200 and changes nothing.',
      headers: IdempotencyHeaders,
      body: ref(NewOrder),
      response: {
        200: { description: 'The order was placed before', ...ref(Order) },
        201: { description: 'The order is placed', ...ref(Order) },
        404: problem('product-not-found'),
        409: problem('order-exists', 'pool-missing', 'out-of-stock'),
      },
    },
  }, async (request, reply) => {
    const { account, body } = request
    const mode = body.mode ?? 'live'
    const order = toPaidOrder(body, { source_id: `api-${mode}`, mode, paid_at: new Date().toISOString() })
    const idempotency = idempotencyKeyOf(request)
    const placed = await intake.place({ account_id: account.id, order_id: newId('OR'), order, actor: account.key_id, ...(idempotency === undefined ? {} : { idempotency }) })
    wakeWorker()
    return reply.code(placed.created ? 201 : 200).header('location', `/v1/orders/${placed.id}`).send(await findOrder(app.db, app.keyring, account.id, placed.id))
  })

  app.get('/orders', {
    config: { permission: 'orders:read' },
    schema: {
      operationId: 'listOrders',
      tags: ['orders'],
      summary: 'List orders',
      description: 'The newest first. Without lines: read one for those.',
      querystring: listQuerySchema(orderFieldsOfLists),
      response: { 200: listSchema(ref(OrderSummary), 'The orders'), 400: problem('query-invalid') },
    },
  }, async (request, reply) =>
    list(request, reply, { query: ordersOf(app.db, request.account.id), fields: orderFieldsOfLists, defaultOrdering: '-created_at' }))

  app.get('/orders/:id', {
    config: { permission: 'orders:read' },
    schema: {
      operationId: 'getOrder',
      tags: ['orders'],
      summary: 'Read an order',
      description: 'With its lines, the licenses of each (masked) and its mails.',
      params: IdParams,
      response: { 200: ref(Order), 404: problem('order-not-found') },
    },
  }, async ({ account, params }) => findOrder(app.db, app.keyring, account.id, params.id))

  app.post('/orders/:id/resend', {
    config: { permission: 'orders:resend' },
    schema: {
      operationId: 'resendOrder',
      tags: ['orders'],
      summary: 'Mail the licenses of an order again',
      description: 'One mail per product, with the licenses the order holds now, to its customer. Only while the order is paid, and five times an hour. ' +
        'With `to`, to a corrected address, from now on: that needs the permission `orders:redirect` too.',
      params: IdParams,
      headers: IdempotencyHeaders,
      body: Nullable(NewResend),
      response: {
        202: { description: 'The mails are planned; `deliveries` shows them', ...ref(Order) },
        404: problem('order-not-found'),
        409: problem('order-not-paid', 'customer-erased', 'nothing-to-send'),
        429: problem('resend-too-often'),
      },
    },
  }, async (request, reply) => {
    const { account, params, body } = request
    if (body?.to !== undefined && !account.permissions.includes('orders:redirect')) {
      throw new Problem('forbidden', { detail: 'the API key lacks the permission orders:redirect, which `to` needs', params: { permission: 'orders:redirect' } })
    }
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await resendOrder(trx, account.id, params.id, account.key_id, body ?? {})
      return { id: params.id, status: 202 }
    })
    wakeWorker()
    return reply.code(202).send(await findOrder(app.db, app.keyring, account.id, params.id))
  })

  app.post('/orders/:id/refund', {
    config: { permission: 'orders:refund' },
    schema: {
      operationId: 'refundOrder',
      tags: ['orders'],
      summary: 'Tell that an order was refunded',
      description: 'For what no checkout tells by webhook: a refund told by both counts twice. No money is moved. Licenses that nobody has seen return to stock and go to who waits ' +
        'longest; others are revoked. Without lines and amount: the whole order.',
      params: IdParams,
      headers: IdempotencyHeaders,
      body: ref(NewRefund),
      response: { 200: ref(Order), 404: problem('order-not-found'), 409: problem('order-not-paid', 'order-of-request') },
    },
  }, async (request) => {
    const { account, params, body } = request
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await refundOrder(trx, { account_id: account.id, order_id: params.id, actor: account.key_id, ...body })
      return { id: params.id, status: 200 }
    })
    wakeWorker()
    return findOrder(app.db, app.keyring, account.id, params.id)
  })

  app.post('/orders/:id/cancel', {
    config: { permission: 'orders:cancel' },
    schema: {
      operationId: 'cancelOrder',
      tags: ['orders'],
      summary: 'Cancel an order',
      description: 'It waits for nothing more, its licenses return to stock or are revoked, and its planned mails are not sent. A cancelled order stays as it is.',
      params: IdParams,
      headers: IdempotencyHeaders,
      body: ref(NewCancellation),
      response: { 200: ref(Order), 404: problem('order-not-found'), 409: problem('order-not-paid', 'order-of-request') },
    },
  }, async (request) => {
    const { account, params, body } = request
    await once(app.db, app.keyring, idempotencyKeyOf(request), async (trx) => {
      await assertNoRequest(trx, account.id, params.id)
      await cancelOrder(trx, { account_id: account.id, order_id: params.id, actor: account.key_id, ...body })
      return { id: params.id, status: 200 }
    })
    wakeWorker()
    return findOrder(app.db, app.keyring, account.id, params.id)
  })
}
