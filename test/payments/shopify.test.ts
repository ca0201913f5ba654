import { shopifyApi, ApiVersion } from '@shopify/shopify-api'
import '@shopify/shopify-api/adapters/node'
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import type { Fact } from '../../src/payments/checkout.js'
import { shopify } from '../../src/payments/shopify.js'
import { assertInvariants } from '../support/invariants.js'
import { until } from '../support/until.js'
import { stockOf } from '../support/vendor.js'
import type { Message } from '../support/webhooks.js'
import { bodyOf } from './bodies.js'
import { matrix, orderOf, shopOf, type Payload, type Purchase, type Sender } from './matrix.js'

type Json = Record<string, unknown>
const LINE = 14532109721937 // the id of the line in the files
const ORDER = bodyOf<Json & { line_items: Json[] }>('shopify-orders-paid')
const REFUND = bodyOf<Json & { refund_line_items: Json[], transactions: Json[] }>('shopify-refunds-create')

interface Sending { event_id?: string, at?: string }
const payload = (topic: string, body: object, { event_id = randomUUID(), at = '2026-11-22T10:00:00Z' }: Sending = {}): Payload => ({
  body: JSON.stringify(body),
  headers: [
    'x-shopify-topic', topic, 'x-shopify-event-id', event_id, 'x-shopify-webhook-id', randomUUID(), 'x-shopify-triggered-at', at,
    'x-shopify-shop-domain', 'harbour.myshopify.com', 'x-shopify-api-version', '2026-10',
  ],
})

/** An order of one line. The unit costs 49.00, with tax 58.31. */
function order ({ id, product, quantity, email }: Purchase, fields: Json = {}, line: Json = {}): Json {
  const total_price = (58.31 * quantity).toFixed(2)
  const line_items = [{ ...ORDER.line_items[0], sku: product, quantity, current_quantity: quantity, ...line }]
  return { ...ORDER, id: Number(id), email, total_price, line_items, ...fields }
}

function refund ({ id, quantity }: Pick<Purchase, 'id' | 'quantity'>, fields: Json = {}): Json {
  const amount = (58.31 * quantity).toFixed(2)
  return {
    ...REFUND,
    id: Number(id) + 500_000,
    order_id: Number(id),
    refund_line_items: [{ ...REFUND.refund_line_items[0], quantity }],
    transactions: [{ ...REFUND.transactions[0], amount }],
    ...fields,
  }
}

const sender: Sender = {
  kind: 'shopify',
  newSecret: () => `shpss_${randomBytes(16).toString('hex')}`,
  product: 'SHOP-PRO',
  unknown_product: 'SHOP-NOT-YET-MADE',
  signed_headers: ['x-shopify-hmac-sha256'],
  is_timed: false,
  is_rotating: false,
  sign ({ body, headers = [] }, [secret = '']): Message {
    const signature = createHmac('sha256', secret).update(body).digest('base64')
    return { headers: ['content-type', 'application/json', ...headers, 'x-shopify-hmac-sha256', signature], body: Buffer.from(body as string) }
  },
  paid: (purchase) => payload('orders/paid', order(purchase)),
  refunded: (purchase) => payload('refunds/create', refund(purchase)),
}
const purchase: Purchase = { id: '9001', product: 'SHOP-PRO', quantity: 3, email: 'ada@example.com' }

t.test('the matrix', async (t) => { await matrix(t, sender) })

// Guarantee: what Shopify's own library takes for genuine is taken here, and what it refuses is refused, in both families of headers.
t.test('beside Shopify\'s library', async (t) => {
  const secret = sender.newSecret()
  const api = shopifyApi({ apiKey: 'key', apiSecretKey: secret, apiVersion: ApiVersion.October25, hostName: 'localhost', isEmbeddedApp: false })
  const { body, headers } = sender.sign(sender.paid(purchase), [secret], new Date())
  const webhooks = Object.fromEntries(headers.flatMap((name, i) => i % 2 === 0 ? [[name, headers[i + 1] ?? '']] : []))
  const events = Object.fromEntries(Object.entries(webhooks).map(([name, value]) => [name.replace(/^x-/, ''), value]))
  const checking = { now: new Date(), tolerance_ms: 0, fetchText: () => Promise.reject(new Error('no call')) }
  for (const [name, given] of Object.entries({ webhooks, events })) {
    const isTheirs = async (rawBody: string): Promise<boolean> => {
      const rawRequest = { method: 'POST', url: '/', headers: given }
      return (await api.webhooks.validate({ rawBody, rawRequest, rawResponse: {} } as never)).valid
    }
    t.equal(await isTheirs(body.toString()), true, name)
    t.match(await shopify.verify({ headers: given, body }, [sender.newSecret(), secret], checking), { event_key: /\/orders\/paid\/9001$/, context: { topic: 'orders/paid' } }, `${name}, with the second secret`)
    t.equal(await isTheirs(`${body.toString()} `), false)
    t.throws(() => shopify.verify({ headers: given, body: Buffer.concat([body, Buffer.from(' ')]) }, [secret], checking), /hmac-sha256: holds no signature/)
  }
})

