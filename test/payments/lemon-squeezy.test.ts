import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { Fact, SourceOptions } from '../../src/payments/checkout.js'
import { lemonSqueezy } from '../../src/payments/lemon-squeezy.js'
import { assertInvariants } from '../support/invariants.js'
import type { Message } from '../support/webhooks.js'
import { askingShop } from './asking.js'
import { bodyOf, stored } from './bodies.js'
import { matrix, orderOf, shopOf, type Payload, type Purchase, type Sender } from './matrix.js'

type Json = Record<string, unknown>
interface Event extends Json { meta: Json, data: { type: string, id: string, attributes: Json & { first_order_item: Json } } }

const eventOf = (event_name: string, id: string, attributes: Json, meta: Json = {}): Event => {
  const event = bodyOf<Event>('lemon-squeezy-order-created')
  return { ...event, meta: { ...event.meta, event_name, ...meta }, data: { ...event.data, id, attributes: { ...event.data.attributes, ...attributes } } }
}
const payload = (event: object): Payload => ({ body: JSON.stringify(event) })
const item = (product: string, quantity: number): Json =>
  ({ ...bodyOf<Event>('lemon-squeezy-order-created').data.attributes.first_order_item, variant_id: Number(product), quantity })
const order = ({ id, product, quantity, email }: Purchase, attributes: Json = {}, meta: Json = {}): Event =>
  eventOf('order_created', id, { identifier: `uuid-${id}`, user_email: email, total: 4900 * quantity, first_order_item: item(product, quantity), ...attributes }, meta)
const LATER = '2026-11-22T11:00:00.000000Z'
const refund = ({ id }: Pick<Purchase, 'id'>, refunded_amount: number, total: number, attributes: Json = {}): Event => eventOf('order_refunded', id, {
  total, refunded_amount, refunded: refunded_amount >= total, status: refunded_amount >= total ? 'refunded' : 'paid', updated_at: LATER, ...attributes,
})

