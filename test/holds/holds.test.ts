import t from 'tap'
import { startWorker } from '../../src/worker.js'
import { assertInvariants } from '../support/invariants.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { callsOf, keys, load, makePool, makeProduct, orderOf } from '../support/vendor.js'
import { eventsOf, heldBy, letExpire, licensesOf, storefront } from './support.js'

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

// Guarantee: what is held is out of stock and out of what storefronts are told, and the paid order that names the hold gets those very licenses, in one mail.
t.test('a hold becomes the licenses of the order that names it', async (t) => {
  const { db, call, product_id, pool_id, hold, order, available, stock } = await storefront(t, 10)
  const held = await hold(3, { external_id: 'cs_1', expires_in_s: 600 })
  t.match(held, {
    statusCode: 201, id: /^HO-/, external_id: 'cs_1', status: 'open', mode: 'live', currency: 'EUR', order_id: null, ended_at: null, line_items: [{ external_id: '1', product_id, pool_id, quantity: 3, held: 3 }],
  })
  t.equal((Date.parse(held['expires_at']) - Date.parse(held['created_at'])) / 1000, 600)
  t.match(await stock(), { loaded: 10, available: 7, held: 3, allocated: 0 })
  t.equal(await available(), 7)
  const licenses = await heldBy(db, held.id)
  t.match((await call('GET', `/v1/licenses/${licenses[0]}`)).json(), { state: 'held' })
  t.equal((await call('POST', `/v1/licenses/${licenses[0]}/withdraw`, { reason: 'no' })).statusCode, 409, 'nobody takes it out of a hold')
  await assertInvariants(t, db)

  const placed = await order('A-1', 3, { hold_id: held.id })
  t.match(placed, { statusCode: 201, status: 'paid', fulfillment_status: 'fulfilled' })
  t.same(licensesOf(placed), licenses)
  t.equal((placed['deliveries'] as unknown[]).length, 1)
  t.match((await call('GET', `/v1/holds/${held.id}`)).json(), { status: 'committed', order_id: placed.id, line_items: [{ held: 0 }] })
  t.match((await call('GET', '/v1/holds?status=committed')).json(), [{ id: held.id }])
  t.match(await stock(), { available: 7, held: 0, allocated: 3 })
  t.match(await order('A-1', 3, { hold_id: held.id }), { statusCode: 200, id: placed.id }, 'the order again changes nothing')
  t.same(await eventsOf(db, held.id), ['hold.created', 'hold.committed'])
  t.equal((await call('POST', `/v1/holds/${held.id}/release`)).statusCode, 409)
  await assertInvariants(t, db)
})

// Guarantee: an order may want more, fewer or other things than its hold has: it gets what it pays for, in one mail per product, and what it leaves is free.
t.test('an order that differs from its hold', async (t) => {
  const { db, call, hold, order, stock } = await storefront(t, 10)
  const more = await order('A-more', 4, { hold_id: (await hold(3)).id })
  t.match(more, { fulfillment_status: 'fulfilled', line_items: [{ slots: 4 }] })
  t.equal((more['deliveries'] as unknown[]).length, 1)
  t.equal((more['deliveries'] as Array<{ license_ids: string[] }>)[0]?.license_ids.length, 4)
  const fewer = await order('A-fewer', 1, { hold_id: (await hold(3)).id })
  t.match(fewer, { fulfillment_status: 'fulfilled', line_items: [{ slots: 1 }] })
  t.match(await stock(), { available: 5, held: 0, allocated: 5 })
  const other = await makeProduct(call, 'sku-other')
  await makePool(call, { product_ids: [other] }, keys(3, 'OTHER'))
  const { id } = await hold(2)
  const mixed = await order('A-other', 1, { hold_id: id, line_items: [{ product: 'sku-other', quantity: 2 }, { product: 'sku-pro', quantity: 1 }] })
  t.match(mixed, { fulfillment_status: 'fulfilled' })
  t.equal((mixed['deliveries'] as unknown[]).length, 2)
  t.match(await stock(), { available: 4, held: 0, allocated: 6 })
  t.match(await order('A-unknown', 1, { hold_id: 'HO-none' }), { statusCode: 201, fulfillment_status: 'fulfilled' }, 'paid is paid, also with a hold that is unknown')
  const missed = await db.selectFrom('events').select('data').where('type', '=', 'hold.missed').execute()
  t.same(missed, [{ data: { hold_id: 'HO-none' } }])
  await assertInvariants(t, db)
})

