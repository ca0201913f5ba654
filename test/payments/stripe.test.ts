import { randomBytes } from 'node:crypto'
import Stripe from 'stripe'
import t from 'tap'
import type { Fact, SourceOptions } from '../../src/payments/checkout.js'
import { stripe } from '../../src/payments/stripe.js'
import { assertInvariants } from '../support/invariants.js'
import { headerOf } from '../support/webhooks.js'
import { askingShop } from './asking.js'
import { bodyOf, stored } from './bodies.js'
import { matrix, orderOf, shopOf, type Payload, type Purchase, type Sender } from './matrix.js'

const SIGNATURE = 'stripe-signature'
type Json = Record<string, unknown>
interface Event extends Json { id: string, type: string, created: number, livemode: boolean, data: { object: Json } }

/** Stripe's event of a type, about an object that differs from the one in the file in these members. */
function eventOf (type: string, object: Json, file = 'stripe-checkout-session-completed'): Event {
  const event = bodyOf<Event>(file)
  return { ...event, id: `evt_${randomBytes(12).toString('hex')}`, type, data: { ...event.data, object: { ...event.data.object, ...object } } }
}

const payload = (event: object): Payload => ({ body: JSON.stringify(event) })
const idsOf = ({ id }: Pick<Purchase, 'id'>): Json => ({ id: `cs_live_${id}`, payment_intent: `pi_${id}` })
const charge = (purchase: Pick<Purchase, 'id'>, object: Json = {}): Event =>
  eventOf('charge.refunded', { id: `ch_${purchase.id}`, payment_intent: `pi_${purchase.id}`, ...object }, 'stripe-charge-refunded')
const refund = (type: string, purchase: Pick<Purchase, 'id'>, object: Json = {}): Event => eventOf(type, {
  id: `re_${purchase.id}`, object: 'refund', amount: 4900, charge: `ch_${purchase.id}`, payment_intent: `pi_${purchase.id}`, currency: 'eur', metadata: {}, status: 'succeeded', ...object,
})
const dispute = (type: string, purchase: Pick<Purchase, 'id'>, object: Json = {}): Event => eventOf(type, {
  id: `dp_${purchase.id}`, object: 'dispute', amount: 4900, charge: `ch_${purchase.id}`, payment_intent: `pi_${purchase.id}`, currency: 'eur', status: 'needs_response', reason: 'fraudulent', ...object,
})
const session = ({ product, quantity, email, ...purchase }: Purchase, object: Json = {}): Event => eventOf('checkout.session.completed', {
  ...idsOf(purchase), amount_total: 4900 * quantity, customer_details: { email, name: 'Ada King Lovelace' }, metadata: { latchkey_products: `${product}:${quantity}` }, ...object,
})

const sender: Sender = {
  kind: 'stripe',
  newSecret: () => `whsec_${randomBytes(24).toString('base64url')}`,
  product: 'price_1QProLicense',
  unknown_product: 'price_1QNotYetMade',
  signed_headers: [SIGNATURE],
  is_timed: true,
  is_rotating: true,
  sign ({ body }, secrets, at) {
    const text = body.toString()
    const headers = secrets.map((secret) => Stripe.webhooks.generateTestHeaderString({ payload: text, secret, timestamp: Math.floor(at.getTime() / 1000) }))
    const signature = headers.map((header, index) => index === 0 ? header : header.replace(/^t=\d+,/, '')).join(',')
    return { headers: ['content-type', 'application/json; charset=utf-8', SIGNATURE, signature], body: Buffer.from(text) }
  },
  paid: (purchase) => payload(session(purchase)),
  refunded: (purchase) => payload(charge(purchase, { amount: 14700, amount_refunded: 14700 })),
}

t.test('the matrix', async (t) => { await matrix(t, sender) })

const NOW = new Date('2026-11-22T10:00:00Z')
const checking = { now: NOW, tolerance_ms: 300_000, fetchText: () => Promise.reject(new Error('no call')) }
const UNSIGNED = /stripe-signature/
const verify = (header: string, body: Buffer, secret: string): unknown => stripe.verify({ headers: { [SIGNATURE]: header }, body }, [secret], checking)

