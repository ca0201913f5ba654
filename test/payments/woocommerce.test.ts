import { spawnSync } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import t from 'tap'
import type { Fact } from '../../src/payments/checkout.js'
import { woocommerce } from '../../src/payments/woocommerce.js'
import { assertInvariants } from '../support/invariants.js'
import { stockOf } from '../support/vendor.js'
import type { Message } from '../support/webhooks.js'
import { bodyOf } from './bodies.js'
import { matrix, orderOf, shopOf, type Payload, type Purchase, type Sender } from './matrix.js'
import { state } from './support.js'

type Json = Record<string, unknown>
const ORDER = bodyOf<Json & { line_items: Json[], billing: Json }>('woocommerce-order')

/** Delivery ids are as WooCommerce makes them: of the webhook and the second, so all of one second are the same. */
const payload = (topic: string, body: object): Payload => ({
  body: JSON.stringify(body),
  headers: [
    'x-wc-webhook-source', 'https://harbour.example.com/', 'x-wc-webhook-topic', topic, 'x-wc-webhook-resource', 'order', 'x-wc-webhook-event', topic.slice('order.'.length),
    'x-wc-webhook-id', '7', 'x-wc-webhook-delivery-id', '1d1bd6c0d3a6d1a9c7a5e1e5b0e6f3ab', 'user-agent', 'WooCommerce/9.4.2 Hookshot (WordPress/6.7)',
  ],
})

/** An order of one line. The unit costs 49.00, with tax 58.31. */
function order ({ id, product, quantity, email }: Purchase, fields: Json = {}): Json {
  const line = { ...ORDER.line_items[0], sku: product, quantity, subtotal: (49 * quantity).toFixed(2) }
  return { ...ORDER, id: Number(id), total: (58.31 * quantity).toFixed(2), billing: { ...ORDER.billing, email }, line_items: [line], ...fields }
}

const sender: Sender = {
  kind: 'woocommerce',
  newSecret: () => randomBytes(25).toString('base64'),
  product: 'WOO-PRO',
  unknown_product: 'WOO-NOT-YET-MADE',
  signed_headers: ['x-wc-webhook-signature'],
  is_timed: false,
  is_rotating: false,
  sign ({ body, headers = [] }, [secret = '']): Message {
    const signature = createHmac('sha256', secret).update(body).digest('base64')
    return { headers: ['content-type', 'application/json', ...headers, 'x-wc-webhook-signature', signature], body: Buffer.from(body as string) }
  },
  paid: (purchase) => payload('order.updated', order(purchase)),
  refunded: (purchase) => payload('order.updated', order(purchase, { status: 'refunded', date_modified_gmt: '2026-11-22T11:00:00' })),
}
const purchase: Purchase = { id: '7001', product: 'WOO-PRO', quantity: 3, email: 'ada@example.com' }

t.test('the matrix', async (t) => { await matrix(t, sender) })

// Guarantee: what openssl signs with the secret as WordPress uses it, that is with its five characters for entities, is taken;
// whichever way the vendor wrote it down.
t.test('beside openssl', (t) => {
  const body = Buffer.from(JSON.stringify(ORDER))
  const signedBy = (secret: string): string =>
    spawnSync('openssl', ['dgst', '-sha256', '-hmac', secret, '-binary'], { input: body }).stdout.toString('base64')
  const checking = { now: new Date(), tolerance_ms: 0, fetchText: () => Promise.reject(new Error('no call')) }
  const verify = (secret: string, signature: string): unknown =>
    woocommerce.verify({ headers: { 'x-wc-webhook-signature': signature, 'x-wc-webhook-topic': 'order.updated' }, body }, ['another-secret', secret], checking)
  for (const [written, used] of [
    ['Zm9v+/bar=', 'Zm9v+/bar='],
    ['a&b<c>"d"\'e', 'a&b<c>"d"\'e'],
    ['a&amp;b&lt;c&gt;&quot;d&#034;&#039;e', 'a&b<c>"d"\'e'],
    ['a&#38;b&#x26;c&#x27;', 'a&b&c\''],
    ['&amp;lt;&amp;amp;', '&lt;&amp;'],
    ['&eacute;&nbsp;&#65;', '&eacute;&nbsp;&#65;'],
  ] as const) {
    t.match(verify(written, signedBy(used)), { context: { topic: 'order.updated' } }, written)
    t.throws(() => verify(written, signedBy(`${used}.`)), /x-wc-webhook-signature: holds no signature/, `${written}, signed with another`)
  }
  t.match(woocommerce.secret.make?.(), /^[\w-]{32}$/, 'one made here has no character that WordPress writes as an entity')
  t.end()
})