// Guarantee: of several lines all are held or none, and the refusal names the products that are short.
t.test('all or nothing', async (t) => {
  const { db, call, hold, stock } = await storefront(t, 5)
  const other = await makeProduct(call, 'sku-other')
  await makePool(call, { product_ids: [other] }, keys(1, 'OTHER'))
  const refused = await hold(1, { line_items: [{ product: 'sku-pro', quantity: 5 }, { product: 'sku-other', quantity: 2 }] })
  t.match(refused, { statusCode: 409, error_code: 'LIC_002', params: { product_ids: [other] } })
  t.match(await stock(), { available: 5, held: 0 })
  t.match(await hold(1, { line_items: [{ product: 'sku-pro', quantity: 2 }, { product: 'sku-pro', quantity: 3 }, { product: 'sku-other', quantity: 1 }] }), { statusCode: 201 })
  t.match(await hold(1, { line_items: [{ product: 'sku-none', quantity: 1 }] }), { statusCode: 404 })
  t.match(await hold(1, { currency: 'EUR', mode: 'test' }), { statusCode: 409, error_code: 'POL_002' })
  t.match(await hold(1, { line_items: [{ product: 'sku-pro', quantity: 1, external_id: 'x' }, { product: 'sku-pro', quantity: 1, external_id: 'x' }] }), { statusCode: 400 })
  t.match(await hold(1, { expires_in_s: 59 }), { statusCode: 400, errors: [/^expires_in_s/] })
  t.match(await hold(1, { until: 1 }), { statusCode: 400, errors: [/^until/] })
  await assertInvariants(t, db)
})

// Guarantee: holds and orders racing for a pool never have more than it, and no license twice; every paid order is kept; the stock is used up.
t.test('holds and orders race for twenty licenses', async (t) => {
  const { db, hold, order, stock } = await storefront(t, 20)
  const answers = await Promise.all(range(50).map((i) => i % 4 === 1 ? order(`A-${i}`) : hold(1 + i % 3, { external_id: `cs_${i}` })))
  const [holds, orders] = [answers.filter((_, i) => i % 4 !== 1), answers.filter((_, i) => i % 4 === 1)]
  t.same([...new Set(holds.map(({ statusCode }) => statusCode))].filter((status) => ![201, 409].includes(status)), [])
  t.same([...new Set(orders.map(({ statusCode }) => statusCode))], [201])
  const { available = 0, held = 0, allocated = 0 } = await stock()
  t.equal(available + held + allocated, 20)
  t.ok(held > 0 && allocated > 0, 'both got some')
  t.equal(allocated, orders.filter((each) => each['fulfillment_status'] === 'fulfilled').length)
  await assertInvariants(t, db)

  const open = holds.filter(({ statusCode }) => statusCode === 201)
  const paid = await Promise.all(open.map((each, i) => order(`B-${i}`, (each['line_items'] as Json[])[0]?.['quantity'], { hold_id: each.id })))
  t.same([...new Set(paid.map((each) => each['fulfillment_status']))], ['fulfilled'], 'every session that was held is served, whoever waits')
  const given = [...orders, ...paid].flatMap(licensesOf)
  t.equal(new Set(given).size, given.length, 'no license is given twice')
  t.match(await stock(), { held: 0, allocated: 20 - available, available })
  await assertInvariants(t, db)
})

