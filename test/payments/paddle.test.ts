import { createHmac, randomBytes } from 'node:crypto'
import { Paddle } from '@paddle/paddle-node-sdk'
import t from 'tap'
import type { Fact, SourceOptions } from '../../src/payments/checkout.js'
import { paddle } from '../../src/payments/paddle.js'
import { assertInvariants } from '../support/invariants.js'
import { headerOf, withHeader, type Message } from '../support/webhooks.js'
import { askingShop } from './asking.js'
import { bodyOf, stored } from './bodies.js'
import { matrix, orderOf, shopOf, type Payload, type Purchase, type Sender } from './matrix.js'

const SIGNATURE = 'paddle-signature'
type Json = Record<string, unknown>
interface Line extends Json { id: string, quantity: number, price_id: string, product: Json, unit_totals: Json, totals: Json }
interface Details extends Json { totals: Json, line_items: Line[] }
interface Data extends Json { id: string, details: Details, items: Array<{ price: Json }> }
interface Event extends Json { event_id: string, event_type: string, occurred_at: string, data: Data }

const eventOf = (file: string, event_type: string, data: Json): Event => {
  const event = bodyOf<Event>(file)
  return { ...event, event_id: `evt_${randomBytes(12).toString('hex')}`, event_type, data: { ...event.data, ...data } }
}
const payload = (event: object): Payload => ({ body: JSON.stringify(event) })

/** A completed transaction of one line, at 49.00 a unit. */
function transaction ({ id, product, quantity, email }: Purchase, data: Json = {}): Event {
  const event = eventOf('paddle-transaction-completed', 'transaction.completed', { id: `txn_${id}`, custom_data: { email } })
  const { details, items } = event.data
  const total = String(4900 * quantity)
  const line_items = details.line_items.map((line) => ({ ...line, id: `txnitm_${id}`, price_id: product, quantity, totals: { ...line.totals, total } }))
  const priced = items.map((item) => ({ ...item, price_id: product, quantity, price: { ...item.price, id: product } }))
  const totals = { ...details.totals, total, grand_total: total }
  return { ...event, data: { ...event.data, items: priced, details: { ...details, totals, line_items }, ...data } }
}

const adjustment = ({ id }: Pick<Purchase, 'id'>, data: Json = {}): Event =>
  eventOf('paddle-adjustment-updated', 'adjustment.updated', { id: `adj_${id}`, transaction_id: `txn_${id}`, ...data })

const sign = (body: Buffer, secrets: readonly string[], at: Date): Message => {
  const ts = Math.floor(at.getTime() / 1000)
  const signatures = secrets.map((secret) => `h1=${createHmac('sha256', secret).update(`${ts}:`).update(body).digest('hex')}`)
  return { headers: ['content-type', 'application/json', SIGNATURE, [`ts=${ts}`, ...signatures].join(';')], body }
}

const sender: Sender = {
  kind: 'paddle',
  newSecret: () => `pdl_ntfset_01ka${randomBytes(11).toString('hex')}_${randomBytes(16).toString('base64url')}`,
  product: 'pri_01k9properpetual0000000000',
  unknown_product: 'pri_01k9notyetmade000000000000',
  signed_headers: [SIGNATURE],
  is_timed: true,
  is_rotating: true,
  sign: ({ body }, secrets, at) => sign(Buffer.from(body as string), secrets, at),
  paid: (purchase) => payload(transaction(purchase)),
  refunded: (purchase) => payload(adjustment(purchase)),
}

t.test('the matrix', async (t) => { await matrix(t, sender) })