// Guarantee: what Stripe's own library signs and accepts is accepted, with the whole whsec_… as its key; and less: no moment an hour ahead, nothing unsigned.
t.test('beside Stripe\'s library', async (t) => {
  const secret = sender.newSecret()
  const signed = sender.sign(payload(session({ id: '1', product: 'x', quantity: 1, email: 'ada@example.com' })), [secret], NOW)
  const header = headerOf(signed, SIGNATURE)
  t.match(Stripe.webhooks.constructEvent(signed.body, header, secret, 300, undefined, NOW.getTime()), { type: 'checkout.session.completed' })
  t.match(verify(header, signed.body, secret), { event_key: /^evt_/, sent_at: new Date('2026-11-22T10:00:00Z') })
  t.throws(() => verify(header, signed.body, secret.slice('whsec_'.length)), UNSIGNED)
  const ahead = sender.sign({ body: signed.body }, [secret], new Date(NOW.getTime() + 3_600_000))
  t.match(Stripe.webhooks.constructEvent(signed.body, headerOf(ahead, SIGNATURE), secret, 300, undefined, NOW.getTime()), { type: 'checkout.session.completed' }, 'the library takes it')
  t.throws(() => verify(headerOf(ahead, SIGNATURE), signed.body, secret), UNSIGNED)
  for (const wrong of [
    header.replace('v1=', 'v0='), header.replace('t=', 'ts='), header.replace(',', ';'), header.replace(/t=\d+,/, ''), header.replace(/t=\d+/, 't='), 't=1,v1=', header.slice(0, -1), `${header}0`, '=,=,',
    header.replace(/v1=.*/, 'v1='), 'v1', header.replace(/t=(\d+)/, 't=$1.0'), header.toUpperCase(),
  ]) t.throws(() => verify(wrong, signed.body, secret), UNSIGNED, wrong)
})

const read = (event: object, options: SourceOptions = {}, answers?: Record<string, unknown>): Fact => stripe.translate(stored(event, answers), options) as Fact
const orderIn = (fact: Fact) => fact.kind === 'paid' ? fact.order() : undefined
const changeIn = (fact: Fact) => 'change' in fact ? { kind: fact.kind, ...fact.change() } : fact
const bought: Purchase = { id: '77', product: 'sku-pro', quantity: 2, email: 'ada@example.com' }

// Guarantee: a session is an order once its payment is certain, and not before; the names its later events use are known.
t.test('a session', async (t) => {
  t.strictSame(JSON.parse(JSON.stringify(orderIn(read(session(bought))))), {
    external_id: 'pi_77',
    currency: 'EUR',
    locale: 'de',
    total_amount: 9800,
    refs: ['cs_live_77'],
    customer: { email: 'ada@example.com', first_name: 'Ada King', last_name: 'Lovelace' },
    line_items: [{ external_id: '1', product: 'sku-pro', quantity: 2 }],
  })
  t.match(orderIn(read(bodyOf('stripe-checkout-session-completed')))?.customer, {
    email: 'ada@example.com', company: 'Analytical Engines GmbH', phone: '+493012345678', country: 'DE', city: 'Berlin', zip: '10115', address: 'Invalidenstraße 116',
  })
  t.match(read(session(bought)), { kind: 'paid', mode: 'live', occurred_at: '2026-11-22T10:00:00.000Z' })
  t.match(read({ ...session(bought), livemode: false }), { mode: 'test' })
  t.match(read(session(bought, { payment_status: 'unpaid' })), { kind: 'ignored', reason: /async_payment_succeeded/ })
  t.equal(read({ ...session(bought), type: 'checkout.session.async_payment_succeeded' }).kind, 'paid')
  t.match(read(session(bought, { mode: 'setup', currency: 'eur' })), { kind: 'ignored' })
  t.match(orderIn(read(session(bought, { payment_status: 'no_payment_required', payment_intent: null, amount_total: 0, locale: 'auto' }))), { external_id: 'cs_live_77', refs: [], locale: undefined, total_amount: 0 })
  t.equal(orderIn(read(session(bought, { payment_intent: { id: 'pi_expanded' } })))?.external_id, 'pi_expanded')
  t.match(orderIn(read(session(bought, { metadata: { latchkey_products: 'a, b:3', latchkey_hold: 'HO-1', latchkey_parent: 'A-1', latchkey_same_as: 'PS-2/1001' } }))), {
    line_items: [{ external_id: '1', product: 'a', quantity: 1 }, { external_id: '2', product: 'b', quantity: 3 }], hold_id: 'HO-1', parent: 'A-1', same_as: { source_id: 'PS-2', external_id: '1001' },
  })
  for (const list of ['', ' ', 'a:0', 'a:10001', ':2', 'a,,b', 'a:x', 'a:1:2', 'a:1e3']) t.throws(() => orderIn(read(session(bought, { metadata: { latchkey_products: list } }))), list)
  t.throws(() => orderIn(read(session(bought, { customer_details: null }))), /data\.object\.customer_details\.email/)
  for (const type of ['checkout.session.expired', 'checkout.session.async_payment_failed']) {
    t.match(changeIn(read({ ...session(bought, { metadata: { latchkey_hold: 'HO-1' } }), type })), { kind: 'payment_failed', ref: 'pi_77', hold_id: 'HO-1' })
  }
  t.match(changeIn(read(eventOf('checkout.session.expired', { id: 'cs_9', payment_intent: null }))), { ref: 'cs_9' })
})