// Guarantee: of many orders that name one hold, one gets it; the others are served like any other, and its expiry or release beside them loses nothing.
t.test('one hold, many who want it', async (t) => {
  const { db, call, hold, order } = await storefront(t, 30)
  const { id } = await hold(2)
  const held = await heldBy(db, id)
  const orders = await Promise.all(range(10).map((i) => order(`A-${i}`, 2, { hold_id: id })))
  t.same(orders.map((each) => each['fulfillment_status']), range(10).map(() => 'fulfilled'))
  t.equal(orders.filter((each) => licensesOf(each).join() === held.join()).length, 1)
  t.equal(new Set(orders.flatMap(licensesOf)).size, 20)
  const second = await hold(5)
  const [paid] = await Promise.all([order('B-1', 5, { hold_id: second.id }), ...range(4).map(() => call('POST', `/v1/holds/${second.id}/release`)), ...range(4).map((i) => hold(1, { external_id: `s${i}` }))])
  t.match(paid, { statusCode: 201 })
  await assertInvariants(t, db)
})

// Guarantee: a session has one hold, however often and at once it asks; other content is refused; after one that came to nothing it gets another.
t.test('a session that asks again', async (t) => {
  const { db, call, hold, order, stock } = await storefront(t, 10)
  const asked = await Promise.all(range(12).map(() => hold(2, { external_id: 'cs_1' })))
  t.equal(new Set(asked.map(({ id }) => id)).size, 1)
  t.equal(asked.filter(({ statusCode }) => statusCode === 201).length, 1)
  t.match(await stock(), { held: 2 })
  const id = asked[0]?.id
  t.match(await hold(3, { external_id: 'cs_1' }), { statusCode: 409, error_code: 'HLD_002', params: { hold_id: id } })
  t.match(await hold(2, { external_id: 'cs_2' }), { statusCode: 201 })
  await letExpire(db, id)
  const again = await Promise.all(range(6).map(() => hold(3, { external_id: 'cs_1' })))
  t.equal(new Set(again.map((each) => each.id)).size, 1, 'the time of the first was over')
  t.not(again[0]?.id, id)
  t.match(await stock(), { held: 5 })
  t.match((await call('POST', `/v1/holds/${again[0]?.id}/release`)).json(), { status: 'released', line_items: [{ held: 0 }] })
  t.match((await call('POST', `/v1/holds/${again[0]?.id}/release`)).json(), { status: 'released' }, 'released stays released')
  const third = await hold(1, { external_id: 'cs_1' })
  t.match(third, { statusCode: 201 })
  await order('A-1', 1, { hold_id: third.id })
  t.match(await hold(1, { external_id: 'cs_1' }), { statusCode: 200, id: third.id, status: 'committed' }, 'a session that was paid needs no other')
  await assertInvariants(t, db)
})

// Guarantee: no worker runs, and a hold that is over is as if it were not: who asks is told so, and whoever comes up short gets its licenses.
t.test('a hold never outlives its time', async (t) => {
  const { db, call, hold, order, available, stock } = await storefront(t, 4)
  const first = await hold(4)
  t.equal(await available(), 0)
  t.match(await hold(1), { statusCode: 409 })
  await letExpire(db, first.id)
  t.equal(await available(), 4)
  t.match((await call('GET', `/v1/holds/${first.id}`)).json(), { status: 'expired', line_items: [{ held: 0 }] })
  t.match((await call('GET', '/v1/holds?status=expired')).json(), [{ id: first.id }])
  t.match(await order('A-1', 2), { fulfillment_status: 'fulfilled' }, 'an order takes them')
  t.match(await stock(), { available: 2, held: 0, allocated: 2 })
  t.same(await eventsOf(db, first.id), ['hold.created', 'hold.expired'])
  const second = await hold(2)
  await letExpire(db, second.id)
  t.match(await hold(2), { statusCode: 201 }, 'and a hold')
  t.match((await call('POST', `/v1/holds/${second.id}/release`)).json(), { status: 'expired' }, 'too late to release')
  await assertInvariants(t, db)
})

