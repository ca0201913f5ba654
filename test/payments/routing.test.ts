// What is the same for every checkout, before and after its own signature and words: tried with our own vocabulary, where that will do.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.js'
import { findProducts } from '../../src/payments/find-products.js'
import { startWorker } from '../../src/worker.js'
import { testApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { callsOf, keys, makePool, makeProduct, stockOf, type Call } from '../support/vendor.js'
import { messageOf, postMessage, withHeader, type Message } from '../support/webhooks.js'
import { checkout, paid, state, type Checkout } from './support.js'

const said = (type: string, data: object, more: object = {}): object => ({ type, timestamp: '2026-02-01T10:00:00Z', data: { external_id: 'A-1', ...data }, ...more })
const orderOf = async (shop: Checkout, id: unknown) => (await shop.call('GET', `/v1/orders/${String(id)}`)).json()
const makeSource = async (call: Call, body: object): Promise<{ id: string, secret: string }> => {
  const answer = await call('POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'other', ...body })
  if (answer.statusCode !== 201) throw new Error(answer.body)
  return answer.json()
}

// Guarantee: what our own vocabulary says of an order is done to it, whatever comes first; an event of which nothing is known waits for its order.
t.test('the whole vocabulary', async (t) => {
  const shop = await checkout(t, 10)
  const early = await shop.send(said('order.refunded', { refund_id: 're_1', line_items: [{ external_id: 'x', quantity: 1 }] }))
  t.match(early, { status: 202, json: { status: 'waiting', order_id: null, reason: 'no order is known as "A-1" yet' } }, 'the refund before the payment')
  const { json: { order_id } } = await shop.send(paid('A-1', { line_items: [{ external_id: 'x', product: 'sku-pro', quantity: 3, unit_amount: 1000 }], total_amount: 3000 }))
  t.match(await orderOf(shop, order_id), { status: 'partially_refunded', fulfillment_status: 'fulfilled' })
  t.match((await shop.call('GET', `/v1/payment-events/${String(early.json['id'])}`)).json(), { status: 'processed', order_id }, 'and its event is done')
  const steps: Array<[type: string, data: object, status: string]> = [
    ['order.refund_failed', { refund_id: 're_1' }, 'paid'],
    ['dispute.opened', { dispute_id: 'dp_1' }, 'disputed'],
    ['dispute.won', { dispute_id: 'dp_1' }, 'paid'],
    ['order.payment_failed', {}, 'paid'],
    ['order.refunded', { refund_id: 're_2', amount: 500 }, 'partially_refunded'],
    ['dispute.opened', { dispute_id: 'dp_2' }, 'disputed'],
    ['dispute.lost', { dispute_id: 'dp_2' }, 'charged_back'],
  ]
  for (const [n, [type, data, status]] of steps.entries()) {
    const message = said(type, data, { timestamp: `2026-02-02T10:0${n}:00Z` })
    t.match(await shop.send(message, { id: `evt-${n}` }), { status: 200, json: { status: 'processed', order_id } }, type)
    t.match(await shop.send(message, { id: `evt-${n}` }), { status: 200 }, `${type}, again`)
    t.equal((await orderOf(shop, order_id)).status, status, type)
  }
  t.match(await stockOf(shop.call, shop.pool_id), { available: 10, allocated: 0 }, 'nobody had seen them')
  t.match(await shop.send(said('order.payment_failed', { external_id: 'never' })), { status: 202, json: { status: 'ignored' } }, 'of an order that is none nothing is kept')
  for (const [type, data, reason] of [
    ['order.refunded', { external_id: undefined }, /^external_id: is required/], ['order.refunded', { amount: 0 }, /^amount: /], ['order.refund_failed', {}, /^refund_id: is required/],
    ['order.refunded', { line_items: [{ external_id: 'x', quantity: 0 }] }, /^line_items\.0\.quantity: /], ['dispute.opened', { amount: 1.5 }, /^amount: /],
  ] as const) t.match(await shop.send(said(type, data)), { status: 202, json: { status: 'failed', reason } }, `${type} ${JSON.stringify(data)}`)
  await assertInvariants(t, shop.db)
})

// Guarantee: no event of the other mode gets to an order, whatever it says.
t.test('mode', async (t) => {
  const shop = await checkout(t)
  const { json: { order_id } } = await shop.send(paid('A-1'))
  const before = await orderOf(shop, order_id)
  for (const type of ['order.refunded', 'order.cancelled', 'order.payment_failed', 'dispute.opened', 'dispute.lost', 'order.unheard']) {
    t.match(await shop.send(said(type, { mode: 'test' })), { status: 202, json: { status: 'failed', reason: /^mode: is test, but the payment source is for live orders/ } }, type)
  }
  t.strictSame(await orderOf(shop, order_id), before)
  await assertInvariants(t, shop.db)
})

// Guarantee: the vendor's map decides which product is meant, before every other name; several names of one article are tried in their order, and
// where none is known the reason names all.
t.test('which product', async (t) => {
  const shop = await checkout(t)
  const other = await makeProduct(shop.call, 'sku-other')
  await makePool(shop.call, { product_ids: [other] }, keys(10, 'OTHER'))
  const source = `/v1/payment-sources/${shop.source.id}`
  t.match((await shop.call('PUT', source, { product_map: { 'article 7': 'sku-other', 'sku-pro': 'sku-other', dangling: 'sku-gone' } })).json(), { product_map: { 'article 7': 'sku-other' } })
  await new Promise((resolve) => setTimeout(resolve, 1100)) // sources are remembered for a second
  const bought = async (product: string) => {
    const { json } = await shop.send(paid(`A-${product}`, { line_items: [{ product, quantity: 1 }] }))
    return json['order_id'] === null ? json['reason'] : (await orderOf(shop, json['order_id'])).line_items[0].product_id
  }
  t.equal(await bought('article 7'), other)
  t.equal(await bought('sku-pro'), other, 'also where the name is a product\'s own')
  t.match(await bought('dangling'), /sku-gone/, 'a map that leads nowhere is said, not passed over')
  const named = async (products: Array<string | string[]>, product_map = {}) =>
    (await findProducts(shop.db, shop.vendor.account_id, products.map((product) => ({ product, quantity: 1 })), { product_map })).map(({ product }) => product)
  t.strictSame(await named([['none', 'sku-other', 'sku-pro'], ['sku-pro', 'sku-other'], 'unseen', [other]]), ['sku-other', 'sku-pro', 'unseen', other])
  t.strictSame(await named([['none', 'sku-pro'], ['sku-pro', 'b', 'a']], { a: 'mapped a', b: 'mapped b' }), ['sku-pro', 'mapped b'], 'the map goes first, by the order of the names')
  await t.rejects(named(['sku-pro', ['none', 'gone', 'none']]), { message: /^line_items\.1\.product: no product has "none", "gone" as its id/ })
  await t.rejects(named([[]]), { message: /^line_items\.0\.product: the event names no product/ })
  await t.rejects(findProducts(shop.db, shop.stranger.account_id, [{ product: ['sku-other', 'sku-pro'], quantity: 1 }], {}), 'nor is another account\'s known')
  await assertInvariants(t, shop.db)
})

// Guarantee: a ping is answered as the checkout expects, without a signature, and leaves nothing; nothing else is taken for one.
t.test('ping', async (t) => {
  const shop = await checkout(t)
  const woo = await makeSource(shop.call, { kind: 'woocommerce', secret: 'a secret of the shop' })
  const before = await state(shop)
  const form = (body: string): Message => ({ headers: ['content-type', 'application/x-www-form-urlencoded'], body: Buffer.from(body) })
  t.equal((await shop.post(form('webhook_id=7'), woo.id)).status, 200)
  t.equal((await shop.post(form('webhook_id=7'))).status, 401, 'not of another kind')
  t.equal((await shop.post(form('webhook_id=7'), 'PS-0')).status, 404, 'nor of no source')
  t.equal((await shop.post(form('webhook_id=7&order=1'), woo.id)).status, 401)
  t.equal(await state(shop), before)
})

// Guarantee: where a source says from which networks its webhooks come, others are refused though they are signed.
t.test('allowed networks', async (t) => {
  const shop = await checkout(t)
  for (const [networks, status] of [[['10.0.0.0/8'], 401], [['10.0.0.0/8', '127.0.0.0/8'], 200], [['::1/128'], 401], [[], 200]] as const) {
    const source = await makeSource(shop.call, { allowed_networks: networks })
    t.equal((await postMessage(shop.port, source.id, messageOf(source.secret, JSON.stringify(paid('A-1'))))).status, status, networks.join())
  }
  for (const [proxies, status] of [['', 401], ['127.0.0.0/8', 200], ['192.0.2.0/24', 401]] as const) {
    const behind = await testApp(t, { TRUSTED_PROXIES: proxies })
    const source = await makeSource(callsOf(behind.app, behind.vendor), { allowed_networks: ['203.0.113.0/24'] })
    const { headers, body } = messageOf(source.secret, '{"type":"x"}')
    const named = Object.fromEntries(headers.flatMap((name, n) => n % 2 === 0 ? [[name, headers[n + 1]]] : []))
    const answer = await behind.app.inject({ method: 'POST', url: `/v1/payments/${source.id}`, headers: { ...named, 'x-forwarded-for': '203.0.113.7' }, payload: body })
    t.equal(answer.statusCode, status === 200 ? 202 : 401, `behind a proxy, trusted: ${proxies}`)
  }
})

// Guarantee (D6): an Ed25519 signature opens a source that has its public key, over the same bytes, beside the secrets of the older form.
t.test('v1a', async (t) => {
  const shop = await checkout(t)
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const x = Buffer.from(String(publicKey.export({ format: 'jwk' })['x']), 'base64url').toString('base64')
  t.equal((await shop.call('POST', `/v1/payment-sources/${shop.source.id}/secrets`, { secret: `whpk_${x}` })).statusCode, 201)
  await new Promise((resolve) => setTimeout(resolve, 1100))
  const signed = (order: string, bytes: (message: Message) => Buffer = ({ body }) => body): Message => {
    const message = messageOf(`whsec_${randomUUID().replaceAll('-', '')}`, JSON.stringify(paid(order)))
    const [, , , id, , time] = message.headers
    const signature = sign(null, Buffer.concat([Buffer.from(`${id}.${time}.`), bytes(message)]), privateKey).toString('base64')
    return withHeader(message, 'webhook-signature', `v1,AAAA v1a,${signature}`)
  }
  t.equal((await shop.post(signed('A-1'))).status, 200)
  t.equal((await shop.post(signed('A-2', () => Buffer.from('other bytes')))).status, 401)
  t.equal((await shop.send(paid('A-3'))).status, 200, 'v1 goes on')
  await assertInvariants(t, shop.db)
})

// Guarantee: a secret is changed without a webhook lost: old and new are taken for as long as was said, then only the new; on every process within a
// second. The last one cannot go.
t.test('rotation', async (t) => {
  const shop = await checkout(t)
  const url = `/v1/payment-sources/${shop.source.id}/secrets`
  const added = await shop.call('POST', url, { expires_others_in_s: 3 }, { 'idempotency-key': 'k' })
  const { id, secret } = added.json<{ id: string, secret: string }>()
  t.match(added, { statusCode: 201, headers: { 'cache-control': 'no-store' } })
  t.strictSame((await shop.call('POST', url, { expires_others_in_s: 3 }, { 'idempotency-key': 'k' })).json(), added.json(), 'the same request again')
  const post = async (by: string): Promise<number> => (await shop.post(messageOf(by, JSON.stringify(paid(randomUUID()))))).status
  await new Promise((resolve) => setTimeout(resolve, 1100))
  t.strictSame([await post(shop.source.secret), await post(secret)], [200, 200])
  const listed = await shop.call('GET', url)
  t.match(listed.json(), [{ expires_at: String }, { id, expires_at: null }])
  t.notOk(listed.body.includes(secret) || listed.body.includes(shop.source.secret))
  await new Promise((resolve) => setTimeout(resolve, 3100))
  t.strictSame([await post(shop.source.secret), await post(secret)], [401, 200])
  t.match((await shop.call('DELETE', `${url}/${id}`)).json(), { status: 409, error_code: 'PAY_006' })
  t.match((await shop.call('DELETE', `${url}/SS-0`)).json(), { status: 404, error_code: 'PAY_004' })
  const next = (await shop.call('POST', url, {})).json<{ id: string, secret: string }>()
  const both = await Promise.all([id, next.id].map((one) => shop.call('DELETE', `${url}/${one}`)))
  t.strictSame(both.map(({ statusCode }) => statusCode).sort(), [204, 409], 'of two who remove the last two one is refused')
  for (let n = 0; n < 9; n++) t.equal((await shop.call('POST', url, {})).statusCode, 201)
  t.match((await shop.call('POST', url, {})).json(), { status: 409, error_code: 'PAY_007' })
  await assertInvariants(t, shop.db)
})

// Guarantee: settings that cannot work are refused by name, and no key leaves in clear for the open net.
t.test('settings', async (t) => {
  const shop = await checkout(t)
  for (const [body, fault] of [
    [{ kind: 'paddle' }, /^secret: is required/], [{ kind: 'paddle', secret: 'whsec_abc' }, /^secret: must be /], [{ api_key: 'k' }, /^api_key: /],
    [{ product_map: { a: 1 } }, /^product_map\.a: /], [{ tolerance_s: 0 }, /^tolerance_s: /], [{ on_dispute: 'maybe' }, /^on_dispute: /], [{ allowed_networks: ['10.0.0.0/33'] }, /^allowed_networks\.0: /],
    [{ api_url: 'http://api.example.com' }, /^api_url: must start with https/], [{ api_url: 'http://93.184.216.34' }, /^api_url: /], [{ api_url: 'https://10.0.0.1' }, /^api_url: its address/],
    [{ api_url: 'https://u:p@example.com' }, /^api_url: /], [{ api_url: 'nonsense' }, /^api_url: /], [{ api_url: 'ftp://example.com' }, /^api_url: /],
    [{ kind: 'shopify', secret: 's'.repeat(32), tolerance_s: 60 }, /^tolerance_s: /],
  ] as const) {
    const answer = await shop.call('POST', '/v1/payment-sources', { ...{ kind: 'standard-webhooks', name: 'x' }, ...body })
    t.equal(answer.statusCode, 400, JSON.stringify(body))
    t.match(answer.json().errors?.[0], fault, JSON.stringify(body))
  }
  const url = `/v1/payment-sources/${shop.source.id}`
  t.match((await shop.call('PUT', url, { tolerance_s: 60, on_dispute: 'none', allowed_networks: ['127.0.0.0/8'] })).json(), { tolerance_s: 60, on_dispute: 'none', has_api_key: false })
  t.match((await shop.call('PUT', url, { tolerance_s: null })).json(), { tolerance_s: null, on_dispute: 'none', allowed_networks: ['127.0.0.0/8'], name: 'shop' }, 'what is absent stays')
  for (const body of [{}, { kind: 'stripe' }, { mode: 'test' }, { api_key: '' }]) t.equal((await shop.call('PUT', url, body)).statusCode, 400, JSON.stringify(body))
  t.match((await shop.call('GET', '/v1/events?type=payment_source.changed')).json(), { length: 2 })
})

// Guarantee: with `on_dispute` none a dispute is told, and its mail goes out all the same.
t.test('a dispute that holds nothing', async (t: Test) => {
  const shop = await checkout(t)
  await shop.call('PUT', `/v1/payment-sources/${shop.source.id}`, { on_dispute: 'none' })
  await new Promise((resolve) => setTimeout(resolve, 1100))
  const { json: { order_id } } = await shop.send(paid('A-1'))
  await shop.send(said('dispute.opened', { dispute_id: 'dp_1' }))
  t.match(await orderOf(shop, order_id), { status: 'disputed', deliveries: [{ status: 'planned' }] })
  const sent: unknown[] = []
  const config = readConfig({ WORKER_POLL_MS: '20' })
  const quiet = { info () {}, warn () {}, error () {} }
  const worker = startWorker({ db: shop.db, config, keyring: shop.keyring, log: quiet, transport: { send: async (mail: unknown) => { sent.push(mail); return '250' } } as never })
  t.teardown(() => worker.stop(0))
  for (let n = 0; n < 200 && sent.length === 0; n++) await new Promise((resolve) => setTimeout(resolve, 25))
  t.equal(sent.length, 1)
})