const translate = (topic: string, body: object): Fact[] =>
  [woocommerce.translate({ body: Buffer.from(JSON.stringify(body)), sent_at: new Date('2026-11-22T10:00:00Z'), context: { topic } }, {})].flat()
const said = (fact: Fact | undefined): Json =>
  fact === undefined ? {} : 'order' in fact ? { kind: fact.kind, ...fact.order() } : 'change' in fact ? { kind: fact.kind, ...fact.change() } : { ...fact }
const keyOf = (body: object, topic = 'order.updated'): string => {
  const { headers, body: bytes } = sender.sign(payload(topic, body), ['secret-of-it'], new Date())
  const given = Object.fromEntries(headers.flatMap((name, i) => i % 2 === 0 ? [[name, headers[i + 1] ?? '']] : []))
  return (woocommerce.verify({ headers: given, body: bytes }, ['secret-of-it'], { now: new Date(), tolerance_ms: 0, fetchText: async () => '' }) as { event_key: string }).event_key
}

// Guarantee: an order is read whole, in the engine's words.
t.test('an order', (t) => {
  const meta_data = [{ id: 1, key: 'latchkey_parent', value: '6999' }, { id: 2, key: 'latchkey_locale', value: 'de_DE' }, { id: 3, key: '_x', value: [{ a: 1 }] }]
  const [fact, ...others] = translate('order.created', { ...ORDER, meta_data })
  t.strictSame(others, [])
  t.match(fact, { type: 'order.created', occurred_at: '2026-11-22T09:15:02.000Z', mode: undefined })
  t.strictSame(said(fact), {
    kind: 'paid',
    external_id: '7001',
    currency: 'EUR',
    locale: 'de_DE',
    total_amount: 5831,
    paid_at: '2026-11-22T09:15:02.000Z',
    hold_id: undefined,
    parent: '6999',
    customer: {
      first_name: 'Ada',
      last_name: 'Lovelace',
      company: 'Analytical Engines Ltd',
      phone: '+44 20 7946 0000',
      country: 'GB',
      city: 'London',
      zip: 'EC1A 1BB',
      address: '12 Example Street',
      email: 'ada@example.com',
    },
    line_items: [{ external_id: '501', product: ['WOO-PRO', '31'], quantity: 1, unit_amount: 4900 }],
  })
  t.end()
})

const LATER = { date_modified_gmt: '2026-11-22T11:00:00' }
const refunds = [{ id: 9, reason: '', total: '-10.00' }, { id: 10, reason: '', total: '-5.50' }]
/** What an order's state means: one fact, or several at once. */
const meanings: Record<string, [topic: string, body: object, meanings: object[]]> = {
  completed: ['order.updated', { ...ORDER, status: 'completed' }, [{ kind: 'paid' }]],
  'taken out of the bin': ['order.restored', ORDER, [{ kind: 'paid' }]],
  'cash on delivery': ['order.updated', { ...ORDER, date_paid_gmt: null }, [{ kind: 'ignored', reason: /^date_paid_gmt: is empty/ }]],
  'paid and partly refunded': ['order.updated', { ...ORDER, ...LATER, refunds }, [{ kind: 'refunded', ref: '7001', subject: '', amount: 1550, is_cumulative: true }, { kind: 'paid' }]],
  'refunded whole': ['order.updated', { ...ORDER, status: 'refunded', refunds }, [{ kind: 'refunded', ref: '7001', is_full: true }]],
  cancelled: ['order.updated', { ...ORDER, status: 'cancelled' }, [{ kind: 'cancelled', ref: '7001' }]],
  'never paid': ['order.updated', { ...ORDER, status: 'cancelled', date_paid_gmt: null, meta_data: [{ key: 'latchkey_hold', value: 'HO-1' }] }, [{ kind: 'payment_failed', hold_id: 'HO-1' }]],
  failed: ['order.updated', { ...ORDER, status: 'failed' }, [{ kind: 'payment_failed', ref: '7001' }]],
  'on hold': ['order.updated', { ...ORDER, status: 'on-hold' }, [{ kind: 'ignored', reason: /^status: "on-hold"/ }]],
  pending: ['order.created', { ...ORDER, status: 'pending' }, [{ kind: 'ignored' }]],
  binned: ['order.deleted', { id: 7001 }, [{ kind: 'ignored', reason: /bin/ }]],
  'no order': ['coupon.created', { id: 7 }, [{ kind: 'ignored', reason: /^topic: "coupon.created"/ }]],
}