const listed = (...prices: Json[]): Json => ({ object: 'list', has_more: false, data: prices.map((line, index) => ({ id: `li_${index + 1}`, object: 'item', amount_total: 9800, quantity: 2, ...line })) })

// Guarantee: what was bought is never guessed: it is in the metadata, in the event, or Stripe is asked, of sessions and of payments of invoices.
t.test('the lines', async (t) => {
  const bare = { metadata: {} }
  t.throws(() => orderIn(read(session(bought, bare))), /latchkey_products.*api_key/)
  const asked = read(session(bought, bare), { has_api_key: true })
  t.match(asked, { kind: 'unanswered', lookups: [{ name: 'line_items', path: '/v1/checkout/sessions/cs_live_77/line_items?limit=100' }] })
  const line_items = listed({ price: { id: 'price_1', lookup_key: 'pro', product: 'prod_1' } }, { price: { id: 'price_2', lookup_key: null, product: { id: 'prod_2' } }, amount_total: 999 })
  for (const fact of [read(session(bought, bare), { has_api_key: true }, { line_items }), read(session(bought, { ...bare, line_items }))]) {
    t.match(orderIn(fact)?.line_items, [
      { external_id: 'li_1', product: ['price_1', 'pro', 'prod_1'], quantity: 2, unit_amount: 4900 }, { external_id: 'li_2', product: ['price_2', 'prod_2'], quantity: 2, unit_amount: undefined },
    ])
  }
  t.throws(() => orderIn(read(session(bought, bare), { has_api_key: true }, { line_items: { ...line_items, has_more: true } })), /more than/)
  t.throws(() => orderIn(read(session(bought, bare), { has_api_key: true }, { line_items: listed({ price: null }) })), /price/)
  t.throws(() => orderIn(read(session(bought, bare), { has_api_key: true }, { line_items: { error: {} } })), /data/)
  t.equal(read(session(bought), { has_api_key: true }).kind, 'paid', 'the metadata spares the call')
  const subscribed = { payment_intent: null, invoice: 'in_1', subscription: 'sub_1' }
  t.match(read(session(bought, subscribed), { has_api_key: true }), { kind: 'unanswered', lookups: [{ name: 'invoice', path: '/v1/invoices/in_1?expand[]=payments' }] })
  const invoice = { payments: { data: [{ payment: { type: 'payment_intent', payment_intent: 'pi_of_invoice' } }] } }
  t.match(orderIn(read(session(bought, subscribed), { has_api_key: true }, { invoice })), { external_id: 'cs_live_77', refs: ['in_1', 'sub_1', 'pi_of_invoice'] })
  t.match(orderIn(read(session(bought, subscribed))), { refs: ['in_1', 'sub_1'] }, 'without a key it is taken in all the same')
})

// Guarantee: a payment without a session stands alone where it names its products; else nothing is made of it twice.
t.test('a payment intent', async (t) => {
  const intent = { id: 'pi_77', currency: 'jpy', amount_received: 5000, receipt_email: 'ada@example.com', latest_charge: 'ch_1', metadata: { latchkey_products: 'sku-pro:2' }, shipping: null }
  t.match(orderIn(read(eventOf('payment_intent.succeeded', intent))), { external_id: 'pi_77', currency: 'JPY', total_amount: 5000, refs: ['ch_1'], line_items: [{ product: 'sku-pro', quantity: 2 }] })
  t.equal(orderIn(read(eventOf('payment_intent.succeeded', intent)))?.external_id, orderIn(read(session(bought)))?.external_id, 'it meets its session in one order')
  t.match(read(eventOf('payment_intent.succeeded', { ...intent, metadata: {} })), { kind: 'ignored' })
  t.throws(() => orderIn(read(eventOf('payment_intent.succeeded', { ...intent, receipt_email: null }))), /receipt_email/)
  t.match(changeIn(read(eventOf('payment_intent.canceled', { ...intent, payment_intent: undefined }))), { kind: 'payment_failed', ref: 'pi_77' })
  t.match(read(eventOf('payment_intent.payment_failed', intent)), { kind: 'ignored' }, 'the customer may try again')
})

