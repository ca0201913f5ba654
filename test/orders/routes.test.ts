import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { PERMISSIONS } from '../../src/accounts/permissions.js'
import { idempotencyLock } from '../../src/database/once.js'
import { inTransaction } from '../../src/database/transaction.js'
import { cancelOrder } from '../../src/orders/cancel.js'
import { placeWithin } from '../../src/orders/place-within.js'
import { testAccount, testApp, type TestApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { callsOf, keys, load, makePool, makeProduct, orderOf, stockOf, type Call } from '../support/vendor.js'
import { arrivalOf } from './support.js'

interface Shop extends TestApp { call: Call, product_id: string, pool_id: string, place: (order: object, headers?: Record<string, string>) => ReturnType<Call> }

/** A vendor that sells `sku-pro` from a pool of its own. */
async function shopOf (t: Test, licenses = 20): Promise<Shop> {
  const app = await testApp(t)
  const call = callsOf(app.app, app.vendor)
  const product_id = await makeProduct(call, 'sku-pro')
  const pool_id = await makePool(call, { product_ids: [product_id] }, keys(licenses))
  return { ...app, call, product_id, pool_id, place: (order, headers) => call('POST', '/v1/orders', order, headers) }
}

/** Everything that an order may change. */
async function state ({ db }: TestApp): Promise<string> {
  const { rows } = await sql<{ state: string }>`
    select concat_ws(' ', (select count(*) from orders), (select count(*) from line_items), (select count(*) from slots), (select count(*) from allocations),
      (select count(*) from stock), (select count(*) from backorders), (select count(*) from deliveries), (select count(*) from events), (select count(*) from idempotency_keys)) as state`.execute(db)
  return rows[0]?.state ?? ''
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const lines = (...line_items: object[]): Record<string, unknown> => ({ line_items })
const CUSTOMER = { email: 'ada@example.com', first_name: 'Ada', last_name: 'Lovelace', company: 'Engines', phone: '+44 1', country: 'GB', city: 'London', zip: 'EC1A', address: '12 Street' }

// Guarantee: an order placed is whole in the answer, and the same whenever read: its lines, masked licenses in order, mails, and nothing else.
t.test('an order', async (t) => {
  const shop = await shopOf(t)
  const other_id = await makeProduct(shop.call, 'sku-line')
  const line_pool = await makePool(shop.call, { product_ids: [other_id], quantity_rule: 'line' }, ['SHORT', 'LONG-ENOUGH-TO-BE-MASKED'])
  const items = [{ external_id: 'b', product: 'sku-pro', quantity: 2, unit_amount: 4900 }, { external_id: 'a', product: other_id, quantity: 5 }]
  const order = orderOf('A-1', { locale: 'de_DE', mode: 'live', paid_at: '2026-01-31T11:15:00+01:00', customer: CUSTOMER, line_items: items })
  const answer = await shop.place(order)
  t.equal(answer.statusCode, 201)
  const body = answer.json()
  const { id } = body as { id: string }
  t.equal(answer.headers['location'], `/v1/orders/${id}`)
  const license = (unit: number, masked: string): object => ({ id: 'LI', unit, masked, state: 'allocated', allocated_at: 'moment', expires_at: null, seen_at: null, replaces: null, replaced_by: null })
  const plain = JSON.parse(JSON.stringify(body).replace(/"20\d\d-\d\d-\d\dT[^"]+Z"/g, '"moment"').replace(/"(LI|DE)-[0-9a-f]{27}"/g, '"$1"'))
  t.strictSame(plain, {
    id,
    external_id: 'A-1',
    source_id: 'api-live',
    status: 'paid',
    fulfillment_status: 'fulfilled',
    mode: 'live',
    currency: 'EUR',
    total_amount: null,
    refunded_amount: 0,
    is_held: false,
    locale: 'de_DE',
    customer: CUSTOMER,
    licensee: null,
    additional_info: null,
    parent_id: null,
    mail_to: null,
    paid_at: 'moment',
    created_at: 'moment',
    erased_at: null,
    line_items: [
      { id: `${id}-1`, external_id: 'b', product_id: shop.product_id, pool_id: shop.pool_id, quantity: 2, unit_amount: 4900, ended_units: 0, slots: 2, fulfillment_status: 'fulfilled', renewal: null, licenses: [license(1, 'ABCD-…-01'), license(2, 'ABCD-…-02')] },
      { id: `${id}-2`, external_id: 'a', product_id: other_id, pool_id: line_pool, quantity: 5, unit_amount: null, ended_units: 0, slots: 1, fulfillment_status: 'fulfilled', renewal: null, licenses: [license(1, '…')] },
    ],
    deliveries: [{ id: 'DE', product_id: plain.deliveries[0].product_id, license_ids: plain.deliveries[0].license_ids, reason: 'order', status: 'planned' },
      { id: 'DE', product_id: plain.deliveries[1].product_id, license_ids: plain.deliveries[1].license_ids, reason: 'order', status: 'planned' }],
  })
  const mails = new Map((body.deliveries as Array<{ product_id: string, license_ids: string[] }>).map((mail) => [mail.product_id, mail.license_ids]))
  for (const line of body.line_items) t.strictSame(mails.get(line.product_id), line.licenses.map((one: { id: string }) => one.id), 'one mail per product, its keys in order')
  t.equal(body.paid_at, '2026-01-31T10:15:00.000Z')
  t.strictSame((await shop.call('GET', `/v1/orders/${id}`)).json(), body)
  t.notMatch(answer.body, /ABCD-EFGH|SHORT/, 'no key')
  await assertInvariants(t, shop.db)
})

// Guarantee (A5): an order is known by source and external_id: the same again changes nothing, other content is refused.
t.test('again', async (t) => {
  const shop = await shopOf(t)
  const first = await shop.place(orderOf('A-1', lines({ product: 'sku-pro', quantity: 2 })))
  const before = await state(shop)
  for (const [name, same] of Object.entries({
    'the same': {},
    'the product by its id': lines({ product: shop.product_id, quantity: 2 }),
    'the line named as it was': lines({ external_id: '1', product: 'sku-pro', quantity: 2 }),
    'another customer and amount': { customer: { email: 'new@example.com' }, ...lines({ product: 'sku-pro', quantity: 2, unit_amount: 1 }) },
  })) {
    const again = await shop.place(orderOf('A-1', { ...lines({ product: 'sku-pro', quantity: 2 }), ...same }))
    t.equal(again.statusCode, 200, name)
    t.strictSame(again.json(), first.json(), name)
  }
  for (const [name, other] of Object.entries({
    quantity: lines({ product: 'sku-pro', quantity: 1 }),
    currency: { currency: 'USD', ...lines({ product: 'sku-pro', quantity: 2 }) },
    'a line more': lines({ product: 'sku-pro', quantity: 2 }, { product: 'sku-pro', quantity: 1 }),
    'a line id': lines({ external_id: 'x', product: 'sku-pro', quantity: 2 }),
    product: lines({ product: 'sku-none', quantity: 2 }),
  })) {
    const refused = await shop.place(orderOf('A-1', other))
    t.equal(refused.statusCode, 409, name)
    t.match(refused.json(), { error_code: 'ORD_001', params: { order_id: first.json().id }, errors: [/^external_id: /] }, name)
  }
  t.equal(await state(shop), before)
  const parallel = await Promise.all(range(12).map(() => shop.place(orderOf('A-2'))))
  t.strictSame(parallel.map(({ statusCode }) => statusCode).sort(), [...Array(11).fill(200), 201])
  t.equal(new Set(parallel.map((answer) => answer.json().id)).size, 1)
  t.equal((await callsOf(shop.app, shop.stranger)('POST', '/v1/orders', orderOf('A-1'))).statusCode, 404, 'another account has other orders and products')
  await assertInvariants(t, shop.db)
})

// Guarantee: under one Idempotency-Key an order is placed once; the same key with another order is refused, and while the first still runs it says so.
t.test('Idempotency-Key', async (t) => {
  const shop = await shopOf(t)
  const key = (name: string): Record<string, string> => ({ 'idempotency-key': name })
  const first = await shop.place(orderOf('A-1'), key('k1'))
  const again = await shop.place(orderOf('A-1'), key('k1'))
  t.strictSame([first.statusCode, again.statusCode, again.json()], [201, 201, first.json()])
  const before = await state(shop)
  t.match((await shop.place(orderOf('A-2'), key('k1'))).json(), { status: 422, error_code: 'IDM_001' })
  t.match((await shop.place(orderOf('A-1', { locale: 'de' }), key('k1'))).json(), { status: 422 })
  for (let i = 0; i < 30; i++) t.equal((await shop.place(orderOf(`B-${i}`), key('k1'))).statusCode, 422, 'and never said to be still running')
  t.equal((await shop.place(orderOf('A-3', lines({ product: 'sku-none', quantity: 1 })), key('k2'))).statusCode, 404)
  t.equal(await state(shop), before, 'a refusal keeps no key')
  t.equal((await shop.place(orderOf('A-3'), key('k2'))).statusCode, 201, 'so that the key is good for the mended order')
  const known = [await shop.place(orderOf('A-1'), key('k3')), await shop.place(orderOf('A-1'), key('k3'))]
  t.strictSame(known.map(({ statusCode }) => statusCode), [200, 200])
  const lock = idempotencyLock({ account_id: shop.vendor.account_id, operation: 'placeOrder', key: 'k4', fingerprint: Buffer.alloc(0) })
  await shop.db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended(${lock}, 0))`.execute(trx)
    const running = await shop.place(orderOf('A-4'), key('k4'))
    t.match(running.json(), { status: 409, error_code: 'IDM_002' })
    t.equal(running.headers['retry-after'], '1')
    t.equal((await shop.place(orderOf('A-5'), key('k5'))).statusCode, 201, 'others are not held up')
  })
  const race = await Promise.all(range(10).map((i) => shop.place(orderOf(`R-${i}`), key('k6'))))
  t.equal(race.filter(({ statusCode }) => statusCode === 201).length, 1, 'ten orders race under one key')
  t.ok(race.every(({ statusCode }) => [201, 409, 422].includes(statusCode)))
  const same = await Promise.all(range(10).map(() => shop.place(orderOf('A-6'), key('k7'))))
  t.ok(same.every(({ statusCode }) => statusCode === 201 || statusCode === 409) && same.some(({ statusCode }) => statusCode === 201))
  t.equal(new Set(same.filter(({ statusCode }) => statusCode === 201).map((answer) => answer.json().id)).size, 1)
  t.match(await stockOf(shop.call, shop.pool_id), { allocated: 5 })
  await assertInvariants(t, shop.db)
})

// Guarantee: what cannot be placed is refused with its reason, and nothing of it is kept.
t.test('refused', async (t) => {
  const shop = await shopOf(t)
  const [unstocked, scarce] = [await makeProduct(shop.call, 'sku-unstocked'), await makeProduct(shop.call, 'sku-scarce')]
  const pool_id = await makePool(shop.call, { product_ids: [scarce], on_shortage: 'fail' }, ['S-1', 'S-2'])
  const before = await state(shop)
  const two = (product: string, quantity: number): object => orderOf('A-1', lines({ product: 'sku-pro', quantity: 1 }, { product, quantity }))
  t.match((await shop.place(two('sku-none', 1))).json(), { status: 404, error_code: 'PRD_001', errors: ['line_items.1.product: no such product'] })
  t.match((await shop.place(two('sku-unstocked', 1))).json(), { status: 409, error_code: 'POL_002', params: { product_id: unstocked, currency: 'EUR', mode: 'live' } })
  t.match((await shop.place(two('sku-scarce', 3))).json(), { status: 409, error_code: 'LIC_002', params: { pool_ids: [pool_id] } })
  t.match((await shop.place(orderOf('A-1', lines({ product: 'sku-scarce', quantity: 2 }, { product: 'sku-scarce', quantity: 1 })))).json(), { status: 409 }, 'short over two lines')
  t.equal(await state(shop), before)
  t.equal((await shop.place(two('sku-scarce', 2))).statusCode, 201, 'what there is can be had, under the same external_id')
  t.match((await shop.place(orderOf('A-2', lines({ product: 'sku-scarce', quantity: 1 })))).json(), { status: 409 })
  await assertInvariants(t, shop.db)
})

const line = (fields: object): Record<string, unknown> => lines({ product: 'sku-pro', quantity: 1, ...fields })
const email = (address: unknown): Record<string, unknown> => ({ customer: { email: address } })
const INVALID: Array<[change: Record<string, unknown>, field: string]> = [
  [{ external_id: undefined }, 'external_id'], [{ external_id: '' }, 'external_id'], [{ external_id: null }, 'external_id'], [{ external_id: 7 }, 'external_id'], [{ external_id: 'x'.repeat(256) }, 'external_id'],
  [{ currency: undefined }, 'currency'], [{ currency: 'eur' }, 'currency'], [{ currency: 'EURO' }, 'currency'], [{ currency: 978 }, 'currency'], [{ currency: 'EUR\n' }, 'currency'],
  [{ locale: 'german' }, 'locale'], [{ locale: '' }, 'locale'], [{ locale: null }, 'locale'], [{ locale: `de${'-latn'.repeat(9)}` }, 'locale'],
  [{ mode: 'demo' }, 'mode'], [{ mode: null }, 'mode'], [{ paid_at: 'now' }, 'paid_at'], [{ paid_at: 1769854500 }, 'paid_at'], [{ paid_at: '2026-02-30T00:00:00Z' }, 'paid_at'],
  [{ paid_at: '0000-01-01T00:00:00Z' }, 'paid_at'], [{ paid_at: '9999-12-31T23:59:59-01:00' }, 'paid_at'], [{ paid_at: '2026-01-31T10:15:00' }, 'paid_at'],
  [{ customer: undefined }, 'customer'], [{ customer: null }, 'customer'], [{ customer: [] }, 'customer'], [{ customer: {} }, 'customer.email'], [{ customer: { email: 'a@example.com', first_name: '' } }, 'customer.first_name'],
  [{ customer: { email: 'a@example.com', first_name: 7 } }, 'customer.first_name'], [{ customer: { email: 'a@example.com', vip: true } }, 'customer.vip'], [{ customer: { email: 'a@example.com', zip: 'x'.repeat(33) } }, 'customer.zip'],
  [{ line_items: undefined }, 'line_items'], [{ line_items: [] }, 'line_items'], [{ line_items: {} }, 'line_items'], [{ line_items: range(101).map(() => ({ product: 'sku-pro', quantity: 1 })) }, 'line_items'], [{ line_items: [7] }, 'line_items.0'],
  [line({ product: undefined }), 'line_items.0.product'], [line({ product: '' }), 'line_items.0.product'], [line({ product: ['sku-pro'] }), 'line_items.0.product'], [line({ price: 1 }), 'line_items.0.price'],
  ...[undefined, null, 0, -1, 1.5, '2', true, 10_001, 2 ** 31, 2 ** 53, [1]].map((quantity) => [line({ quantity }), 'line_items.0.quantity'] as [Record<string, unknown>, string]),
  ...[-1, 0.5, '4900', null, 2 ** 53, 1e300].map((unit_amount) => [line({ unit_amount }), 'line_items.0.unit_amount'] as [Record<string, unknown>, string]),
  [lines({ external_id: '2', product: 'sku-pro', quantity: 1 }, { product: 'sku-pro', quantity: 1 }), 'line_items.1.external_id'], [line({ external_id: 1 }), 'line_items.0.external_id'],
  [{ id: 'OR-1' }, 'id'], [{ account_id: 'VA-1' }, 'account_id'], [{ status: 'refunded' }, 'status'], [{ source_id: 'PS-1' }, 'source_id'], [{ created_at: '2026-01-31T10:15:00Z' }, 'created_at'], [{ constructor: 1 }, 'constructor'],
  ...['', 'a', 'a@', '@example.com', 'a@b@example.com', 'buyer@example.com, evil@example.com', '"x" <evil@example.com>, buyer@example.com', 'g:evil@example.com,buyer@example.com;', 'buyer@example.com<evil@example.com>',
    'Buyer <buyer@example.com>', 'buyer@example.com\nBcc: evil@example.com', 'buyer@example.com\r\n', ' buyer@example.com', '"a b"@example.com', 'a@[127.0.0.1]', 'a@127.0.0.1', 'a..b@example.com', '.a@example.com',
    'a@example..com', 'a@-example.com', 'a(comment)@example.com', 'a@example.com;b@example.com', `${'a'.repeat(65)}@example.com`, `a@${'x'.repeat(250)}.com`, 'ä@example.com', 'a@exa\u202emple.com', 7, null, ['a@example.com'],
  ].map((address) => [email(address), 'customer.email'] as [Record<string, unknown>, string]),
  [{ customer: { email: 'a@example.com', last_name: 'L\u0000' } }, 'customer.last_name'], [{ external_id: 'A\ud800' }, 'external_id'],
]

// Guarantee (H2, C3): a body that is not an order, or names not exactly one plain address, is refused with the field named, converted in nothing,
// and leaves nothing.
t.test('not an order', async (t) => {
  const shop = await shopOf(t)
  const before = await state(shop)
  for (const [change, field] of INVALID) {
    const { statusCode, json } = await shop.place({ ...orderOf('A-1'), ...change })
    t.equal(statusCode, 400, `${field}: ${JSON.stringify(change).slice(0, 100)}`)
    t.match(json().errors[0], `${field}: `)
  }
  t.equal(await state(shop), before)
  for (const address of ['o\'brien+tag@sub.example.co', 'a@müller.de', 'A.B-c_d@EXAMPLE.COM']) t.equal((await shop.place({ ...orderOf(address), ...email(address) })).statusCode, 201, address)
  for (const [i, paid_at] of ['2026-01-31T10:15:00+23:59', '1970-01-01T00:00:00Z', '2026-01-31T10:15:00.123456789Z'].entries()) t.equal((await shop.place(orderOf(`P-${i}`, { paid_at }))).statusCode, 201, paid_at)
  t.equal((await shop.place(orderOf('x'.repeat(255), line({ quantity: 1.0, unit_amount: Number.MAX_SAFE_INTEGER })))).statusCode, 201)
  await assertInvariants(t, shop.db)
})

// Guarantee: a line is served by the most specific pool of its product, currency and mode; live and test never meet.
t.test('routing', async (t) => {
  const { app, vendor, db } = await testApp(t)
  const call = callsOf(app, vendor)
  const [a, b, c] = [await makeProduct(call, 'sku-a'), await makeProduct(call, 'sku-b'), await makeProduct(call, 'sku-c')]
  const pools = {
    'a EUR': { product_ids: [a], currency: 'EUR' }, a: { product_ids: [a] }, 'ab EUR': { product_ids: [a, b], currency: 'EUR' }, ab: { product_ids: [a, b] }, 'all EUR': { currency: 'EUR' }, all: {}, 'a test': { product_ids: [a], mode: 'test' },
  }
  const names = new Map<string, string>()
  for (const [name, pool] of Object.entries(pools)) names.set(await makePool(call, pool, keys(3, name.replace(' ', '-'))), name)
  let orders = 0
  const served = async (product: string, currency: string, mode?: string, quantity = 1): Promise<string | undefined> => {
    const answer = await call('POST', '/v1/orders', orderOf(`A-${++orders}`, { currency, mode, ...lines({ product, quantity }) }))
    return answer.statusCode === 201 ? names.get(answer.json().line_items[0].pool_id) : answer.json().error_code
  }
  for (const [product, currency, expected] of [['sku-a', 'EUR', 'a EUR'], [a, 'USD', 'a'], ['sku-b', 'EUR', 'ab EUR'], ['sku-b', 'USD', 'ab'], [c, 'EUR', 'all EUR'], ['sku-c', 'USD', 'all']] as const) {
    t.equal(await served(product, currency), expected, `${product === a ? 'a' : product} ${currency}`)
  }
  t.equal(await served('sku-a', 'EUR', 'test'), 'a test')
  t.equal(await served('sku-a', 'EUR', 'live', 300), 'a EUR', 'and so it is for an order too large for the plain way, or short')
  t.equal(await served('sku-b', 'USD', 'live', 4), 'ab')
  t.equal(await served('sku-b', 'EUR', 'test'), 'POL_002', 'a test order takes no live license')
  const test_order = await call('POST', '/v1/orders', orderOf('A-1', { mode: 'test', ...lines({ product: a, quantity: 5 }) }))
  t.match(test_order.json(), { source_id: 'api-test', mode: 'test', fulfillment_status: 'backordered' }, 'not even when it is short; and its order numbers are its own')
  await sql`delete from pool_routes where mode = 'live' and product_id = '' and currency = 'EUR'`.execute(db)
  t.equal(await served('sku-c', 'EUR'), 'all', 'then the next specific')
  await sql`insert into pool_routes select account_id, mode, '', 'EUR', 4, id from pools where currency = 'EUR' and product_ids = '{}'`.execute(db)
  await assertInvariants(t, db)
})

// Guarantee: a resend plans one mail per product with the licenses that the order holds now, to its customer, and only while it is paid,
// or some of it still is.
t.test('resend', async (t) => {
  const shop = await shopOf(t)
  const other = await makeProduct(shop.call, 'sku-other')
  const pool_id = await makePool(shop.call, { product_ids: [other], on_shortage: 'partial' }, ['OTHER-1'])
  const order = (await shop.place(orderOf('A-1', lines({ product: 'sku-pro', quantity: 2 }, { product: other, quantity: 2 }, { product: 'sku-pro', quantity: 1 })))).json()
  t.equal(order.fulfillment_status, 'partial')
  const resend = (id: string = order.id, headers = {}): ReturnType<Call> => shop.call('POST', `/v1/orders/${id}/resend`, undefined, headers)
  const first = await resend(order.id, { 'idempotency-key': 'k' })
  t.equal(first.statusCode, 202)
  t.equal((await resend(order.id, { 'idempotency-key': 'k' })).statusCode, 202)
  const { rows } = await sql<{ product_id: string, to: string, requested_by: string, license_ids: string[] }>`
    select product_id, "to", requested_by, license_ids from deliveries where reason = 'resend' order by cardinality(license_ids)`.execute(shop.db)
  t.match(rows, [{ product_id: other, license_ids: { length: 1 } }, { product_id: shop.product_id, license_ids: { length: 3 } }], 'once, and one a product')
  t.ok(rows.every((row) => row.to === 'ada@example.com' && row.requested_by === shop.vendor.key_id))
  t.strictSame(rows[1]?.license_ids, [0, 2].flatMap((i) => order.line_items[i].licenses.map(({ id }: { id: string }) => id)), 'in the order of the lines')
  t.match(first.json().deliveries.filter((mail: { reason: string }) => mail.reason === 'resend'), { length: 2 })
  await load(shop.call, pool_id, ['OTHER-2'])
  t.equal((await resend()).json().fulfillment_status, 'fulfilled')
  t.match((await shop.db.selectFrom('deliveries').select('license_ids').where('reason', '=', 'resend').where('product_id', '=', other).orderBy('created_at').execute()).at(-1), { license_ids: { length: 2 } }, 'with what has come since')
  const waiting = (await shop.place(orderOf('A-2', lines({ product: other, quantity: 1 })))).json()
  t.match((await resend(waiting.id)).json(), { status: 409, error_code: 'ORD_004' })
  const before = await state(shop)
  for (const status of ['refunded', 'disputed', 'charged_back', 'cancelled']) {
    await shop.db.updateTable('orders').set({ status }).where('id', '=', order.id).execute()
    t.match((await resend()).json(), { status: 409, error_code: 'ORD_003', detail: `it is ${status}` })
  }
  t.equal(await state(shop), before)
  await shop.db.updateTable('orders').set({ status: 'paid' }).execute()
  await assertInvariants(t, shop.db)
})

// Guarantee (G1, G2, G3): lists filter, order and page by what is the caller's; orders of others are as absent ones; each call needs its permission.
t.test('lists, tenancy and permissions', async (t) => {
  const shop = await shopOf(t)
  const placed = []
  for (const i of range(5)) placed.push((await shop.place(orderOf(`A-${i}`, { currency: i < 2 ? 'USD' : 'EUR', customer: { email: `c${i % 2}@example.com` } }))).json())
  const stranger = callsOf(shop.app, shop.stranger)
  await makePool(stranger, {}, ['THEIRS-1'])
  await makeProduct(stranger, 'sku-pro')
  const theirs = (await stranger('POST', '/v1/orders', orderOf('A-0'))).json()
  t.equal(theirs.fulfillment_status, 'fulfilled', 'another vendor may use the same numbers and names')
  const { line_items: _, deliveries: __, ...summary } = placed[4]
  const all = await shop.call('GET', '/v1/orders')
  t.strictSame(all.json()[0], summary, 'the newest first, without lines')
  t.equal(all.headers['content-range'], 'items 0-4/5')
  for (const [query, numbers, rangeOf] of [
    ['external_id=A-3', [3], '0-0/1'], ['in(external_id,(A-0,A-4,A-9))', [4, 0], '0-1/2'], ['currency=USD&ordering(created)', [0, 1], '0-1/2'], ['eq(customer.email,c1@example.com)', [3, 1], '0-1/2'],
    ['limit=2&offset=1', [3, 2], '1-2/5'], ['ordering=-created_at&limit=1&offset=4', [0], '4-4/5'], ['fulfillment_status=backordered', [], '0-0/0'], [`created=ge=${placed[3].created_at}&ordering(created)`, [3, 4], '0-1/2'],
  ] as const) {
    const answer = await shop.call('GET', `/v1/orders?${query}`)
    t.strictSame(answer.json().map(({ external_id }: { external_id: string }) => external_id), numbers.map((i) => `A-${i}`), query)
    t.equal(answer.headers['content-range'], `items ${rangeOf}`, query)
  }
  for (const query of ['nonsense=1', 'status=nonsense', 'ordering(external_id)']) t.match((await shop.call('GET', `/v1/orders?${query}`)).json(), { status: 400, error_code: 'VAL_001' }, query)
  t.strictSame((await stranger('GET', '/v1/orders')).json().map(({ id }: { id: string }) => id), [theirs.id])
  for (const [method, path] of [['GET', ''], ['POST', '/resend']] as const) {
    const [foreign, none] = [await stranger(method, `/v1/orders/${placed[0].id}${path}`), await stranger(method, `/v1/orders/OR-0${path}`)]
    t.equal(foreign.statusCode, 404)
    t.strictSame({ ...foreign.json(), request_id: '' }, { ...none.json(), request_id: '' })
  }
  for (const [permission, method, url, body] of [['orders:read', 'GET', '/v1/orders'], ['orders:read', 'GET', `/v1/orders/${placed[0].id}`], ['orders:write', 'POST', '/v1/orders', orderOf('B')], ['orders:resend', 'POST', `/v1/orders/${placed[0].id}/resend`]] as const) {
    const other = await testAccount(shop.db, 'vendor', PERMISSIONS.filter((one) => one !== permission))
    t.match((await callsOf(shop.app, other)(method, url, body)).json(), { status: 403, params: { permission } })
  }
  await assertInvariants(t, shop.db)
})

// Guarantee: an order of a request, which has no address, is read and listed as any other, and so is a cancelled one: it holds nothing, and shows what was
// revoked. The API itself takes no order without an address.
t.test('an order without an address, cancelled', async (t) => {
  const { db, vendor, call, product_id } = await shopOf(t)
  const arrival = arrivalOf({ account_id: vendor.account_id }, [[product_id, 2]], 'PR-1', { source_id: 'api-live', customer: {} })
  const { id } = await inTransaction(db, (trx) => placeWithin(trx, arrival))
  t.match((await call('GET', `/v1/orders/${id}`)).json(), { customer: {}, source_id: 'api-live', fulfillment_status: 'fulfilled', deliveries: [] })
  t.match((await call('GET', '/v1/orders')).json(), [{ id, customer: {} }])
  t.match((await call('POST', `/v1/orders/${id}/resend`)).json(), { detail: 'the order has no mail address' })
  const [seen] = (await call('GET', `/v1/orders/${id}`)).json<{ line_items: Array<{ licenses: Array<{ id: string }> }> }>().line_items[0]?.licenses ?? []
  await call('POST', `/v1/licenses/${seen?.id}/reveal`)
  await inTransaction(db, (trx) => cancelOrder(trx, { account_id: vendor.account_id, order_id: id, actor: vendor.key_id, reason: 'test' }))
  t.match((await call('GET', `/v1/orders/${id}`)).json(), {
    status: 'cancelled', fulfillment_status: 'unfulfilled', line_items: [{ slots: 0, fulfillment_status: 'unfulfilled', licenses: [{ id: seen?.id, state: 'revoked' }] }],
  })
  t.equal((await call('POST', `/v1/orders/${id}/resend`)).statusCode, 409)
  t.equal((await call('POST', '/v1/orders', orderOf('A-1', { customer: {} }))).statusCode, 400)
  await assertInvariants(t, db)
})
