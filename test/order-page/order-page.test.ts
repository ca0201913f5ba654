import t from 'tap'
import { claimDeliveries } from '../../src/deliveries/claim.js'
import { readLetter } from '../support/deliveries.js'
import { inTransaction } from '../../src/database/transaction.js'
import { signToken } from '../../src/order-page/token.js'
import { newKeyMaterial, readKeyring } from '../../src/sealing.js'
import { testAccount, testApp } from '../support/app.js'
import { say } from '../orders/facts.js'
import { assertInvariants } from '../support/invariants.js'
import type { Json } from '../support/sdk.js'
import { callsOf, load } from '../support/vendor.js'
import { pageShop, type PageShop } from './support.js'

// One service for all: each test has vendors of its own, and an address where its guesses are counted.
const service = await testApp(t, { PUBLIC_URL: 'https://licenses.example.com/', TRUSTED_PROXIES: '127.0.0.1/32' })
const from = (address: string) => ({ 'x-forwarded-for': address })

const inDays = (days: number): Date => new Date(Date.now() + days * 86_400_000)

/** The licenses of the vendor's that pages showed, as the database has them. */
async function seenOnPage ({ db, vendor }: PageShop): Promise<string[]> {
  const rows = await db.selectFrom('license_sightings').select('license_id').where('account_id', '=', vendor.account_id).where('how', '=', 'order_page').orderBy('license_id').execute()
  return rows.map((row) => row.license_id)
}

const keysIn = (page: Json): Array<string | null> => (page['line_items'] as Json[]).flatMap((line) => (line['licenses'] as Json[]).map((license) => license['key'] as string | null))
const states = (page: Json): string[] => (page['line_items'] as Json[]).map((line) => line['state'])

// Guarantee: the page lists each line in the order's language, with the keys in clear, masked or not at all, as each product says; nothing of the customer.
t.test('what each product says', async (t) => {
  const shop = await pageShop(service)
  const { stock } = shop
  const order = await shop.order('A-1', [['none', 1], ['click', 2], ['show', 1]], { locale: 'de_AT', paid_at: '2026-01-31T10:15:00.000Z' })
  const token = await shop.token(order.id)
  const answer = await shop.read(token)
  t.equal(answer.statusCode, 200)
  const page = answer.json<Json>()
  const [none, click, show] = page['line_items'] as [Json, Json, Json]
  t.match(page, { external_id: 'A-1', status: 'paid', is_withheld: false, locale: 'de_AT', paid_at: '2026-01-31T10:15:00.000Z', seller: 'vendor of a test' })
  t.match(none, { id: `${order.id}-1`, product: 'Werkstatt none', display: 'none', state: 'mailed', quantity: 1, waiting: 0, license_count: 1 })
  t.strictSame(none['licenses'], [])
  t.match(click, { product: 'Werkstatt click', display: 'click', state: 'ready', quantity: 2, licenses: [{ key: null, shown_at: null }, { key: null, shown_at: null }] })
  t.match(show, { product: 'Werkstatt show', display: 'show', state: 'ready', licenses: [{ key: stock.show.keys[0], shown_at: /^\d{4}-/ }] })
  t.notMatch(answer.body, /ada|CLICK-VA-[\d-]+-0000/i, 'neither the customer nor a masked key')
  const held = order['line_items'][2]['licenses'][0]['id'] as string
  t.strictSame(await seenOnPage(shop), [held], 'reading counted for what it showed, and for nothing else')

  await shop.read(token)
  t.strictSame(await seenOnPage(shop), [held], 'once')
  const events = (await shop.call('GET', `/v1/events?subject_id=${held}&type=license.seen`)).json<Json[]>()
  t.match(events, [{ data: { order_id: order.id, how: 'order_page' } }])
  t.equal(events.length, 1)
})