const translate = (topic: string, body: object): Fact[] =>
  [shopify.translate({ body: Buffer.from(JSON.stringify(body)), sent_at: new Date('2026-11-22T10:00:00Z'), context: { topic } }, {})].flat()
const said = (fact: Fact | undefined): Json => fact === undefined ? {} : 'order' in fact ? { kind: fact.kind, ...fact.order() } : 'change' in fact ? { kind: fact.kind, ...fact.change() } : { ...fact }

// Guarantee: an order is read whole, in the engine's words.
t.test('an order', (t) => {
  const notes = [{ name: 'latchkey_parent', value: '5000' }, { name: 'latchkey_hold', value: 'HO-1' }, { name: 'latchkey_same_as', value: 'PS-1/A/1' }, { name: 'gift', value: null }]
  const [fact, ...others] = translate('orders/paid', { ...ORDER, note_attributes: notes })
  t.strictSame(others, [])
  t.match(fact, { type: 'orders/paid', occurred_at: '2026-11-22T10:00:00.000Z', mode: 'live' })
  t.strictSame(said(fact), {
    kind: 'paid',
    external_id: '5621094318353',
    currency: 'EUR',
    locale: 'de-DE',
    total_amount: 5831,
    hold_id: 'HO-1',
    parent: '5000',
    same_as: { source_id: 'PS-1', external_id: 'A/1' },
    customer: {
      email: 'ada@example.com',
      first_name: 'Ada',
      last_name: 'Lovelace',
      company: 'Analytical Engines Ltd',
      phone: '+44 20 7946 0000',
      country: 'GB',
      city: 'London',
      zip: 'EC1A 1BB',
      address: '12 Example Street',
    },
    line_items: [{ external_id: String(LINE), product: ['SHOP-PRO', '46543210988817', '8654321098833'], quantity: 1, unit_amount: 4900 }],
  })
  t.match(said(translate('orders/paid', { ...ORDER, email: '', customer: null, billing_address: null, customer_locale: 'x' })[0]),
    { customer: { email: 'ada@example.com' }, locale: undefined }, 'the least of it: an address in contact_email')
  t.equal(translate('orders/paid', { ...ORDER, test: true })[0]?.mode, 'test')
  t.match(said(translate('orders/paid', order({ ...purchase, quantity: 1 }, { currency: 'JPY', total_price: '5831' }, { price: '4900' }))[0]), { total_amount: 5831, line_items: [{ unit_amount: 4900 }] })
  t.end()
})

// Guarantee: what was taken out of the order before it was paid gets no license; what was refunded is counted once, whether
// the order or the refund tells of it.
t.test('lines with units left', (t) => {
  const refunds = [{ ...refund({ id: '9001', quantity: 1 }) }]
  const facts = translate('orders/paid', order(purchase, { refunds }, { current_quantity: 1 }))
  t.match(facts.map(said), [{ kind: 'refunded', ref: '9001', subject: '509001', lines: [{ external_id: String(LINE), quantity: 1 }] }, { kind: 'paid', line_items: [{ quantity: 2 }] }])
  t.throws(() => said(translate('orders/paid', order(purchase, {}, { current_quantity: 0 }))[0]), /line_items: no line has a unit left/)
  t.end()
})

