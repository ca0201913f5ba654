import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import type { Fact, Verified } from '../../src/payments/checkout.js'
import { noventiq } from '../../src/payments/noventiq.js'
import { assertInvariants } from '../support/invariants.js'
import { makePool, makeProduct, stockOf } from '../support/vendor.js'
import type { Message } from '../support/webhooks.js'
import { bodyOf, stored } from './bodies.js'
import { matrix, orderOf, shopOf, type Payload, type Purchase, type Sender } from './matrix.js'
import { state } from './support.js'

type Json = Record<string, unknown>
interface Notice extends Json { event: string, order_id: number, create_date: string, currency: string, customer: Json, product: Json, payment: Json }
const PAID = bodyOf<Notice>('noventiq-order-payment-succeeded')

const notice = (fields: Json = {}, product: Json = {}): Notice => ({ ...PAID, ...fields, product: { ...PAID.product, ...product } })
const payload = (body: object): Payload => ({ body: JSON.stringify(body) })
const bought = ({ id, product, quantity, email }: Purchase, fields: Json = {}): Notice =>
  notice({ order_id: Number(id), customer: { ...PAID.customer, email }, ...fields }, { sku: product, quantity, amount: (49 * quantity).toFixed(2) })
const returned = { event: 'product.returned', event_date: '2026-11-23T10:00:00+03:00', status: 'deleted' }

/** As docs.noventiq.com has it: the secret and six fields, joined by semicolons. What is no JSON has none of them. */
function signatureOf (secret: string, body: string): string {
  const { event, order_id, create_date, payment, currency, customer } = JSON.parse(body.startsWith('{') ? body : '{"payment":{},"customer":{}}') as Notice
  return createHash('sha512').update([secret, event, order_id, create_date, payment['payment_method'], currency, customer['email']].join(';')).digest('hex')
}

const sender: Sender = {
  kind: 'noventiq',
  newSecret: () => randomBytes(16).toString('hex'),
  product: 'NVQ-PRO',
  unknown_product: 'NVQ-NOT-YET-MADE',
  signed_headers: ['signature'],
  is_partly_signed: true,
  is_timed: false,
  is_rotating: false,
  sign: ({ body }, [secret = '']): Message => ({ headers: ['content-type', 'application/json', 'signature', signatureOf(secret, String(body))], body: Buffer.from(body as string) }),
  paid: (purchase) => payload(bought(purchase)),
  refunded: (purchase) => payload(bought(purchase, returned)),
}
const purchase: Purchase = { id: '6123456', product: 'NVQ-PRO', quantity: 3, email: 'ada@example.com' }

t.test('the matrix', async (t) => { await matrix(t, sender) })

const verify = (body: string | object, signature: string, ...secrets: string[]): Verified =>
  noventiq.verify({ headers: { signature }, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }, secrets, {
    now: new Date(), tolerance_ms: 0, fetchText: () => Promise.reject(new Error('no call')),
  }) as Verified

// Guarantee: the example that Noventiq publishes is genuine here, with its secret and no other (docs.noventiq.com/en-en/checkout/webhooks-examples).
t.test('the published example', (t) => {
  const published = {
    event: 'order.created',
    event_date: '2021-08-13T09:16:35+03:00',
    order_id: 5555555,
    status: 'not paid',
    create_date: '2021-08-13T09:16:35+03:00',
    currency: 'EUR',
    customer: { country: 'FR', email: 'customer@gmail.com', first_name: 'Marcel', last_name: 'Laporte' },
    product: { id: '111111', quantity: 1 },
    payment: { payment_method: 'CreditCard' },
    document_part: '1-of-1',
  }
  const signature = '1d0e480e14922b2e330216b2d34b3b9998267067143cf9ef7caaf3637de0307f207b7c6b1cd94ece313366baa24014c488796eef3dabbe8e60e7d1e72c73918d'
  t.match(verify(published, signature, 'secret_key'), { event_key: /^[0-9a-f]{64}$/ })
  t.match(verify(published, signature.toUpperCase(), 'another_key', 'secret_key'), { event_key: String })
  t.throws(() => verify(published, signature, 'secret_kez'), /signature: holds no signature/)
  for (const change of [
    { event: 'order.payment.succeeded' }, { order_id: 5555556 }, { create_date: '2021-08-13T09:16:36+03:00' }, { currency: 'USD' },
    { customer: { email: 'customer@gmail.com.example.com' } }, { payment: { payment_method: 'Wire' } },
  ]) t.throws(() => verify({ ...published, ...change }, signature, 'secret_key'), /signature: /, Object.keys(change)[0] ?? '')
  t.throws(() => verify({ ...published, order_id: '5555555;2021-08-13T09:16:35+03:00', create_date: 'CreditCard', payment: { payment_method: 'EUR' }, currency: 'customer@gmail.com', customer: {} },
    signature, 'secret_key'), /semicolon/, 'the same text cut into other fields')
  t.end()
})