// Guarantee: a reveal answers the keys of a line or of one license, and these count as seen from then on, once, however often and at once it is asked.
t.test('a reveal', async (t) => {
  const shop = await pageShop(service)
  const order = await shop.order('A-1', [['click', 2], ['click', 1], ['none', 1]])
  const token = await shop.token(order.id)
  const [first, second] = order['line_items'][0]['licenses'].map((license: Json) => license['id']) as [string, string]
  t.match((await shop.reveal(token, { license_id: second })).json(), { licenses: [{ id: second, line_item_id: `${order.id}-1`, key: shop.stock.click.keys[1] }] })
  t.strictSame(await seenOnPage(shop), [second])
  const answers = await Promise.all(Array.from({ length: 8 }, () => shop.reveal(token, { line_item_id: `${order.id}-1` })))
  const whole = { licenses: [first, second].map((id, i) => ({ id, line_item_id: `${order.id}-1`, key: shop.stock.click.keys[i] })) }
  for (const answer of answers) t.strictSame([answer.statusCode, answer.json()], [200, whole])
  t.strictSame(await seenOnPage(shop), [first, second].sort(), 'eight at once are one sighting each')
  t.match((await shop.read(token)).json<Json>()['line_items'][0], { licenses: [{ key: null, shown_at: /^\d/ }, { key: null, shown_at: /^\d/ }] }, 'it is masked until the next click')

  const seen = (await shop.call('GET', `/v1/orders/${order.id}`)).json<Json>()
  t.match(seen['line_items'][0]['licenses'], [{ seen_at: /^\d/ }, { seen_at: /^\d/ }])
  t.match(seen['line_items'][1]['licenses'], [{ seen_at: null }])
  for (const wanted of [{ line_item_id: `${order.id}-3` }, { line_item_id: `${order.id}-9` }, { license_id: order['line_items'][2]['licenses'][0]['id'] }, { license_id: 'LI-none' }]) {
    t.match((await shop.reveal(token, wanted)).json(), { status: 409, error_code: 'OPG_002' }, JSON.stringify(wanted))
  }
  for (const wanted of [{}, { line_item_id: 'x', license_id: 'y' }, { line_item_id: 1 }, { line: 'x' }]) {
    t.equal((await shop.reveal(token, wanted)).statusCode, 400, JSON.stringify(wanted))
  }
  await shop.call('POST', `/v1/orders/${order.id}/refund`, {})
  const ended = await shop.db.selectFrom('allocations').select(['license_id', 'ended_as']).where('license_id', 'in', [first, second]).execute()
  t.strictSame(ended.map((allocation) => allocation.ended_as), ['revoked', 'revoked'], 'what was shown is not sold again')
  t.match((await shop.reveal(token, { line_item_id: `${order.id}-1` })).statusCode, 409, 'and not shown again')
})

/** What the checkout of an order says of a dispute. */
const dispute = ({ db, keyring, vendor: { account_id } }: PageShop, kind: 'disputed' | 'dispute_lost') =>
  say({ db, keyring, account_id }, `dispute-${account_id}`, { kind, ref: 'A-1', subject: 'D-1', occurred_at: new Date().toISOString() })

/** What is done to an order of two, and what its page then says. */
const ENDS: Array<[what: string, done: (shop: PageShop, order: Json) => Promise<unknown>, status: string]> = [
  ['refunded', (shop, { id }) => shop.call('POST', `/v1/orders/${id}/refund`, {}), 'refunded'],
  ['cancelled', (shop, { id }) => shop.call('POST', `/v1/orders/${id}/cancel`, {}), 'cancelled'],
  ['charged back', (shop) => dispute(shop, 'dispute_lost'), 'charged_back'],
  ['disputed', (shop) => dispute(shop, 'disputed'), 'disputed'],
]
// Guarantee: an order that is over or disputed says so, and neither lists nor reveals a license, though its link is good.
t.test('orders that show nothing', async (t) => {
  for (const [what, done, status] of ENDS) {
    const shop = await pageShop(service)
    const order = await shop.order('A-1', [['click', 1], ['show', 1]])
    const token = await shop.token(order.id)
    t.not(keysIn((await shop.read(token)).json())[1], null)
    await done(shop, order)
    const page = (await shop.read(token)).json<Json>()
    t.match(page, { status, is_withheld: true, external_id: 'A-1' }, what)
    t.strictSame(page['line_items'], [])
    for (const line of ['1', '2']) t.equal((await shop.reveal(token, { line_item_id: `${order.id}-${line}` })).statusCode, 409)
  }
})