/** By another program than the service's own: `openssl dgst`. */
function openssl (body: Buffer, secret: string): string {
  const { status, stdout, stderr } = spawnSync('openssl', ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${Buffer.from(secret).toString('hex')}`, '-r'], { input: body })
  if (status !== 0) throw new Error(stderr.toString())
  return stdout.toString().slice(0, 64)
}

const sender: Sender = {
  kind: 'lemon-squeezy',
  newSecret: () => randomBytes(16).toString('hex'),
  product: '640021',
  unknown_product: '640099',
  signed_headers: ['x-signature'],
  is_timed: false,
  is_rotating: false,
  sign ({ body }, [secret = '']): Message {
    const bytes = Buffer.from(body as string)
    return { headers: ['content-type', 'application/json', 'x-event-name', 'order_created', 'x-signature', openssl(bytes, secret)], body: bytes }
  },
  paid: (purchase) => payload(order(purchase)),
  refunded: (purchase) => payload(refund(purchase, 4900 * purchase.quantity, 4900 * purchase.quantity)),
}

t.test('the matrix', async (t) => { await matrix(t, sender) })

const read = (event: object, options: SourceOptions = {}, answers?: Json): Fact => lemonSqueezy.translate(stored(event, answers), options) as Fact
const orderIn = (fact: Fact) => fact.kind === 'paid' ? fact.order() : undefined
const changeIn = (fact: Fact) => 'change' in fact ? { kind: fact.kind, ...fact.change() } : fact
const bought: Purchase = { id: '77', product: '640021', quantity: 3, email: 'ada@example.com' }
const KEY = { has_api_key: true }

// Guarantee: a paid order is taken in with its first item, or with all of them where Lemon Squeezy can be asked.
t.test('an order', async (t) => {
  t.strictSame(JSON.parse(JSON.stringify(orderIn(read(order(bought))))), {
    external_id: '77',
    currency: 'EUR',
    total_amount: 14700,
    refs: ['uuid-77'],
    customer: { email: 'ada@example.com', first_name: 'Ada King', last_name: 'Lovelace' },
    line_items: [{ external_id: '5098113', product: ['640021', '410337'], quantity: 3, unit_amount: 4900 }],
  })
  t.match(read(order(bought)), { kind: 'paid', type: 'order_created', mode: 'live', occurred_at: '2026-11-22T10:00:05.000Z' })
  t.equal(read(order(bought, { test_mode: true })).mode, 'test')
  t.equal(read(order(bought, { test_mode: undefined }, { test_mode: true })).mode, 'test')
  t.match(orderIn(read(order(bought, { first_order_item: { id: 1, product_id: 2, variant_id: 3 } })))?.line_items, [{ quantity: 1 }], 'an item that says no quantity is one')
  t.match(orderIn(read(order(bought, {}, { custom_data: { latchkey_hold: 'HO-1' } }))), { hold_id: 'HO-1' })
  t.equal(read(order(bought, {}, { custom_data: [] })).kind, 'paid', 'no custom data, as PHP writes it')
  t.match(read(order(bought), KEY), { kind: 'unanswered', lookups: [{ name: 'items', path: '/v1/order-items?filter[order_id]=77&page[size]=100' }] })
  const items = { data: [{ type: 'order-items', id: '1', attributes: item('640021', 1) }, { type: 'order-items', id: '2', attributes: item('640022', 4) }] }
  t.match(orderIn(read(order(bought), KEY, { items }))?.line_items, [{ external_id: '1', quantity: 1 }, { external_id: '2', product: ['640022', '410337'], quantity: 4 }])
  t.match(read(order(bought, { status: 'pending' })), { kind: 'ignored' })
  t.match(read(order(bought, { status: 'fraudulent' })), { kind: 'ignored' })
  t.equal(read(order(bought, { status: 'refunded', refunded: true })).kind, 'paid', 'sent again later: it was paid all the same')
  t.match(changeIn(read(order(bought, { status: 'failed' }, { custom_data: { latchkey_hold: 'HO-1' } }))), { kind: 'payment_failed', ref: '77', hold_id: 'HO-1' })
  t.throws(() => orderIn(read(order(bought, { first_order_item: null }))), /first_order_item/)
  t.throws(() => orderIn(read(order(bought, { user_email: '' }))), /user_email/)
  t.match(read(eventOf('license_key_created', '1', {})), { kind: 'ignored' })
  t.match(read(eventOf('toString', '1', {})), { kind: 'ignored' })
  for (const event of [{}, [], 7, { meta: {}, data: {} }, order(bought, { total: '4900' })]) t.throws(() => read(event as object))
})

// Guarantee: what was refunded is the sum so far, of orders and of renewals, whose numbers are never taken for one another.
t.test('refunds and renewals', async (t) => {
  t.match(changeIn(read(refund(bought, 100, 14700))), { kind: 'refunded', ref: '77', subject: '', amount: 100, is_cumulative: true, is_full: false })
  t.match(read(refund(bought, 100, 14700)), { occurred_at: '2026-11-22T11:00:00.000Z' })
  t.match(changeIn(read(refund(bought, 14700, 14700))), { amount: 14700, is_full: true })
  t.match(changeIn(read(refund(bought, 0, 14700, { refunded: true, refunded_amount: null }))), { amount: 14700, is_full: true }, 'as older bodies say it')
  const invoice = (attributes: Json = {}): Event => eventOf('subscription_payment_success', '77', { billing_reason: 'renewal', subscription_id: 5, total: 4900, ...attributes })
  t.match(read(invoice()), { kind: 'ignored', reason: /api_key/ })
  t.match(read(invoice({ billing_reason: 'initial' }), KEY), { kind: 'ignored' })
  t.match(read(invoice(), KEY), { kind: 'unanswered', lookups: [{ name: 'subscription', path: '/v1/subscriptions/5' }] })
  const subscription = { data: { id: '5', attributes: { order_id: 70, product_id: 410337, variant_id: 640021, first_subscription_item: { id: 1, quantity: 2 } } } }
  t.match(orderIn(read(invoice(), KEY, { subscription })), { external_id: 'subscription-invoice-77', parent: '70', line_items: [{ product: ['640021', '410337'], quantity: 2 }] })
  t.match(changeIn(read(eventOf('subscription_payment_refunded', '77', { total: 4900, refunded: true, refunded_amount: 4900 }))), { kind: 'refunded', ref: 'subscription-invoice-77', is_full: true })
})

// Guarantee: events have no ids, so what they are about and its state tell them apart: a repeat is one event, each further refund another.
t.test('one event from another', async (t) => {
  const secret = sender.newSecret()
  const keyOf = async (event: object): Promise<string> => {
    const body = Buffer.from(JSON.stringify(event))
    const checking = { now: new Date(), tolerance_ms: 0, fetchText: () => Promise.reject(new Error('no call')) }
    return (await lemonSqueezy.verify({ headers: { 'x-signature': openssl(body, secret) }, body }, [sender.newSecret(), secret], checking)).event_key
  }
  const events = [order(bought), order({ ...bought, id: '78' }), refund(bought, 100, 14700), refund(bought, 200, 14700), refund(bought, 200, 14700, { updated_at: '2026-11-22T11:00:01Z' }), { other: 1 }, { other: 2 }]
  t.equal(new Set(await Promise.all(events.map(keyOf))).size, events.length)
  t.equal(await keyOf(order(bought)), await keyOf({ ...order(bought), padding: 1 }))
})

// Guarantee: over the wire, amounts that grow in any order leave the order at what was refunded last, and every durable answer is exactly 200.
t.test('what becomes of the order', async (t) => {
  const shop = await shopOf(t, sender)
  const { json } = await shop.send(payload(order({ ...bought, id: '701' })))
  const second = refund({ id: '701' }, 300, 14700, { updated_at: '2026-11-22T11:30:00Z' })
  for (const event of [second, refund({ id: '701' }, 100, 14700)]) t.equal((await shop.send(payload(event))).status, 200)
  t.match(await orderOf(shop, json['order_id']), { status: 'partially_refunded', refunded_amount: 300 })
  t.equal((await shop.send(payload(refund({ id: '701' }, 14700, 14700, { updated_at: '2026-11-22T12:00:00Z' })))).status, 200)
  t.match(await orderOf(shop, json['order_id']), { status: 'refunded', refunded_amount: 14700 })
  t.match(await shop.send(payload(eventOf('subscription_updated', '1', {}))), { status: 200, json: { status: 'ignored' } })
  t.match(await shop.send(payload(order({ ...bought, id: '702' }, { test_mode: true }))), { status: 200, json: { status: 'failed', reason: /mode/ } })
  await assertInvariants(t, shop.db)
})

// Guarantee: the items that an order does not show, and what a renewal is of, are asked for with the vendor's key.
t.test('Lemon Squeezy is asked', async (t) => {
  const items = [{ type: 'order-items', id: '1', attributes: item(sender.product, 1) }, { type: 'order-items', id: '2', attributes: item(sender.product, 2) }]
  const attributes = { order_id: 88, product_id: 410337, variant_id: Number(sender.product), first_subscription_item: { id: 1, quantity: 1 } }
  const { shop, api, receive } = await askingShop(t, sender, 'eyJ0.key', {
    '/v1/order-items?filter[order_id]=88&page[size]=100': { data: items }, '/v1/subscriptions/5': { data: { type: 'subscriptions', id: '5', attributes } },
  })
  const one = await receive(payload(order({ ...bought, id: '88' })))
  t.match(one, { first: 'waiting', event: { status: 'processed' } })
  t.match(await orderOf(shop, one.event['order_id']), { external_id: '88', line_items: [{ quantity: 1 }, { quantity: 2 }], fulfillment_status: 'fulfilled' })
  const renewal = await receive(payload(eventOf('subscription_payment_success', '9', { billing_reason: 'renewal', subscription_id: 5, total: 4900 })))
  t.match(await orderOf(shop, renewal.event['order_id']), { external_id: 'subscription-invoice-9', line_items: [{ quantity: 1 }] })
  for (const { method, headers } of api.received) t.match([method, headers], ['GET', { authorization: 'Bearer eyJ0.key', accept: 'application/vnd.api+json' }])
  await assertInvariants(t, shop.db)
})