// Guarantee: a hold does not overtake those who wait, nor do those who wait take what is held; what is free again is theirs first, also when no worker runs.
t.test('holds and those who wait', async (t) => {
  const { db, call, hold, order, available } = await storefront(t, 3)
  const [first, second] = [await hold(2), await hold(1)]
  const waiting = await order('A-1', 2)
  t.match(waiting, { fulfillment_status: 'backordered' })
  await call('POST', `/v1/holds/${second.id}/release`)
  t.equal(await available(), 0, 'one is in stock, for the one who waits for two')
  t.match(await hold(1), { statusCode: 409 }, 'who waits is not overtaken')
  t.match(await order('A-2', 2, { hold_id: first.id }), { fulfillment_status: 'fulfilled' }, 'what was held was never free')
  const third = await order('A-3', 1)
  t.match(third, { fulfillment_status: 'backordered' })
  await load(call, (await call('GET', '/v1/pools')).json<Json[]>()[0]?.id, keys(2, 'MORE'))
  t.match((await call('GET', `/v1/orders/${waiting.id}`)).json(), { fulfillment_status: 'fulfilled' })
  t.match((await call('GET', `/v1/orders/${third.id}`)).json(), { fulfillment_status: 'fulfilled' })
  await assertInvariants(t, db)
})

// Guarantee: with the time of a hold its licenses go to the oldest order that waits, before the one whose coming finds it out.
t.test('an expired hold serves the queue first', async (t) => {
  const { db, call, hold, order } = await storefront(t, 2)
  const { id } = await hold(2)
  const waiting = await order('A-1', 2)
  await letExpire(db, id)
  const late = await order('A-2', 1, { hold_id: id })
  t.match(late, { statusCode: 201, fulfillment_status: 'backordered' }, 'its own hold is over')
  const filled = (await call('GET', `/v1/orders/${waiting.id}`)).json<Json>()
  t.match(filled, { fulfillment_status: 'fulfilled', deliveries: [{ reason: 'backorder' }] })
  t.same(await eventsOf(db, late.id), ['order.paid', 'hold.missed'])
  await assertInvariants(t, db)
})

// Guarantee: paid after its time, an order whose licenses are still there gets licenses.
t.test('paid too late, and nobody came', async (t) => {
  const { db, hold, order } = await storefront(t, 2)
  const { id } = await hold(2)
  await letExpire(db, id)
  t.match(await order('A-1', 2, { hold_id: id }), { statusCode: 201, fulfillment_status: 'fulfilled' })
  await assertInvariants(t, db)
})

// Guarantee: where the policy is to refuse, an order that its hold does not cover is refused, and the hold stays; a partial policy gives what there is.
t.test('the policy of the pool decides on what is not held', async (t) => {
  const { db, call, pool_id, hold, order, stock } = await storefront(t, 3, { on_shortage: 'fail' })
  const { id } = await hold(2)
  t.match(await order('A-1', 4, { hold_id: id }), { statusCode: 409, error_code: 'LIC_002' })
  t.match(await stock(), { held: 2, allocated: 0 })
  await call('PUT', `/v1/pools/${pool_id}`, { on_shortage: 'backorder' })
  const placed = await order('A-1', 4, { hold_id: id })
  t.match(placed, { statusCode: 201, fulfillment_status: 'partial', line_items: [{ fulfillment_status: 'partial' }] })
  t.match(await stock(), { held: 0, allocated: 2, available: 1, backordered: 2 })
  await assertInvariants(t, db)
  await load(call, pool_id, keys(1, 'MORE'))
  t.match((await call('GET', `/v1/orders/${placed.id}`)).json(), { fulfillment_status: 'fulfilled', deliveries: [{ reason: 'order' }, { reason: 'backorder' }] })
  await assertInvariants(t, db)
})