// Guarantee: after a refund of a part the page shows what is left; a line that waits says so until stock comes; a license that was revoked is not shown,
// and the one in its place is.
t.test('parts, waiting, replacement', async (t) => {
  const shop = await pageShop(service)
  const order = await shop.order('A-1', [['show', 2], ['show', 1], ['click', 7]])
  const token = await shop.token(order.id)
  const page = (await shop.read(token)).json<Json>()
  t.strictSame(states(page), ['ready', 'ready', 'waiting'])
  t.match(page['line_items'][2], { waiting: 7, license_count: 0, licenses: [] })
  t.equal((await shop.reveal(token, { line_item_id: `${order.id}-3` })).statusCode, 409)

  await shop.call('POST', `/v1/orders/${order.id}/refund`, { lines: [{ external_id: '1', quantity: 1 }, { external_id: '2' }] })
  await load(shop.call, shop.stock.click.pool_id, ['CLICK-6-LATER-00000', 'CLICK-7-LATER-00000'])
  const later = (await shop.read(token)).json<Json>()
  t.match(later, { status: 'partially_refunded', is_withheld: false })
  t.strictSame(states(later), ['ready', 'ended', 'ready'])
  t.match(later['line_items'][0], { quantity: 1, license_count: 1 })
  t.equal(later['line_items'][2]['licenses'].length, 7)

  const [{ id, key }] = later['line_items'][0]['licenses'] as [Json]
  await shop.call('POST', `/v1/licenses/${id}/replace`, { reason: 'it was stolen' })
  const replaced = (await shop.read(token)).json<Json>()
  t.equal(replaced['line_items'][0]['licenses'].length, 1)
  t.notMatch(JSON.stringify(replaced), key as string, 'the bad one is gone')
  t.ok(shop.stock.show.keys.includes(keysIn(replaced)[0] as string), 'there is another')
})

/** All there is to know of a refusal but the id of its request. */
const refusal = (answer: Awaited<ReturnType<PageShop['read']>>): object => {
  const { request_id, ...body } = answer.json<Json>()
  const { 'x-request-id': _, date, ...headers } = answer.headers
  return { status: answer.statusCode, body, headers }
}

// Guarantee: a token opens the one order it was made for. Whatever else is given, and for whatever reason it opens nothing, the answer is the same to the byte.
t.test('what opens nothing', async (t) => {
  const shop = await pageShop(service)
  const other = await pageShop(service)
  const [order, second, foreign] = [await shop.order('A-1', [['show', 1]]), await shop.order('A-2', [['show', 1]]), await other.order('A-1', [['show', 1]])]
  const [token, second_token, foreign_token] = [await shop.token(order.id), await shop.token(second.id), await other.token(foreign.id)]
  for (const [one, key] of [[token, shop.stock.show.keys[0]], [second_token, shop.stock.show.keys[1]], [foreign_token, other.stock.show.keys[0]]]) {
    t.strictSame(keysIn((await shop.read(one)).json()), [key], 'each its own order')
  }
  for (const [stolen, of] of [[second_token, order], [foreign_token, order]] as const) {
    t.equal((await shop.reveal(stolen, { line_item_id: `${of.id}-1` })).statusCode, 409, 'no line of another')
    t.equal((await shop.reveal(stolen, { license_id: of['line_items'][0]['licenses'][0]['id'] })).statusCode, 409, 'no license of another')
  }
  const ticket = { account_id: shop.vendor.account_id, order_id: order.id as string, generation: 0, expires_at: inDays(1) }
  const made = (change: object, keyring = shop.keyring): string => signToken(keyring, { ...ticket, ...change })
  t.equal((await shop.read(made({}))).statusCode, 200, 'the forger of this test can write tokens')
  const wrong = [
    undefined, '', 'x', 'OP_', token.slice(0, -1), `${token}A`, token.toUpperCase(), `${token}, ${token}`, `Bearer ${token}`, shop.vendor.api_key,
    made({ expires_at: inDays(-1) }), made({ generation: 1 }), made({ order_id: second.id, account_id: other.vendor.account_id }),
    made({ account_id: other.vendor.account_id }), made({ order_id: 'OR-none' }), made({}, readKeyring(newKeyMaterial())),
  ]
  const [first, ...rest] = (await Promise.all(wrong.map((one) => shop.read(one, from('203.0.113.1'))))).map(refusal)
  t.match(first, { status: 404, body: { type: '/docs/problems#order-page-not-found', error_code: 'OPG_001' } })
  for (const [i, one] of rest.entries()) t.strictSame(one, first, String(wrong[i + 1]))
  t.match((await shop.reveal('x', { line_item_id: `${order.id}-1` }, from('203.0.113.2'))).json(), { status: 404, error_code: 'OPG_001' })
  for (const url of [`/v1/order-page?order-token=${token}`, `/v1/order-page/${token}`, `/v1/order-page?token=${token}`]) t.equal((await shop.app.inject({ url, headers: from('203.0.113.2') })).statusCode, 404, 'not in a URL')
})