/** What else Shopify may say, and what it means. */
const meanings: Record<string, [topic: string, body: object, meaning: object]> = {
  'an order that is not paid': ['orders/paid', { ...ORDER, financial_status: 'pending' }, { kind: 'ignored', reason: /^financial_status: is "pending"/ }],
  'a cancellation': ['orders/cancelled', { ...ORDER, cancelled_at: '2026-11-22T11:00:00Z' }, { kind: 'cancelled', ref: '5621094318353', subject: '' }],
  'a refund of a line': ['refunds/create', REFUND, { kind: 'refunded', ref: '5621094318353', subject: '929361464081', amount: 5831, lines: [{ external_id: String(LINE), quantity: 1 }] }],
  'a refund of an amount': ['refunds/create', { ...REFUND, refund_line_items: [] }, { kind: 'refunded', amount: 5831, lines: undefined }],
  'a line without money': ['refunds/create', { ...REFUND, transactions: [] }, { kind: 'refunded', amount: undefined, lines: [{ quantity: 1 }] }],
  'a refund of nothing': ['refunds/create', { ...REFUND, refund_line_items: [], transactions: [] }, { kind: 'ignored', reason: /^refund_line_items: / }],
  'a refund that failed': ['refunds/create', { ...REFUND, transactions: [{ ...REFUND.transactions[0], status: 'failure' }] }, { kind: 'refund_failed', subject: '929361464081' }],
  'a dispute': ['disputes/create', { id: 7, order_id: 9, status: 'needs_response', amount: '11.50', currency: 'EUR' }, { kind: 'disputed', ref: '9', subject: '7', amount: 1150 }],
  'one under review': ['disputes/update', { id: 7, order_id: 9, status: 'under_review', amount: '11.50', currency: 'EUR' }, { kind: 'disputed' }],
  'one won': ['disputes/update', { id: 7, order_id: 9, status: 'won', amount: '11.50', currency: 'EUR' }, { kind: 'dispute_won' }],
  'one lost': ['disputes/update', { id: 7, order_id: 9, status: 'lost', amount: '11.50', currency: 'EUR' }, { kind: 'dispute_lost' }],
  'one given in to': ['disputes/update', { id: 7, order_id: 9, status: 'accepted', amount: '11.50', currency: 'EUR' }, { kind: 'dispute_lost' }],
  'one ended by a refund': ['disputes/update', { id: 7, order_id: 9, status: 'charge_refunded', amount: '11.50', currency: 'EUR' }, { kind: 'dispute_won' }],
  'another topic': ['products/update', { id: 1 }, { kind: 'ignored', reason: /^topic: "products\/update"/ }],
}
/** What it may say too little of. */
const faults: Record<string, [topic: string, body: object, reason: RegExp]> = {
  'no address': ['orders/paid', { ...ORDER, email: null, contact_email: ' ' }, /^email: is needed/],
  'the sample of a test notification': ['orders/paid', { ...ORDER, id: Number('820982911946154508') }, /^id: /],
  'a price in words': ['orders/paid', { ...ORDER, total_price: 'free' }, /^total_price: /],
  'a dispute in a status that is new': ['disputes/update', { id: 7, order_id: 9, status: 'prevented', amount: '1', currency: 'EUR' }, /^status: "prevented"/],
  'a refund of no order': ['refunds/create', { ...REFUND, order_id: undefined }, /^order_id: is required/],
}

// Guarantee: each thing that Shopify says means one thing here, under its topic; what says too little is kept with a reason that names the field.
t.test('what else it says', (t) => {
  for (const [name, [topic, body, meaning]] of Object.entries(meanings)) {
    const [fact, ...others] = translate(topic, body)
    t.strictSame(others, [], name)
    t.equal(fact?.type, topic)
    t.match(said(fact), meaning, name)
  }
  for (const [name, [topic, body, reason]] of Object.entries(faults)) {
    const [fact] = translate(topic, body)
    t.equal(fact?.type, topic, 'it is kept under its topic')
    t.throws(() => said(fact), { message: reason }, name)
  }
  t.end()
})