// Guarantee: the worker ends holds by itself, and who waited is served and mailed.
t.test('the worker ends expired holds', async (t) => {
  const { db, config, keyring, call, hold, order } = await storefront(t, 1)
  const { id } = await hold(1)
  const waiting = await order('A-1')
  await letExpire(db, id)
  const mails: unknown[] = []
  const transport = { send: async (mail: unknown) => { mails.push(mail); return '250 ok' }, close () {} }
  const worker = startWorker({ db, config, keyring, log: { info () {}, warn () {}, error () {} } as never, transport: transport as never })
  t.teardown(() => worker.stop(0))
  await until('the order to be filled', async () => (await call('GET', `/v1/orders/${waiting.id}`)).json<Json>()['fulfillment_status'] === 'fulfilled')
  t.match((await call('GET', `/v1/holds/${id}`)).json(), { status: 'expired', ended_at: /Z$/ })
  await worker.stop(0)
  await assertInvariants(t, db)
})

// Guarantee: a storefront is told the truth of the moment, by number or coarsely as the product is set, and never another account's.
t.test('availability', async (t) => {
  const { app, stranger, call, product_id } = await storefront(t, 3, { low_stock_threshold: 3 })
  const ask = async (query: string): Promise<Json> => (await call('GET', `/v1/products/${query}`)).json()
  t.same(await ask(`${product_id}/availability?currency=USD`), {
    product_id, mode: 'live', currency: 'USD', availability: 'in_stock', available: 3, on_shortage: 'backorder', quantity_rule: 'unit',
  })
  await call('POST', '/v1/orders', orderOf('A-1'))
  t.match(await ask('sku-pro/availability?currency=EUR'), { availability: 'low', available: 2 })
  t.match(await ask('sku-pro/availability?currency=EUR&mode=test'), { availability: 'out_of_stock', available: 0, on_shortage: null })
  t.match((await call('PUT', `/v1/products/${product_id}`, { availability: 'coarse' })).json(), { availability: 'coarse' })
  t.match(await ask('sku-pro/availability?currency=EUR'), { availability: 'low', available: null })
  await call('POST', '/v1/orders', orderOf('A-2', { line_items: [{ product: 'sku-pro', quantity: 3 }] }))
  t.match(await ask('sku-pro/availability?currency=EUR'), { availability: 'out_of_stock', available: null })
  t.match(await ask('sku-none/availability?currency=EUR'), { error_code: 'PRD_001' })
  const other = await callsOf(app, stranger)('GET', `/v1/products/${product_id}/availability?currency=EUR`)
  t.match(other.json(), { status: 404, error_code: 'PRD_001' })
})

// Guarantee: a product that is only a mail can be held with others, though there is nothing to be held, and is always in stock.
t.test('a product that is only a mail', async (t) => {
  const { db, call, hold, order } = await storefront(t, 2)
  const { id } = (await call('POST', '/v1/products', { name: 'Course', external_ids: ['sku-mail'] })).json<Json>()
  await call('PUT', `/v1/products/${id}/supplies`, [{ type: 'information', subject: 'Welcome', text: 'It begins soon.' }])
  t.match((await call('GET', '/v1/products/sku-mail/availability?currency=EUR')).json(), { availability: 'in_stock', available: null })
  const line_items = [{ product: 'sku-mail', quantity: 1 }, { product: 'sku-pro', quantity: 2 }]
  const held = await hold(1, { line_items })
  t.match(held, { statusCode: 201, line_items: [{ held: 0 }, { held: 2 }] })
  const placed = await order('A-1', 1, { line_items, hold_id: held.id })
  t.match(placed, { fulfillment_status: 'fulfilled', line_items: [{ licenses: [] }, { licenses: { length: 2 } }] })
  t.same((placed['deliveries'] as Json[]).map((each) => each['reason']).sort(), ['information', 'order'])
  await assertInvariants(t, db)
})