// Guarantee: later periods of a subscription are orders of their own that name what they renew.
t.test('an invoice', async (t) => {
  const invoice = {
    id: 'in_2',
    billing_reason: 'subscription_cycle',
    currency: 'eur',
    total: 9800,
    customer_email: 'ada@example.com',
    customer_name: 'Ada',
    metadata: {},
    lines: { data: [{ id: 'il_1', amount: 9800, quantity: 2, pricing: { type: 'price_details', price_details: { price: 'price_1', product: 'prod_1' } } }] },
    parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1', metadata: {} } },
  }
  const paid = (more: Json = {}): Event => eventOf('invoice.paid', { ...invoice, ...more })
  t.match(orderIn(read(paid())), { external_id: 'in_2', parent: 'sub_1', total_amount: 9800, line_items: [{ external_id: 'il_1', product: ['price_1', 'prod_1'], quantity: 2, unit_amount: 4900 }] })
  t.match(read(paid(), { has_api_key: true }), { kind: 'unanswered', lookups: [{ name: 'invoice' }] })
  t.match(read(paid({ billing_reason: 'subscription_create' })), { kind: 'ignored' })
  t.match(read(paid({ billing_reason: 'manual' })), { kind: 'ignored' })
  t.throws(() => orderIn(read(paid({ billing_reason: 'subscription_update' }))), /POST \/v1\/orders/)
  t.match(orderIn(read(paid({ billing_reason: 'manual', parent: null, metadata: { latchkey_products: 'sku-pro' } }))), { parent: undefined, line_items: [{ product: 'sku-pro' }] })
  t.match(orderIn(read(paid({ metadata: { latchkey_parent: 'A-1' } })))?.parent, 'A-1')
})

// Guarantee: each word of Stripe's about a refund or dispute is the fact it is, under the subject that joins its steps.
t.test('refunds and disputes', async (t) => {
  const cases: Array<[event: Event, expected: Json]> = [
    [charge(bought), { kind: 'refunded', ref: 'pi_77', subject: 'ch_77', amount: 4900, is_cumulative: true, is_full: true }],
    [charge(bought, { amount_refunded: 100, refunded: false }), { kind: 'refunded', amount: 100, is_cumulative: true, is_full: false }],
    [charge(bought, { payment_intent: null }), { ref: 'ch_77' }],
    [charge(bought, { currency: 'isk', amount_refunded: 4900 }), { amount: 49 }],
    [charge(bought, { currency: 'mga', amount_refunded: 49 }), { amount: 4900 }],
    [charge(bought, { currency: 'kwd', amount_refunded: 4900 }), { amount: 4900 }],
    [refund('refund.created', bought), { kind: 'refunded', ref: 'pi_77', subject: 're_77', amount: 4900, lines: undefined }],
    [refund('refund.created', bought, { status: 'pending', metadata: null }), { kind: 'refunded' }],
    [refund('refund.created', bought, { status: 'requires_action' }), { kind: 'ignored' }],
    [refund('refund.created', bought, { metadata: { latchkey_lines: '1:2,2' } }), { lines: [{ external_id: '1', quantity: 2 }, { external_id: '2', quantity: undefined }] }],
    [refund('refund.updated', bought, { status: 'failed' }), { kind: 'refund_failed', subject: 're_77', amount: 4900 }],
    [refund('refund.failed', bought, { status: 'failed' }), { kind: 'refund_failed' }],
    [refund('charge.refund.updated', bought, { status: 'canceled' }), { kind: 'refund_failed' }],
    [dispute('charge.dispute.created', bought), { kind: 'disputed', ref: 'pi_77', subject: 'dp_77', amount: 4900 }],
    [dispute('charge.dispute.closed', bought, { status: 'lost' }), { kind: 'dispute_lost', subject: 'dp_77' }],
    [dispute('charge.dispute.closed', bought, { status: 'won' }), { kind: 'dispute_won', subject: 'dp_77' }],
    [dispute('charge.dispute.closed', bought, { status: 'warning_closed' }), { kind: 'dispute_won' }],
    [dispute('charge.dispute.closed', bought, { status: 'under_review' }), { kind: 'ignored' }],
    [dispute('charge.dispute.funds_reinstated', bought, { status: 'won' }), { kind: 'dispute_won' }],
    [dispute('charge.dispute.updated', bought), { kind: 'ignored' }],
    [eventOf('customer.created', { id: 'cus_1' }), { kind: 'ignored', reason: /customer\.created/ }],
    [eventOf('toString', {}), { kind: 'ignored' }],
  ]
  for (const [event, expected] of cases) t.match(changeIn(read(event)), expected, `${event.type} ${JSON.stringify(expected)}`)
  for (const event of [{}, { type: 'charge.refunded' }, [], 7, { ...charge(bought), created: -1 }, charge(bought, { amount_refunded: '4900' }), charge(bought, { id: null }), refund('refund.created', bought, { payment_intent: null, charge: null }),
    session(bought, { payment_intent: { no: 'id' } }), session(bought, { customer_details: { email: 7 } })]) t.throws(() => { const fact = read(event as object); changeIn(fact); orderIn(fact) })
})