// Guarantee: the bytes and header that the service takes are those that Paddle's own library takes, and of a rotation it takes those that the library refuses.
t.test('beside Paddle\'s library', async (t) => {
  const secret = sender.newSecret()
  const shop = await shopOf(t, sender)
  const { webhooks } = new Paddle('none')
  const text = JSON.stringify(transaction({ id: '1', product: sender.product, quantity: 2, email: 'ada@example.com' }))
  const message = sign(Buffer.from(text), [shop.source.secret], new Date())
  const event = await webhooks.unmarshal(text, shop.source.secret, headerOf(message, SIGNATURE))
  t.match(event, { eventType: 'transaction.completed', data: { id: 'txn_1', details: { lineItems: [{ quantity: 2 }] } } })
  t.match(await shop.post(message), { status: 200, json: { status: 'processed' } })
  const rotated = sign(message.body, [shop.source.secret, secret], new Date())
  await t.rejects(webhooks.unmarshal(text, shop.source.secret, headerOf(rotated, SIGNATURE)), 'the library reads the last h1 only')
  t.equal((await shop.post(rotated)).status, 200)
  const slow = sign(message.body, [shop.source.secret], new Date(Date.now() - 60_000))
  await t.rejects(webhooks.unmarshal(text, shop.source.secret, headerOf(slow, SIGNATURE)), 'it allows five seconds')
  t.equal((await shop.post(slow)).status, 200)
  const header = headerOf(message, SIGNATURE)
  for (const wrong of [header.replace(';', ','), header.replace('h1=', 'h2='), header.replace('ts=', 't='), header.slice(0, -1), 'ts=;h1=', header.replace(/ts=\d+;/, ''), header.toUpperCase()]) {
    t.equal((await shop.post(withHeader(message, SIGNATURE, wrong))).status, 401, wrong)
  }
  await assertInvariants(t, shop.db)
})

const read = (event: object, options: SourceOptions = {}, answers?: Json): Fact => paddle.translate(stored(event, answers), options) as Fact
const orderIn = (fact: Fact) => fact.kind === 'paid' ? fact.order() : undefined
const changeIn = (fact: Fact) => 'change' in fact ? { kind: fact.kind, ...fact.change() } : fact
const bought: Purchase = { id: '77', product: 'pri_1', quantity: 2, email: 'ada@example.com' }
const KEY = { has_api_key: true }

// Guarantee: a completed transaction is an order of its lines; whose it is comes with it, or Paddle is asked, and is never guessed.
t.test('a transaction', async (t) => {
  t.strictSame(JSON.parse(JSON.stringify(orderIn(read(transaction(bought))))), {
    external_id: 'txn_77',
    currency: 'EUR',
    total_amount: 9800,
    refs: [],
    customer: { email: 'ada@example.com' },
    line_items: [{ external_id: 'txnitm_77', product: ['pri_1', 'pro_01k9harbourbackup00000000'], quantity: 2, unit_amount: 4900 }],
  })
  t.match(read(transaction(bought)), { kind: 'paid', type: 'transaction.completed', occurred_at: '2026-11-22T10:00:07.123Z', mode: undefined })
  const bare = transaction(bought, { custom_data: null })
  t.throws(() => orderIn(read(bare)), /custom_data\.email.*api_key/)
  t.match(read(bare, KEY), { kind: 'unanswered', lookups: [{ name: 'customer', path: '/customers/ctm_01kaada00000000000000000000' }] })
  const customer = { data: { id: 'ctm_1', email: 'ada@example.com', name: 'Ada Lovelace', locale: 'de' }, meta: { request_id: 'x' } }
  t.match(orderIn(read(bare, KEY, { customer })), { locale: 'de', customer: { email: 'ada@example.com', first_name: 'Ada', last_name: 'Lovelace' } })
  t.throws(() => orderIn(read(bare, KEY, { customer: { error: {} } })), /data/)
  t.throws(() => orderIn(read(transaction(bought, { custom_data: {}, customer_id: null }), KEY)), /custom_data\.email/)
  const named = transaction(bought, { custom_data: { email: 'ada@example.com', latchkey_hold: 'HO-1', latchkey_parent: 'A-1', latchkey_same_as: 'PS-2/9' } })
  named.data.items[0]!.price['custom_data'] = { latchkey_product: 'sku-pro' }
  t.match(orderIn(read(named)), { hold_id: 'HO-1', parent: 'A-1', same_as: { source_id: 'PS-2', external_id: '9' }, line_items: [{ product: ['sku-pro', 'pri_1', 'pro_01k9harbourbackup00000000'] }] })
  for (const type of ['transaction.paid', 'transaction.created', 'subscription.created', 'constructor']) t.match(read({ ...transaction(bought), event_type: type }), { kind: 'ignored' }, type)
})