// Guarantee: an event is one product's part of one order; what is told of another product, part or order is another.
t.test('what makes an event', (t) => {
  const keyOf = (body: Notice): string => verify(body, signatureOf('secret-of-it', JSON.stringify(body)), 'secret-of-it').event_key
  t.equal(keyOf(PAID), keyOf({ ...PAID, order_detail_url: '' }))
  const others = [notice({ event: 'product.delivered' }), notice({ order_id: 1 }), notice({}, { id: '1' }), notice({ document_part: '1-of-2' })]
  t.equal(new Set([PAID, ...others].map(keyOf)).size, others.length + 1)
  t.end()
})

const translate = (body: object): Fact => [noventiq.translate(stored(body), {})].flat()[0] as Fact
const said = (fact: Fact): Json => 'order' in fact ? { kind: fact.kind, ...fact.order() } : 'change' in fact ? { kind: fact.kind, ...fact.change() } : { ...fact }

// Guarantee: each event means one thing here; what says too little is kept under its type, with a reason that names the field.
t.test('what it says', (t) => {
  t.match(translate(PAID), { type: 'order.payment.succeeded', occurred_at: '2026-11-22T09:15:04.000Z', mode: undefined })
  t.strictSame(said(translate(PAID)), {
    kind: 'paid',
    external_id: '6123456',
    currency: 'EUR',
    locale: 'en_EN',
    paid_at: '2026-11-22T09:15:02.000Z',
    is_partial: false,
    total_amount: 4900,
    customer: { email: 'ada@example.com', first_name: 'Ada', last_name: 'Lovelace', phone: '+442079460000', country: 'GB' },
    line_items: [{ external_id: '211111', product: ['NVQ-PRO', '0001', '211111'], quantity: 1, unit_amount: 4900 }],
  })
  t.match(said(translate(notice({ document_part: '2-of-3' }, { id: 5, sku: '', vendor_code: '' }))), { is_partial: true, total_amount: undefined, line_items: [{ external_id: '5', product: ['5'] }] })
  t.match(said(translate(notice(returned, { quantity: 3 }))), { kind: 'refunded', ref: '6123456', subject: '211111', amount: 4900, lines: [{ external_id: '211111', quantity: undefined }] })
  t.match(said(translate(notice({ event: 'order.payment.failed' }))), { kind: 'payment_failed', ref: '6123456' })
  for (const event of ['order.created', 'product.delivered', 'subscription.cancelled']) t.match(translate(notice({ event })), { kind: 'ignored', type: event })
  for (const [body, reason] of [
    [notice({ customer: {} }), /^customer\.email: is needed/], [notice({}, { quantity: 0 }), /^product\.quantity: /], [notice({}, { price: '1,00' }), /^product\.price: /],
  ] as const) t.throws(() => said(translate(body)), { message: reason })
  t.end()
})

// Guarantee: an order told product by product is one order with a line each, in any order; a return ends its line, and the last one the order.
t.test('an order of two products', async (t) => {
  const shop = await shopOf(t, sender)
  const other = await makePool(shop.call, { product_ids: [await makeProduct(shop.call, 'NVQ-ADD')] }, ['ADD-1', 'ADD-2'])
  const part = (number: number, more: Json = {}): Payload => payload(number === 1
    ? bought(purchase, { document_part: '1-of-2', ...more })
    : { ...bought({ ...purchase, product: 'NVQ-ADD', quantity: 1 }, { document_part: '2-of-2', ...more }), product: { ...PAID.product, id: '333', sku: 'NVQ-ADD' } })
  const answers = await Promise.all([part(2), part(1), part(2), part(1)].map(shop.send))
  t.strictSame([...new Set(answers.map((answer) => answer.status))], [200])
  t.equal(new Set(answers.map(({ json }) => json['order_id'])).size, 1)
  const order_id = answers[0]?.json['order_id']
  t.match(await orderOf(shop, order_id), { external_id: '6123456', fulfillment_status: 'fulfilled', line_items: { length: 2 } })
  t.match([await stockOf(shop.call, shop.pool_id), await stockOf(shop.call, other)], [{ allocated: 3 }, { allocated: 1 }])
  t.match(await shop.send(part(2, returned)), { status: 200 })
  t.match(await orderOf(shop, order_id), { status: 'partially_refunded' })
  t.match([await stockOf(shop.call, shop.pool_id), await stockOf(shop.call, other)], [{ allocated: 3 }, { allocated: 0 }])
  t.match(await shop.send(part(1, returned)), { status: 200 })
  t.match(await orderOf(shop, order_id), { status: 'refunded', refunded_amount: 4900 + 14700 })
  await assertInvariants(t, shop.db)
})

// Guarantee: where the vendor names the networks that Noventiq calls from, what comes from elsewhere is refused, however well it is signed.
t.test('allowed networks', async (t) => {
  const shop = await shopOf(t, sender, { allowed_networks: ['203.0.113.0/24'] })
  const before = await state(shop)
  t.match(await shop.send(sender.paid(purchase)), { status: 401, json: { detail: /allowed_networks/ } })
  t.equal(await state(shop), before)
  const here = await shopOf(t, sender, { allowed_networks: ['203.0.113.0/24', '127.0.0.0/8'] })
  t.match(await here.send(sender.paid(purchase)), { status: 200 })
})