// Guarantee: one doing of the merchant is told under several topics with one event id; none of them is taken for a repeat of another.
t.test('cancelled and refunded at once', async (t) => {
  const shop = await shopOf(t, sender)
  const bought = { ...purchase, quantity: 1 }
  const event_id = randomUUID()
  t.match(await shop.send(payload('orders/paid', order(bought), { event_id })), { status: 200, json: { status: 'processed' } })
  for (const [topic, body] of [['orders/cancelled', order(bought)], ['refunds/create', refund(bought)], ['refunds/create', refund({ id: '9001', quantity: 1 }, { id: 77, refund_line_items: [] })]] as const) {
    t.match(await shop.send(payload(topic, body, { event_id })), { status: 200, json: { status: 'processed' } }, topic)
  }
  const events = (await shop.call('GET', '/v1/payment-events')).json<Json[]>()
  t.equal(events.length, 4)
  t.match(await shop.send(payload('orders/paid', order(bought), { event_id })), { status: 200 }, 'and a second subscription to a topic tells nothing new')
  t.equal((await shop.call('GET', '/v1/payment-events')).json<Json[]>().length, 4)
  await assertInvariants(t, shop.db)
})

// Guarantee: of three units one refunded takes one license; a dispute holds the rest and gives it back; the other mode is not let in.
t.test('in parts', async (t) => {
  const shop = await shopOf(t, sender)
  const { json: { order_id } } = await shop.send(payload('orders/paid', order(purchase)))
  await shop.send(payload('refunds/create', refund({ id: '9001', quantity: 1 })))
  t.match(await orderOf(shop, order_id), { status: 'partially_refunded', refunded_amount: 5831 })
  t.match(await stockOf(shop.call, shop.pool_id), { allocated: 2 })
  const dispute = (status: string, at: string): Payload => payload('disputes/update', { id: 7, order_id: 9001, status, amount: '116.62', currency: 'EUR' }, { at })
  await shop.send(dispute('won', '2026-11-24T10:00:00Z'))
  t.match(await orderOf(shop, order_id), { status: 'partially_refunded' }, 'won, before it is known that it was opened')
  await shop.send(dispute('needs_response', '2026-11-25T10:00:00Z'))
  t.match(await orderOf(shop, order_id), { status: 'disputed' })
  await shop.send(dispute('won', '2026-11-26T10:00:00Z'))
  t.match(await orderOf(shop, order_id), { status: 'partially_refunded' })
  t.match(await stockOf(shop.call, shop.pool_id), { allocated: 2 })
  t.match(await shop.send(payload('orders/paid', order({ ...purchase, id: '9002' }, { test: true }))), { status: 202, json: { status: 'failed', reason: /^mode: is test/ } })
  await assertInvariants(t, shop.db)
})

// Guarantee: what the shop sells beside licenses keeps no license back, once the source's map says so; before that, the order is kept.
t.test('a basket with other things', async (t) => {
  const shop = await shopOf(t, sender)
  const shirt = { ...ORDER.line_items[0], id: 99, sku: 'T-SHIRT', variant_id: 1, product_id: 2 }
  const basket = order(purchase)
  const mixed = { ...basket, line_items: [shirt, ...basket['line_items'] as Json[]] }
  const { json } = await shop.send(payload('orders/paid', mixed))
  t.match(json, { status: 'failed', reason: /^line_items\.0\.product: .*"T-SHIRT"/ })
  const changed = await shop.call('PUT', `/v1/payment-sources/${shop.source.id}`, { product_map: { 'T-SHIRT': null } })
  t.match(changed.json(), { product_map: { 'T-SHIRT': null } })
  const replayed = (await shop.call('POST', `/v1/payment-events/${String(json['id'])}/replay`)).json<Json>()
  t.match(replayed, { status: 'processed' })
  t.match(await orderOf(shop, replayed['order_id']), { fulfillment_status: 'fulfilled', line_items: { length: 1, 0: { external_id: String(LINE), quantity: 3 } } })
  const refund_line_items = [{ ...REFUND.refund_line_items[0], line_item_id: 99 }]
  await shop.send(payload('refunds/create', refund({ id: '9001', quantity: 1 }, { refund_line_items })))
  t.match(await orderOf(shop, replayed['order_id']), { status: 'partially_refunded', fulfillment_status: 'fulfilled' }, 'a shirt that is sent back takes no license')
  const alone = { ...order({ ...purchase, id: '9002' }), line_items: [shirt] }
  const ignored = await until('the map to be known, within a second', async () => {
    const answer = await shop.send(payload('orders/paid', alone))
    return answer.json['status'] === 'ignored' && answer
  })
  t.match(ignored, { status: 202, json: { order_id: null, reason: /no license goes with it/ } })
  await assertInvariants(t, shop.db)
})