// Guarantee: a renewal names what it renews by the subscription of the first transaction; a new way to pay, or a new size, delivers nothing by itself.
t.test('a subscription', async (t) => {
  const of = (origin: string): Event => transaction(bought, { origin, subscription_id: 'sub_1' })
  t.match(orderIn(read(of('web'))), { refs: ['sub_1'], parent: undefined })
  t.match(orderIn(read(of('subscription_recurring'))), { refs: [], parent: 'sub_1' })
  t.match(read(of('subscription_payment_method_change')), { kind: 'ignored' })
  t.throws(() => orderIn(read(of('subscription_update'))), /POST \/v1\/orders/)
})

// Guarantee: adjustments count once approved; all steps of a chargeback join under their transaction; parts of lines are units only where the money says so.
t.test('adjustments', async (t) => {
  const items = (...rows: Json[]): Json => ({ type: 'partial', items: rows.map((row) => ({ item_id: 'txnitm_77', ...row })) })
  const part = (total: string): Json => items({ type: 'partial', amount: total, totals: { total } })
  const transaction_answer = { transaction: { data: transaction(bought).data } }
  const cases: Array<[data: Json, expected: Json, options?: SourceOptions, answers?: Json]> = [
    [{}, { kind: 'refunded', ref: 'txn_77', subject: 'adj_77', amount: 4900, is_full: true }],
    [{ status: 'pending_approval' }, { kind: 'ignored', reason: /approved/ }],
    [{ status: 'rejected' }, { kind: 'ignored' }],
    [{ status: 'reversed' }, { kind: 'refund_failed', subject: 'adj_77' }],
    [items({ type: 'full' }), { kind: 'refunded', is_full: undefined, lines: [{ external_id: 'txnitm_77', quantity: undefined }] }],
    [items({ type: 'tax', amount: '782' }), { kind: 'refunded', lines: [] }],
    [part('4900'), { kind: 'refunded', amount: 4900, lines: [] }],
    [part('4900'), { kind: 'unanswered', lookups: [{ name: 'transaction', path: '/transactions/txn_77' }] }, KEY],
    [part('4900'), { lines: [{ external_id: 'txnitm_77', quantity: 1 }] }, KEY, transaction_answer],
    [part('9801'), { lines: [{ external_id: 'txnitm_77', quantity: 2 }] }, KEY, transaction_answer],
    [part('1000'), { lines: [] }, KEY, transaction_answer],
    [part('7350'), { lines: [] }, KEY, transaction_answer],
    [{ action: 'chargeback_warning' }, { kind: 'disputed', ref: 'txn_77', subject: 'txn_77' }],
    [{ action: 'chargeback_warning_reverse' }, { kind: 'dispute_won', subject: 'txn_77' }],
    [{ action: 'chargeback' }, { kind: 'dispute_lost', subject: 'txn_77', amount: 4900 }],
    [{ action: 'chargeback', status: 'reversed' }, { kind: 'dispute_won', subject: 'txn_77' }],
    [{ action: 'chargeback_reverse' }, { kind: 'dispute_won', subject: 'txn_77' }],
    [{ action: 'credit' }, { kind: 'ignored' }],
    [{ action: 'hasOwnProperty' }, { kind: 'ignored' }],
  ]
  for (const [data, expected, options, answers] of cases) t.match(changeIn(read(adjustment(bought, data), options, answers)), expected, JSON.stringify(data))
  t.match(changeIn(read({ ...transaction(bought, { custom_data: { latchkey_hold: 'HO-1' } }), event_type: 'transaction.canceled' })), { kind: 'payment_failed', ref: 'txn_77', hold_id: 'HO-1' })
  t.match(changeIn(read({ ...transaction(bought, { custom_data: { latchkey_hold: 'HO-1' } }), event_type: 'transaction.payment_failed' })), { kind: 'payment_failed', hold_id: undefined })
  for (const event of [{}, [], 7, adjustment(bought, { transaction_id: null }), { ...adjustment(bought), occurred_at: 'today' }, transaction(bought, { details: null })]) t.throws(() => read(event as object))
})