// Guarantee: revoking closes every link that was given out, of that order alone, and a link made later opens it again. Both are in the audit trail.
t.test('links are made and revoked', async (t) => {
  const shop = await pageShop(service)
  const [order, other] = [await shop.order('A-1', [['click', 1]]), await shop.order('A-2', [['click', 1]])]
  const answer = await shop.call('POST', `/v1/orders/${order.id}/page-link`)
  const { url, token, expires_at } = answer.json<Json>()
  t.equal(answer.headers['cache-control'], 'no-store')
  t.equal(url, `https://licenses.example.com/order#${token as string}`)
  t.ok(Math.abs(new Date(expires_at).getTime() - inDays(90).getTime()) < 60_000, 'ninety days')
  const [again, others] = [await shop.token(order.id), await shop.token(other.id)]
  t.equal((await shop.call('DELETE', `/v1/orders/${order.id}/page-link`)).statusCode, 204)
  t.strictSame(await Promise.all([token, again, others].map(async (one) => (await shop.read(one)).statusCode)), [404, 404, 200])
  t.equal((await shop.read(await shop.token(order.id))).statusCode, 200)
  const events = (await shop.call('GET', `/v1/events?subject_id=${order.id}&like(type,order.page_link*)&ordering(id)`)).json<Json[]>()
  t.strictSame(events.map(({ type }) => type).sort(), ['order.page_link_made', 'order.page_link_made', 'order.page_link_made', 'order.page_links_revoked'])
  t.notMatch(JSON.stringify(events), token, 'the link is not in them')
  const stranger = callsOf(service.app, service.stranger)
  for (const method of ['POST', 'DELETE'] as const) {
    t.match((await stranger(method, `/v1/orders/${order.id}/page-link`)).json(), { status: 404, error_code: 'ORD_002' })
  }
  const reader = callsOf(shop.app, await testAccount(shop.db, 'vendor', ['orders:read', 'orders:write', 'licenses:read']))
  t.equal((await reader('POST', `/v1/orders/${order.id}/page-link`)).statusCode, 403)
})

// Guarantee: once its customer was erased no link opens an order, and none is made.
t.test('an erased customer', async (t) => {
  const shop = await pageShop(service)
  const order = await shop.order('A-1', [['click', 1]])
  const token = await shop.token(order.id)
  const { customer } = await shop.db.selectFrom('orders').select('customer').where('id', '=', order.id).executeTakeFirstOrThrow()
  const set = (customer: unknown, erased_at: Date | null) =>
    shop.db.updateTable('orders').set({ customer: JSON.stringify(customer), erased_at }).where('id', '=', order.id).execute()
  await set({}, new Date())
  t.match((await shop.read(token, from('203.0.113.3'))).json(), { status: 404, error_code: 'OPG_001' })
  t.match((await shop.call('POST', `/v1/orders/${order.id}/page-link`)).json(), { status: 409, type: '/docs/problems#customer-erased' })
  await set(customer, null) // an erasure does more than this, and the invariants want all of it
  t.equal((await shop.read(token)).statusCode, 200)
})

// Guarantee: every try of a mail says the same link, counted from its own moment by the account's days; it opens the order until it is revoked.
t.test('the link in a mail', async (t) => {
  const shop = await pageShop(service)
  await shop.call('PUT', '/v1/order-page-settings', { days: 7 })
  const order = await shop.order('A-1', [['click', 1]])
  const claimed = await inTransaction(shop.db, (trx) => claimDeliveries(trx, { limit: 1000, lease_ms: 60_000, domain: 'x.example' }))
  const delivery = claimed.find(({ order_id }) => order_id === order.id)
  const maker = { keyring: shop.keyring, public_url: 'https://licenses.example.com' }
  const [one, two] = [await readLetter(shop.db, maker, delivery!), await readLetter(shop.db, maker, delivery!)]
  t.equal(one.order_page_url, two.order_page_url)
  const [page, token] = one.order_page_url?.split('#') ?? []
  t.equal(page, 'https://licenses.example.com/order')
  const read = (await shop.read(token)).json<Json>()
  t.equal(read['external_id'], 'A-1')
  t.ok(Math.abs(new Date(read['expires_at']).getTime() - inDays(7).getTime()) < 60_000)
  await shop.call('DELETE', `/v1/orders/${order.id}/page-link`)
  t.equal((await shop.read(token)).statusCode, 404)
})