// Guarantee: each state of an order means one thing here, under its topic; what says too little is kept with a reason that names the field.
t.test('what else it says', (t) => {
  for (const [name, [topic, body, meant]] of Object.entries(meanings)) {
    const facts = translate(topic, body)
    t.match(facts.map(said), meant, name)
    t.equal(facts.length, meant.length, name)
    t.ok(facts.every(({ type }) => type === topic))
  }
  for (const [fields, reason] of [
    [{ billing: { ...ORDER.billing, email: '' } }, /^billing\.email: is needed/], [{ line_items: [] }, /^line_items: is empty/], [{ total: '58,31' }, /^total: /],
    [{ id: undefined }, /^id: is required/], [{ line_items: [{ ...ORDER.line_items[0], quantity: 1.5 }] }, /^line_items\.0\.quantity: /],
  ] as const) t.throws(() => translate('order.updated', { ...ORDER, ...fields }).map(said), { message: reason })
  t.end()
})

// Guarantee: an event is a state of an order: neither two orders nor two states of a second are taken for one, and one state told under two topics is.
t.test('what makes an event', (t) => {
  t.equal(keyOf(ORDER, 'order.created'), keyOf({ ...ORDER, _links: {} }, 'order.updated'))
  const others = [{ ...ORDER, id: 7002 }, { ...ORDER, ...LATER }, { ...ORDER, status: 'completed' }, { ...ORDER, refunds: refunds.slice(0, 1) }, { ...ORDER, refunds }]
  t.equal(new Set([ORDER, ...others].map((body) => keyOf(body))).size, others.length + 1)
  t.not(keyOf(ORDER), keyOf(ORDER, 'order.deleted'))
  t.end()
})

// Guarantee: two orders of one second, with one delivery id, are two orders; the ping is answered 200 and leaves nothing.
t.test('one delivery id, and a ping', async (t) => {
  const shop = await shopOf(t, sender)
  const answers = await Promise.all(['7001', '7002'].map((id) => shop.send(sender.paid({ ...purchase, id }))))
  t.equal(new Set(answers.map(({ json }) => json['order_id'])).size, 2)
  t.match(await stockOf(shop.call, shop.pool_id), { allocated: 6 })
  const before = await state(shop)
  const ping = { headers: ['content-type', 'application/x-www-form-urlencoded', 'x-wc-webhook-topic', 'order.updated'], body: Buffer.from('webhook_id=7') }
  t.equal((await shop.post(ping)).status, 200)
  t.equal((await shop.post({ ...ping, body: Buffer.from('webhook_id=7&x=1') })).status, 401, 'nothing else unsigned is')
  t.equal(await state(shop), before)
  await assertInvariants(t, shop.db)
})

// Guarantee: a body is taken for all that it says: the first that comes may be paid and partly refunded; cancelled and undone it is paid again.
t.test('sent once', async (t) => {
  const shop = await shopOf(t, sender)
  const at = (hour: number): Json => ({ date_modified_gmt: `2026-11-22T${hour}:00:00` })
  const first = await shop.send(payload('order.updated', order(purchase, { refunds, ...at(11) })))
  t.match(first, { status: 200, json: { status: 'processed' } })
  t.match(await orderOf(shop, first.json['order_id']), { status: 'partially_refunded', refunded_amount: 1550, fulfillment_status: 'fulfilled' })
  t.match(await shop.send(payload('order.updated', order(purchase, { status: 'cancelled', refunds, ...at(12) }))), { status: 200 })
  t.match(await orderOf(shop, first.json['order_id']), { status: 'cancelled' })
  t.match(await stockOf(shop.call, shop.pool_id), { allocated: 0 })
  t.match(await shop.send(payload('order.updated', order(purchase, { refunds, ...at(13) }))), { status: 200, json: { status: 'processed' } })
  t.match(await orderOf(shop, first.json['order_id']), { status: 'partially_refunded' })
  t.match(await stockOf(shop.call, shop.pool_id), { allocated: 3 })
  await assertInvariants(t, shop.db)
})