// Guarantee: over the wire a dispute holds, gives back or takes away what was bought, and a refund that fails gives it back.
t.test('what becomes of the order', async (t) => {
  const shop = await shopOf(t, sender)
  const buy = async (id: string): Promise<unknown> => (await shop.send(payload(session({ ...bought, product: sender.product, id })))).json['order_id']
  const at = (event: Event, minutes: number): Payload => payload({ ...event, created: event.created + 60 * minutes })
  const after = async (order_id: unknown, ...steps: Payload[]): Promise<unknown> => {
    for (const step of steps) t.equal((await shop.send(step)).status, 200)
    const order = await orderOf(shop, order_id)
    return [order['status'], order.line_items.flatMap(({ licenses }) => licenses).filter(({ state }) => state === 'allocated').length]
  }
  const [one, two, three] = [{ id: '801' }, { id: '802' }, { id: '803' }]
  const won = await buy('801')
  t.strictSame(await after(won, at(dispute('charge.dispute.created', one), 1)), ['disputed', 2])
  t.strictSame(await after(won, at(dispute('charge.dispute.closed', one, { status: 'won' }), 2)), ['paid', 2])
  const lost = await buy('802')
  t.strictSame(await after(lost, at(dispute('charge.dispute.closed', two, { status: 'lost' }), 2), at(dispute('charge.dispute.created', two), 1)), ['charged_back', 0])
  const failed = await buy('803')
  t.strictSame(await after(failed, at(charge(three, { amount_refunded: 9800 }), 1), at(refund('refund.created', three, { amount: 9800 }), 1)), ['refunded', 0])
  t.strictSame(await after(failed, at(refund('refund.failed', three, { amount: 9800, status: 'failed' }), 2)), ['paid', 2])
  await assertInvariants(t, shop.db)
})

// Guarantee: what an event leaves out is asked for with the vendor's key, the order is served by itself, and a refund of the invoice's payment finds it.
t.test('Stripe is asked', async (t) => {
  const { shop, api, receive } = await askingShop(t, sender, 'rk_live_1', {
    '/v1/checkout/sessions/cs_live_88/line_items?limit=100': listed({ price: { id: sender.product, lookup_key: null, product: 'prod_1' } }),
    '/v1/checkout/sessions/cs_live_89/line_items?limit=100': listed({ price: { id: sender.product }, quantity: 1 }),
    '/v1/invoices/in_1?expand[]=payments': { id: 'in_1', payments: { data: [{ payment: { type: 'payment_intent', payment_intent: 'pi_of_invoice' } }] } },
  })
  const one = await receive(payload(session({ ...bought, id: '88' }, { metadata: {} })))
  t.match(one, { first: 'waiting', event: { status: 'processed' } })
  t.match(await orderOf(shop, one.event['order_id']), { external_id: 'pi_88', fulfillment_status: 'fulfilled', line_items: [{ external_id: 'li_1', quantity: 2, unit_amount: 4900 }] })
  const two = await receive(payload(session({ ...bought, id: '89', quantity: 1 }, { metadata: {}, mode: 'subscription', payment_intent: null, invoice: 'in_1', subscription: 'sub_1', amount_total: 9800 })))
  t.match(await orderOf(shop, two.event['order_id']), { external_id: 'cs_live_89', status: 'paid' })
  t.match(await shop.send(payload(charge({ id: '89' }, { payment_intent: 'pi_of_invoice', amount_refunded: 9800 }))), { status: 200, json: { order_id: two.event['order_id'] } })
  t.match(await orderOf(shop, two.event['order_id']), { status: 'refunded' })
  const three = await receive(payload(session({ ...bought, id: '90' }, { metadata: {} })))
  t.match(three.event, { status: 'failed', reason: /404/ })
  for (const { method, headers } of api.received) t.match([method, headers], ['GET', { authorization: 'Bearer rk_live_1', 'stripe-version': /^20/ }])
  t.notMatch(JSON.stringify(three), 'rk_live_1')
  await assertInvariants(t, shop.db)
})