// Guarantee: an account's settings are its own, whole and checked: an origin is what a browser would send, over TLS but on localhost.
t.test('settings', async (t) => {
  const shop = await pageShop(service)
  const put = (settings: object) => shop.call('PUT', '/v1/order-page-settings', settings)
  t.strictSame((await shop.call('GET', '/v1/order-page-settings')).json(), { days: 90, allowed_origins: [] })
  const settings = { days: 30, allowed_origins: ['https://shop.example.com', 'https://shop.example.com:8443', 'http://localhost:5173', 'http://127.0.0.1'] }
  t.strictSame((await put(settings)).json(), settings)
  t.strictSame((await callsOf(service.app, service.stranger)('GET', '/v1/order-page-settings')).json(), { days: 90, allowed_origins: [] })
  for (const origin of ['http://shop.example.com', 'https://shop.example.com/', 'https://Shop.example.com', 'https://shop.example.com:443', 'https://shop.example.com/x', '*', 'null', 'https://*.example.com',
    'shop.example.com', 'https://a@shop.example.com', 'file:///x', 'http://localhost.example.com', 'chrome-extension://abc', ' https://shop.example.com']) {
    t.match((await put({ allowed_origins: ['https://shop.example.com', origin] })).json(), { status: 400, errors: [/^allowed_origins\.1: /] }, origin)
  }
  for (const wrong of [{ days: 0 }, { days: 3651 }, { days: 1.5 }, { origins: [] }, { allowed_origins: null }]) t.equal((await put(wrong)).statusCode, 400)
  t.strictSame((await shop.call('GET', '/v1/order-page-settings')).json(), settings, 'what was refused changed nothing')
  t.strictSame((await put({})).json(), { days: 90, allowed_origins: [] }, 'what is left out has its default')
})

/** What a browser looks at. */
const cors = ({ headers }: Awaited<ReturnType<PageShop['read']>>) => ({ origin: headers['access-control-allow-origin'], vary: headers['vary'], credentials: headers['access-control-allow-credentials'] })
const ORIGIN = 'https://shop.example.com'

// Guarantee: a script of another site reads an order only where the order's own account lists the site; a preflight is answered to a site that any lists;
// nothing is sent with cookies; no other route is open to other sites.
t.test('CORS', async (t) => {
  const shop = await pageShop(service)
  const other = await pageShop(service)
  await shop.call('PUT', '/v1/order-page-settings', { allowed_origins: [ORIGIN] })
  const [mine, theirs] = [await shop.token((await shop.order('A-1', [['click', 1]])).id), await other.token((await other.order('A-1', [['click', 1]])).id)]
  const preflight = (url: string, origin: string) => shop.app.inject({
    method: 'OPTIONS', url, headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type,order-token' },
  })
  for (const url of ['/v1/order-page', '/v1/order-page/reveal']) {
    const asked = await preflight(url, ORIGIN)
    t.match(asked, { statusCode: 204, headers: { 'access-control-allow-methods': 'GET, POST', 'access-control-allow-headers': 'Content-Type, Order-Token', 'access-control-max-age': /^\d+$/ } })
    t.strictSame(cors(asked), { origin: ORIGIN, vary: 'Origin', credentials: undefined })
    for (const origin of ['https://evil.example.com', 'https://shop.example.com.evil.example.com', 'http://shop.example.com', 'null', '*']) {
      t.strictSame(cors(await preflight(url, origin)), { origin: undefined, vary: 'Origin', credentials: undefined }, origin)
    }
  }
  const origin = { origin: ORIGIN }
  t.equal(cors(await shop.read(mine, origin)).origin, ORIGIN)
  t.equal(cors(await shop.reveal(mine, { license_id: 'x' }, origin)).origin, ORIGIN, 'also what is refused of its own order')
  t.equal(cors(await shop.read(mine, { origin: 'https://evil.example.com' })).origin, undefined)
  t.strictSame(cors(await shop.read(theirs, origin)), { origin: undefined, vary: 'Origin', credentials: undefined }, 'another account\'s order')
  t.equal(cors(await shop.read(mine)).origin, undefined, 'nobody asked')
  t.strictSame([cors(await shop.read('x', origin)).origin, cors(await shop.read('x', { origin: 'https://evil.example.com' })).origin], [ORIGIN, undefined], 'a storefront may know that a link has ended')
  for (const url of ['/order', '/v1/orders', '/v1/order-page-settings', '/openapi.json']) {
    const answer = await shop.app.inject({ url, headers: { ...origin, authorization: shop.vendor.authorization } })
    t.strictSame([answer.statusCode, answer.headers['access-control-allow-origin']], [200, undefined], url)
  }
  t.equal((await shop.app.inject({ method: 'OPTIONS', url: '/v1/orders', headers: origin })).statusCode, 405)
})