// Guarantee: over the wire the steps of a chargeback, and of a refund of one unit of two, do to the order what they say.
t.test('what becomes of the order', async (t) => {
  const shop = await shopOf(t, sender)
  const at = (event: Event, minutes: number): Payload => payload({ ...event, occurred_at: new Date(Date.parse('2026-11-22T11:00:00Z') + 60_000 * minutes).toISOString() })
  const buy = async (id: string): Promise<unknown> => (await shop.send(payload(transaction({ ...bought, id, product: sender.product })))).json['order_id']
  const after = async (order_id: unknown, step: Payload): Promise<unknown> => {
    t.equal((await shop.send(step)).status, 200)
    const order = await orderOf(shop, order_id)
    return [order['status'], order.line_items.flatMap(({ licenses }) => licenses).filter(({ state }) => state === 'allocated').length]
  }
  const one = await buy('901')
  t.strictSame(await after(one, at(adjustment({ id: '901' }, { id: 'adj_1', action: 'chargeback_warning' }), 1)), ['disputed', 2])
  t.strictSame(await after(one, at(adjustment({ id: '901' }, { id: 'adj_2', action: 'chargeback' }), 2)), ['charged_back', 0])
  t.strictSame(await after(one, at(adjustment({ id: '901' }, { id: 'adj_3', action: 'chargeback_reverse' }), 3)), ['paid', 2])
  const two = await buy('902')
  const part = { type: 'partial', totals: { total: '1000' }, items: [{ item_id: 'txnitm_902', type: 'partial', amount: '1000' }] }
  t.strictSame(await after(two, at(adjustment({ id: '902' }, part), 1)), ['partially_refunded', 2])
  t.strictSame(await after(two, at(adjustment({ id: '902' }, { id: 'adj_4', type: 'partial', items: [{ item_id: 'txnitm_902', type: 'full' }] }), 2)), ['refunded', 0])
  await assertInvariants(t, shop.db)
})

// Guarantee: a customer that a transaction only numbers is asked for with the vendor's key, and so is what a unit cost of a line that is refunded in part.
t.test('Paddle is asked', async (t) => {
  const sold = transaction({ ...bought, id: '88', product: sender.product }, { custom_data: null })
  const { shop, api, receive } = await askingShop(t, sender, 'pdl_live_apikey_1', {
    '/customers/ctm_01kaada00000000000000000000': { data: { id: 'ctm_01kaada00000000000000000000', email: 'ada@example.com', name: 'Ada King Lovelace', locale: 'de' } },
    '/transactions/txn_88': { data: sold.data },
  })
  const { first, event } = await receive(payload(sold))
  t.match([first, event], ['waiting', { status: 'processed' }])
  t.match(await orderOf(shop, event['order_id']), { external_id: 'txn_88', locale: 'de', customer: { email: 'ada@example.com', first_name: 'Ada King', last_name: 'Lovelace' } })
  const part = { type: 'partial', totals: { total: '4900' }, items: [{ item_id: 'txnitm_88', type: 'partial', amount: '4900', totals: { total: '4900' } }] }
  t.match(await receive(payload(adjustment({ id: '88' }, part))), { first: 'waiting', event: { status: 'processed', order_id: event['order_id'] } })
  const order = await orderOf(shop, event['order_id'])
  t.match(order, { status: 'partially_refunded', refunded_amount: 4900 })
  t.equal(order.line_items[0]?.licenses.filter(({ state }) => state === 'allocated').length, 1)
  for (const { method, headers } of api.received) t.match([method, headers], ['GET', { authorization: 'Bearer pdl_live_apikey_1', 'paddle-version': '1' }])
  await assertInvariants(t, shop.db)
})
