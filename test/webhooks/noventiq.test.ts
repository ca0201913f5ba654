import t from 'tap'
import { sql } from 'kysely'
import { noventiq } from '../../src/payments/noventiq.js'
import { noventiqSignature, type NoventiqBody } from '../../src/webhooks/noventiq.js'
import { testApp, type TestApp } from '../support/app.js'
import { receiver, status, type Received } from '../support/receiver.js'
import { until } from '../support/until.js'
import { makePool, makeProduct } from '../support/vendor.js'
import { WEBHOOKS, work } from './support.js'
import { CANARY, hookOf, order, shopOf } from './told-support.js'

const SECRET = 'secret key of the endpoint'

// Guarantee: the signature is the one of the example that Noventiq publishes (docs.noventiq.com/en-en/checkout/webhooks-examples).
t.test('the published example', (t) => {
  const published: NoventiqBody = {
    event: 'order.created',
    order_id: 5555555,
    create_date: '2021-08-13T09:16:35+03:00',
    currency: 'EUR',
    customer: { email: 'customer@gmail.com' },
    payment: { payment_method: 'CreditCard' },
  }
  t.equal(noventiqSignature('secret_key', published),
    '1d0e480e14922b2e330216b2d34b3b9998267067143cf9ef7caaf3637de0307f207b7c6b1cd94ece313366baa24014c488796eef3dabbe8e60e7d1e72c73918d')
  t.end()
})

/** The body of a call, genuine for whoever checks Noventiq's webhooks: our own door for them. */
function genuine (received: Received): NoventiqBody & Record<string, any> {
  noventiq.verify({ headers: received.headers, body: Buffer.from(received.body) }, [SECRET], { now: new Date(), tolerance_ms: 0, fetchText: () => Promise.reject(new Error('no call')) })
  return JSON.parse(received.body)
}

const heard = (calls: readonly Received[]): string[] => calls.map((received) => genuine(received)).map(({ event, document_part }) => `${event} ${String(document_part)}`).sort()

async function settled ({ db }: TestApp, count: number): Promise<void> {
  await until(`${count} messages to be sent`, async () => (await db.selectFrom('webhook_messages').select('id').where('status', '=', 'sent').execute()).length === count)
}

// Guarantee: a receiver that was written for Noventiq's webhooks reads ours: a call for each line, signed as there, with whole items returned. The customer is
// in the call only: not in what is kept of it, nor of an answer that repeats it, and not in a call after the customer was erased.
t.test('the webhooks of Noventiq', async (t) => {
  const it = await testApp(t)
  const shop = await shopOf(it, it.vendor, 'sku-told', 4)
  const second = await makeProduct(shop.call, 'sku-second')
  await makePool(shop.call, { product_ids: [second] }, ['second-000001', 'second-000002'])
  const hook = await receiver(t, (received, response) => { status(200, {}, received.body)(received, response) })
  const { id, signing_secret } = await hookOf(shop.call, hook.url, 'order', { type: 'noventiq', jwt_secret: SECRET, headers: { authorization: 'Bearer of mine' } })
  const chosen = await receiver(t)
  await hookOf(shop.call, chosen.url, 'order', { type: 'noventiq', jwt_secret: SECRET, event_types: ['product.returned'], product_id: second })
  t.equal(signing_secret, undefined)
  t.equal((await shop.call('GET', `${WEBHOOKS}/${id}`)).json().jwt_secret, '********')

  const line_items = [{ external_id: '1', product: 'sku-told', quantity: 2, unit_amount: 4900 }, { external_id: '2', product: 'sku-second', quantity: 1 }]
  const order_id = await order(shop, 'A-7', 'sku-told', 1, { line_items, locale: 'en_EN' })
  work(t, it, { SMTP_URL: '', DATA_DIR: t.testdir() })
  await settled(it, 6)
  t.strictSame(heard(hook.received), ['order.created', 'order.payment.succeeded', 'product.delivered'].flatMap((event) => [`${event} 1-of-2`, `${event} 2-of-2`]))
  const body = genuine(hook.received.find(({ body }) => body.includes('payment.succeeded') && body.includes('1-of-2')) as Received)
  const { event_date, create_date, pay_date, ...rest } = body
  t.match([event_date, create_date, pay_date], [/\+00:00$/, /\+00:00$/, /\+00:00$/])
  t.strictSame(rest, {
    ...{ event: 'order.payment.succeeded', order_id, order_name: order_id, status: 'paid', external_id: 'A-7', currency: 'EUR', locale: 'en_EN' },
    order_detail_url: `https://licenses.example.com/v1/orders/${order_id}`,
    customer: {
      ...{ country: '', type: 'juridical', email: `${CANARY}@example.com`, first_name: CANARY, last_name: CANARY, phone: '', vat_number: '' },
      ...{ company_name: CANARY, company_billing_address: '', company_delivery_address: '' },
    },
    product: { id: shop.product_id, vendor_code: '', sku: 'sku-told', business_segment: '', name: 'Product sku-told', price: '49.00', quantity: 2, amount: '98.00' },
    payment: { payment_method: 'api', payment_system_name: 'api' },
    document_part: '1-of-2',
  })
  t.match(hook.received[0], { headers: { authorization: 'Bearer of mine', 'content-type': 'application/json' } })

  await shop.call('POST', `/v1/orders/${order_id}/refund`, { lines: [{ external_id: '1', quantity: 1 }] })
  await shop.call('POST', `/v1/orders/${order_id}/refund`, { lines: [{ external_id: '2' }] })
  await settled(it, 8)
  t.strictSame(heard(hook.received.slice(6)), ['product.returned 2-of-2'], 'one of two units is no item: only a whole one is returned')
  await shop.call('POST', `/v1/orders/${order_id}/refund`, {})
  await settled(it, 9)
  t.match(genuine(hook.received.at(-1) as Received), { event: 'product.returned', status: 'deleted', document_part: '1-of-2' })
  t.strictSame(heard(chosen.received), ['product.returned 2-of-2'], 'what another chose')
  await shop.call('POST', `/v1/orders/${order_id}/resend`, {})

  const { rows: [kept] } = await sql<{ kept: string }>`
    select (select string_agg(m::text, '') from webhook_messages m) || (select string_agg(a::text, '') from webhook_attempts a) || (select string_agg(w::text, '') from webhooks w) as kept`.execute(it.db)
  t.match(kept?.kept, order_id)
  t.notMatch(kept?.kept, new RegExp(CANARY), 'nothing of the customer is kept')
  await it.db.updateTable('orders').set({ customer: '{}' }).where('id', '=', order_id).execute()
  const message = await it.db.selectFrom('webhook_messages').select('id').where('webhook_id', '=', id).where('event', '=', 'product.returned').limit(1).executeTakeFirstOrThrow()
  t.equal((await shop.call('POST', `${WEBHOOKS}/${id}/messages/${message.id}/replay`)).statusCode, 200)
  await until('the replay', () => hook.received.length === 9)
  t.match(genuine(hook.received.at(-1) as Received), { event: 'product.returned', customer: { email: '', last_name: '', type: 'physical' } })
  t.notMatch(hook.received.at(-1)?.body, new RegExp(CANARY))
  t.match((await shop.call('POST', `${WEBHOOKS}/${id}/trigger`)).json(), { status: 409, detail: /place one of mode test/ })
  t.match((await shop.call('POST', `${WEBHOOKS}/${id}/rotate-secret`)).json(), { status: 409 })
})