// Guarantee: of one address twenty tokens a minute that open nothing are told so and the rest to wait; a reader with a good token is never held up, and
// addresses count each by itself, as the trusted proxy names them.
t.test('guesses', async (t) => {
  const shop = await pageShop(service)
  const token = await shop.token((await shop.order('A-1', [['click', 1]])).id)
  for (let i = 0; i < 60; i++) t.equal((await shop.read(token, from('203.0.113.7'))).statusCode, 200)
  const statuses: number[] = []
  for (let i = 0; i < 25; i++) statuses.push((await (i % 2 === 0 ? shop.read(`OP_${'A'.repeat(60 + i)}`, from('203.0.113.7')) : shop.reveal('x', { license_id: 'x' }, from('203.0.113.7')))).statusCode)
  t.strictSame(statuses, [...Array(20).fill(404), ...Array(5).fill(429)])
  const refused = await shop.read('x', from('203.0.113.7'))
  t.match(refused.json(), { status: 429, error_code: 'OPG_003' })
  t.ok(Number(refused.headers['retry-after']) >= 1 && Number(refused.headers['retry-after']) <= 60)
  t.equal((await shop.read(token, from('203.0.113.7'))).statusCode, 200, 'a good token at the same address')
  t.equal((await shop.read('x', from('203.0.113.8'))).statusCode, 404, 'another address')
  t.equal((await shop.app.inject({ url: '/v1/orders', headers: { ...from('203.0.113.7'), authorization: shop.vendor.authorization } })).statusCode, 200, 'another route')
})

// Guarantee: nothing of a page is kept, indexed, framed or told to other sites, and the page runs its own files alone.
t.test('headers and files', async (t) => {
  const shop = await pageShop(service)
  const token = await shop.token((await shop.order('A-1', [['click', 1]])).id)
  const common = { 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff', 'x-robots-tag': 'noindex, nofollow', 'cross-origin-resource-policy': 'same-origin' }
  for (const answer of [await shop.read(token), await shop.read('x'), await shop.reveal(token, { license_id: 'x' }), await shop.app.inject({ url: '/order' })]) {
    t.match(answer.headers, { ...common, 'cache-control': 'no-store' })
  }
  const types = { '/order': 'text/html', '/order/page.css': 'text/css', '/order/page.js': 'text/javascript', '/order/words.js': 'text/javascript', '/order/icon.svg': 'image/svg+xml' }
  for (const [url, type] of Object.entries(types)) {
    const { headers, body } = await shop.app.inject({ url })
    t.match(headers, { ...common, 'content-type': new RegExp(`^${type.replace('+', '\\+')}`), etag: /^"[\w-]{43}"$/, 'cross-origin-opener-policy': 'same-origin' })
    const policy = new Map(String(headers['content-security-policy']).split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1).join(' ')]))
    t.strictSame([...policy], [['default-src', "'none'"], ['script-src', "'self'"], ['style-src', "'self'"], ['connect-src', "'self'"], ['img-src', "'self'"], ['base-uri', "'none'"],
      ['form-action', "'none'"], ['frame-ancestors', "'none'"], ['require-trusted-types-for', "'script'"], ['trusted-types', "'none'"]])
    t.match((await shop.app.inject({ url, headers: { 'if-none-match': `"x", W/${headers['etag'] as string}` } })), { statusCode: 304, body: '' })
    t.equal((await shop.app.inject({ url, headers: { 'if-none-match': '"x"' } })).body, body)
    t.notMatch(body, /https?:\/\/(?!www\.w3\.org\/2000\/svg)/, 'no address of another site')
  }
  t.match((await shop.app.inject({ url: '/order' })).body, /<meta name="robots" content="noindex, nofollow">/)
  t.match(await shop.app.inject({ url: '/order/' }), { statusCode: 308, headers: { location: '../order' } }, 'its files are named from /order')
})

// What all of this left behind is in order.
t.test('invariants', async (t) => assertInvariants(t, service.db))
