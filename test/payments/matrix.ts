// What every checkout has to pass, played against the service over HTTP with events signed as that checkout signs them.
import type { Test } from 'tap'
import { checkouts, type CheckoutKind } from '../../src/payments/checkouts.js'
import type { Checkout as Kind } from '../../src/payments/checkout.js'
import { testApp, type TestApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { listen } from '../support/socket.js'
import { callsOf, keys, makePool, makeProduct, stockOf, type Call } from '../support/vendor.js'
import { postMessage, withHeader, type Message, type Posted } from '../support/webhooks.js'
import { state } from './support.js'

/** What is posted before it is signed. `headers`: a flat list of those that come with it, such as a topic. */
export interface Payload { body: string | Buffer, headers?: string[] }

export interface Purchase { id: string, product: string, quantity: number, email: string }

/** One kind of checkout: what it sends, and how it signs. */
export interface Sender {
  kind: CheckoutKind
  /** a signing secret as the checkout makes it, another each time */
  newSecret: () => string
  /** what else `POST /v1/payment-sources` is given */
  source?: object
  /** the name of a product in its events, and one that no product has */
  product: string
  unknown_product: string
  /** lower case; without any of them nothing is proven */
  signed_headers: string[]
  /** it signs some fields of the body only */
  is_partly_signed?: true
  /** it signs a time */
  is_timed: boolean
  /** its header has room for a signature with each of several secrets, in this order; else `sign` takes the first */
  is_rotating: boolean
  sign: (payload: Payload, secrets: readonly string[], at: Date) => Message
  /** a whole purchase, of the mode of the source, in one event that needs no look-up */
  paid: (purchase: Purchase) => Payload
  /** a refund of all of it */
  refunded: (purchase: Purchase) => Payload
}

export interface Shop extends TestApp {
  call: Call
  port: number
  pool_id: string
  source: { id: string, secret: string }
  post: (message: Message) => Promise<Posted>
  /** signs with the source's secret, and posts */
  send: (payload: Payload) => Promise<Posted>
}

type Json = Record<string, unknown>
interface Order extends Json {
  line_items: Array<{ quantity: number, licenses: Array<{ id: string, state: string }> }>
  deliveries: Array<{ status: string, license_ids: string[] }>
}

/** A service that listens, whose vendor sells the sender's product from a pool of its own and has one source of its kind. */
export async function shopOf (t: Test, sender: Pick<Sender, 'kind' | 'newSecret' | 'product' | 'sign'>, source: object = {}, licenses = 60): Promise<Shop> {
  const app = await testApp(t)
  const port = await listen(app.app)
  const call = callsOf(app.app, app.vendor)
  const product_id = await makeProduct(call, sender.product)
  const pool_id = await makePool(call, { product_ids: [product_id] }, keys(licenses))
  const secret = sender.newSecret()
  const made = await call('POST', '/v1/payment-sources', { kind: sender.kind, name: 'shop', secret, ...source })
  if (made.statusCode !== 201) throw new Error(made.body)
  const { id } = made.json<{ id: string }>()
  const post = (message: Message): Promise<Posted> => postMessage(port, id, message)
  return { ...app, call, port, pool_id, source: { id, secret }, post, send: (payload) => post(sender.sign(payload, [secret], new Date())) }
}

export async function orderOf ({ call }: Pick<Shop, 'call'>, order_id: unknown): Promise<Order> {
  return (await call('GET', `/v1/orders/${String(order_id)}`)).json<Order>()
}

const heldBy = (order: Order): number => order.line_items.flatMap(({ licenses }) => licenses).filter((license) => license.state === 'allocated').length
const pad = (text: string | Buffer, bytes: number): Buffer => Buffer.concat([Buffer.from(text as string), Buffer.alloc(bytes - Buffer.byteLength(text), ' ')])
const MEGABYTE = 1024 * 1024
const LATE_MS = 24 * 3_600_000

/** Plays the whole matrix; the sender's own cases come beside it. */
export async function matrix (t: Test, sender: Sender): Promise<void> {
  const shop = await shopOf(t, sender, sender.source)
  const { secret } = shop.source
  const kept_status = (checkouts[sender.kind] as Kind).kept_status ?? 202
  let count = 0
  const purchase = (more: Partial<Purchase> = {}): Purchase =>
    ({ id: String(7_000_000 + ++count), product: sender.product, quantity: 1, email: 'ada@example.com', ...more })
  const signed = (payload: Payload, secrets: readonly string[] = [secret], at = new Date()): Message => sender.sign(payload, secrets, at)
  const refuses = async (t: Test, message: Message, what: string): Promise<void> => {
    const before = await state(shop)
    t.match(await shop.post(message), { status: 401, json: { error_code: 'PAY_001' } }, what)
    t.equal(await state(shop), before, `${what}: nothing is changed`)
  }

  // Guarantee: a paid event as the checkout sends it becomes its order, with a license a unit and its mail planned, before it is answered 200.
  await t.test('valid', async (t) => {
    for (const quantity of [1, 3]) {
      const { status, json } = await shop.send(sender.paid(purchase({ quantity })))
      t.match({ status, json }, { status: 200, json: { status: 'processed', reason: null, order_id: /^OR-/ } })
      const order = await orderOf(shop, json['order_id'])
      t.match(order, { status: 'paid', fulfillment_status: 'fulfilled', source_id: shop.source.id, customer: { email: 'ada@example.com' }, currency: /^[A-Z]{3}$/ })
      t.strictSame(order.line_items.map((line) => [line.quantity, line.licenses.length]), [[quantity, quantity]])
      t.match(order.deliveries, [{ status: 'planned', license_ids: { length: quantity } }])
    }
  })

  // Guarantee: only these bytes, with these headers, signed with a secret of the source, are believed; nothing else leaves a trace.
  await t.test('forged', async (t) => {
    const payload = sender.paid(purchase())
    const message = signed(payload)
    const bodies = [
      ['no body', Buffer.alloc(0)],
      ['the first byte', Buffer.concat([Buffer.from(' '), message.body.subarray(1)])],
      ['the last byte', Buffer.concat([message.body.subarray(0, -1), Buffer.from(']')])],
      ['a byte in the middle', Buffer.concat([message.body.subarray(0, 200), Buffer.from([(message.body[200] ?? 0) ^ 1]), message.body.subarray(201)])],
      ['a byte more', Buffer.concat([message.body, Buffer.from('\n')])],
    ] as const
    for (const [what, body] of sender.is_partly_signed ? bodies.slice(0, 3) : bodies) await refuses(t, { ...message, body }, what)
    await refuses(t, signed(payload, [sender.newSecret()]), 'another secret')
    for (const header of sender.signed_headers) {
      await refuses(t, withHeader(message, header, undefined), `without ${header}`)
      await refuses(t, withHeader(message, header, ''), `${header} is empty`)
    }
    t.equal((await shop.post(message)).status, 200, 'and the true one is taken after all of them')
  })

  // Guarantee: age is bounded both ways where the checkout signs a time; a webhook that waited a little is taken.
  await t.test('old and future', { skip: !sender.is_timed && 'it signs no time' }, async (t) => {
    const tolerance_ms = (checkouts[sender.kind] as Kind).tolerance_ms ?? 0
    for (const [ms, what] of [
      [-LATE_MS, 'a day old'], [LATE_MS, 'of tomorrow'], [-tolerance_ms - 5000, 'a little too old'], [tolerance_ms + 5000, 'a little too far ahead'],
    ] as const) {
      await refuses(t, signed(sender.paid(purchase()), [secret], new Date(Date.now() + ms)), what)
    }
    for (const ms of [-tolerance_ms + 20_000, tolerance_ms - 20_000]) {
      t.equal((await shop.post(signed(sender.paid(purchase()), [secret], new Date(Date.now() + ms)))).status, 200)
    }
  })

  // Guarantee: during a rotation one right signature counts, wherever in the header it is.
  await t.test('two signatures', { skip: !sender.is_rotating && 'its header has one' }, async (t) => {
    const other = sender.newSecret()
    t.equal((await shop.post(signed(sender.paid(purchase()), [other, secret]))).status, 200, 'wrong, right')
    t.equal((await shop.post(signed(sender.paid(purchase()), [secret, other]))).status, 200, 'right, wrong')
    await refuses(t, signed(sender.paid(purchase()), [other, sender.newSecret()]), 'wrong, wrong')
  })

  // Guarantee: the same event twenty times at once is one order with one license and one mail; each copy is answered 200.
  await t.test('twenty at once', async (t) => {
    const message = signed(sender.paid(purchase()))
    const before = (await stockOf(shop.call, shop.pool_id))['available'] ?? 0
    const answers = await Promise.all(Array.from({ length: 20 }, () => shop.post(message)))
    t.strictSame([...new Set(answers.map(({ status }) => status))], [200])
    t.equal(new Set(answers.map(({ json }) => json['order_id'])).size, 1)
    t.equal(new Set(answers.map(({ json }) => json['id'])).size, 1)
    t.equal((await stockOf(shop.call, shop.pool_id))['available'], before - 1)
    t.match((await orderOf(shop, answers[0]?.json['order_id'])).deliveries, { length: 1 })
  })

  // Guarantee: what is paid for and cannot be served is kept with its reason, and is served by a replay once that is mended.
  await t.test('unknown product', async (t) => {
    const { status, json } = await shop.send(sender.paid(purchase({ product: sender.unknown_product, quantity: 3 })))
    t.match({ status, json }, { status: kept_status, json: { status: 'failed', order_id: null, reason: new RegExp(sender.unknown_product) } })
    const product_id = await makeProduct(shop.call, sender.unknown_product)
    await makePool(shop.call, { product_ids: [product_id] }, keys(3, 'LATE-LATE'))
    const replayed = (await shop.call('POST', `/v1/payment-events/${String(json['id'])}/replay`)).json<Json>()
    t.match(replayed, { status: 'processed', order_id: /^OR-/ })
    t.equal(heldBy(await orderOf(shop, replayed['order_id'])), 3)
  })

  // Guarantee: bytes that are no JSON are refused unsigned, and kept when they are signed.
  await t.test('no JSON', { skip: sender.is_partly_signed && 'what is signed is in the JSON' }, async (t) => {
    const payload = { ...sender.paid(purchase()), body: 'webhook_id=7' }
    const ping = { headers: ['content-type', 'application/x-www-form-urlencoded'], body: Buffer.from(payload.body) }
    if ((checkouts[sender.kind] as Kind).isPing === undefined) await refuses(t, ping, 'a ping that is not signed')
    t.match(await shop.send(payload), { status: kept_status, json: { status: 'failed', order_id: null } })
  })

  // Guarantee: an event of up to a megabyte is read whole; a longer one is refused before it is.
  await t.test('a megabyte', async (t) => {
    const payload = sender.paid(purchase())
    t.equal((await shop.send({ ...payload, body: pad(payload.body, MEGABYTE) })).status, 200)
    const before = await state(shop)
    t.equal((await shop.send({ ...payload, body: pad(payload.body, MEGABYTE + 1) })).status, 413)
    t.equal(await state(shop), before)
  })

  // Guarantee: paid and refunded end in the same state in either order and however often each comes: no license, no mail, all stock back.
  await t.test('refund before and after paid', async (t) => {
    for (const turns of [
      ['paid', 'refunded'], ['refunded', 'paid'], ['refunded', 'paid', 'refunded', 'paid'], ['paid', 'paid', 'refunded', 'refunded'],
    ] as const) {
      const bought = purchase({ quantity: 3 })
      const messages = { paid: signed(sender.paid(bought)), refunded: signed(sender.refunded(bought)) }
      const before = await stockOf(shop.call, shop.pool_id)
      const answers = []
      for (const turn of turns) answers.push(await shop.post(messages[turn]))
      t.ok(answers.every(({ status }) => status === 200 || status === kept_status), 'each is answered as durable')
      const order = await orderOf(shop, answers.at(turns.indexOf('paid'))?.json['order_id'])
      t.match(order, { status: 'refunded' }, turns.join(', '))
      t.equal(heldBy(order), 0)
      t.strictSame(order.deliveries.filter(({ status }) => status !== 'cancelled'), [], 'and no mail')
      t.strictSame(await stockOf(shop.call, shop.pool_id), before)
    }
  })
  await assertInvariants(t, shop.db)
}
