import { sql } from 'kysely'
import t from 'tap'
import { assertInvariants } from '../support/invariants.js'
import { status } from '../support/receiver.js'
import { until } from '../support/until.js'
import { keys, load, makePool, makeProduct, orderOf, stockOf } from '../support/vendor.js'
import { demands, due, eventsOf, held, isFulfilled, order, reach, scene, supplied, webService, work } from './support.js'

const OTHER = { name: 'reserve', product_ids: [] as string[] }

// Guarantee: an order that its pool cannot cover is filled from the next pool in the same transaction, all or, where the policy says so, in part; never from a
// pool of the other mode, and never before those who wait there.
t.test('the next pool', async (t) => {
  const it = await scene(t)
  const next = await makePool(it.call, { ...OTHER, currency: 'USD' }, keys(5, 'NEXT'))
  const test = await makePool(it.call, { ...OTHER, mode: 'test' }, keys(5, 'TEST'))
  await supplied(it, { type: 'pool', pool_id: test }, { type: 'pool', pool_id: next })
  const one = await order(it, 2)
  t.match(await held(it, one), { status: 'fulfilled', keys: ['NEXT-00000001', 'NEXT-00000002'] })
  t.match(await it.db.selectFrom('deliveries').select(['reason', 'license_ids']).where('order_id', '=', one).execute(), [{ license_ids: { length: 2 } }], 'one mail')
  await load(it.call, it.pool_id, ['ABCD-OWN-1'])
  const both = await order(it, 3)
  t.same((await held(it, both)).keys.sort(), ['ABCD-OWN-1', 'NEXT-00000003', 'NEXT-00000004'], 'what its own pool has, and the rest from the next')
  t.equal((await it.db.selectFrom('deliveries').select('id').where('order_id', '=', both).execute()).length, 1, 'one mail')
  const short = await order(it, 2)
  t.match(await held(it, short), { status: 'backordered', keys: [] }, 'all or nothing')
  t.match(await stockOf(it.call, next), { available: 1, allocated: 4 })
  t.match(await stockOf(it.call, test), { available: 5 })

  const usd = await makeProduct(it.call, 'sku-usd')
  await it.call('POST', '/v1/orders', orderOf('USD-1', { currency: 'USD', line_items: [{ product: usd, quantity: 3 }] }))
  const single = await order(it, 1)
  t.match(await held(it, single), { status: 'backordered', keys: [] }, 'there is one, but somebody waits for it')
  work(t, it)
  await load(it.call, next, keys(2, 'MORE')) // three: those who wait in that pool have them, and not the line from elsewhere
  t.match(await stockOf(it.call, next), { available: 0, backordered: 0 })
  await load(it.call, next, keys(3, 'LATER'))
  const later = [...(await isFulfilled(it, short)).keys, ...(await isFulfilled(it, single)).keys]
  t.same(later.sort(), keys(3, 'LATER'), 'stock that comes to the next pool later')
  const cancelled = await it.call('POST', `/v1/orders/${one}/cancel`, { reason: 'test' })
  t.equal(cancelled.statusCode, 200)
  await assertInvariants(t, it.db)
})

// Guarantee: supplies are asked in their order: a pool behind a service only when the service has failed; under the policy `partial` the customer has
// what there is.
t.test('a pool behind a service', async (t) => {
  const it = await scene(t, { on_shortage: 'partial' })
  const next = await makePool(it.call, { ...OTHER, currency: 'USD' }, keys(2, 'NEXT'))
  await supplied(it, webService(it), { type: 'pool', pool_id: next })
  await load(it.call, it.pool_id, ['ABCD-OWN-1'])
  it.service.answer = status(503)
  work(t, it)
  const id = await order(it, 4)
  t.match(await held(it, id), { status: 'partial', keys: ['ABCD-OWN-1'] })
  await reach(it, id, 'planned', 1)
  t.match(await stockOf(it.call, next), { available: 2 }, 'its turn has not come')
  it.service.answer = status(400)
  await due(it, id)
  const all = await until('the demands to end', async () => { const all = await demands(it, id); return all.every((demand) => demand.finished_at !== null) && all })
  t.same(all.map((demand) => demand.status).sort(), ['cancelled', 'cancelled', 'given_up'])
  t.same((await held(it, id)).keys, ['ABCD-OWN-1', 'NEXT-00000001', 'NEXT-00000002'])
  await load(it.call, it.pool_id, ['ABCD-OWN-2'])
  await isFulfilled(it, id)
  await until('what was given up to be over', async () => (await demands(it, id)).every((demand) => demand.status === 'cancelled'))
  await assertInvariants(t, it.db)
})

// Guarantee: a product whose one supply is information needs no pool and takes no license, though there is a pool for all: its mail, which says what the vendor
// wrote, fulfills the line; it is sent again on request. Beside other products of an order it changes nothing for these.
t.test('information alone', async (t) => {
  const it = await scene(t)
  const info = await makeProduct(it.call, 'sku-info')
  await makePool(it.call, { name: 'common' }, keys(3))
  await load(it.call, it.pool_id, ['ABCD-OWN-1'])
  const words = { subject: 'About {PROGRAM_NAME}', text: 'Order {ORDER_ID}: see you on Monday.' }
  await it.call('PUT', `/v1/products/${info}/supplies`, [{ type: 'information', ...words }])
  const { mails } = work(t, it)
  const placed = await it.call('POST', '/v1/orders', orderOf('INFO-1', { line_items: [{ product: 'sku-info', quantity: 2 }] }))
  t.match(placed.json(), { fulfillment_status: 'fulfilled', line_items: [{ pool_id: '', slots: 0, licenses: [], fulfillment_status: 'fulfilled' }] })
  await until('the mail', () => mails.length === 1)
  t.match(mails[0], /^About Product sku-info\n[^]*Order INFO-1: see you on Monday\./)
  t.notMatch(mails[0], /KEY/)
  const { id } = placed.json<{ id: string }>()
  t.equal((await it.call('POST', `/v1/orders/${id}/resend`)).statusCode, 202)
  await until('it again', () => mails.length === 2)
  await it.call('PUT', `/v1/products/${info}`, { external_ids: ['sku-info', 'sku-info-2'] })
  const lines = [{ product: 'sku-info-2', quantity: 1 }, { product: 'sku-pro', quantity: 1 }]
  const mixed = await it.call('POST', '/v1/orders', orderOf('INFO-2', { line_items: lines }))
  t.match(mixed.json(), { fulfillment_status: 'fulfilled', line_items: [{ slots: 0 }, { slots: 1, licenses: [{ state: 'allocated' }] }], deliveries: { length: 2 } })
  const again = await it.call('POST', '/v1/orders', orderOf('INFO-2', { line_items: lines }))
  t.equal(again.statusCode, 200, 'the same again')
  await it.call('PUT', `/v1/products/${info}/supplies`, [])
  const pooled = await it.call('POST', '/v1/orders', orderOf('INFO-3', { line_items: [{ product: 'sku-info', quantity: 1 }] }))
  t.match(pooled.json(), { line_items: [{ slots: 1, licenses: { length: 1 } }] }, 'without it, licenses as ever')
  await it.call('POST', `/v1/orders/${id}/cancel`, { reason: 'test' })
  await assertInvariants(t, it.db)
})

// Guarantee: as one step of several, information tells the customer once that the license is on its way, and the line goes on waiting.
t.test('information on the way', async (t) => {
  const it = await scene(t)
  await supplied(it, webService(it), { type: 'information', subject: 'Soon', text: 'It takes a little longer.' })
  it.service.answer = status(400)
  const { mails } = work(t, it)
  const id = await order(it, 2)
  await reach(it, id, 'given_up')
  await until('the mail', () => mails.length > 0)
  await load(it.call, it.pool_id, keys(2))
  await isFulfilled(it, id)
  await until('the licenses', () => mails.length === 2)
  t.match(mails, [/^Soon\n[^]*It takes a little longer/, /ABCD-EFGH-00000001\nABCD-EFGH-00000002/])
  t.equal((await eventsOf(it, `${id}-1`)).filter((type) => type === 'line_item.supply_failed').length, 2)
  await assertInvariants(t, it.db)
})

// Guarantee: the emulator does what it is told, for test orders only: no setting and no row makes it serve a live one.
t.test('the emulator', async (t) => {
  const it = await scene(t, { mode: 'test' })
  work(t, it)
  const outcomes: Array<[behaviour: string, status: string, error: string | null]> = [
    ['succeed', 'done', null],
    ['fail_fatally', 'given_up', 'the service answered 400'],
    ['too_few', 'given_up', 'the answer has 2 of 3 licenses'],
    ['garbage', 'given_up', 'the answer is neither text/plain nor application/json'],
    ['stall', 'planned', 'no answer within 1000 ms'],
    ['fail_temporarily', 'planned', 'the service answered 503'],
  ]
  let last = ''
  for (const [behaviour, expected, last_error] of outcomes) {
    await supplied(it, { type: 'emulator', behaviour, per: 'line', timeout_s: 1 })
    last = await order(it, 3, { mode: 'test' })
    const [demand] = await reach(it, last, expected, 1)
    t.match(demand, { last_error, type: 'emulator', mode: 'test' }, behaviour)
    const { keys } = await held(it, last)
    t.equal(keys.length, expected === 'done' ? 3 : 0)
    for (const key of keys) t.match(key, /^TEST-SO-/)
  }
  await due(it, last)
  await reach(it, last, 'planned', 2)
  await due(it, last)
  t.equal((await isFulfilled(it, last)).keys.length, 3, 'it succeeds at the third try')
  const refused = await it.call('PUT', `/v1/products/${it.product_id}/supplies`, [{ type: 'emulator', behaviour: 'succeed', modes: ['live', 'test'] }])
  t.match([refused.statusCode, refused.json().errors], [400, ['0.modes: an emulator serves test orders only']])
  await t.rejects(sql`update product_supplies set modes = '{live,test}' where type = 'emulator'`.execute(it.db), /product_supplies_emulator/)
  await t.rejects(sql`update supply_orders set mode = 'live' where type = 'emulator'`.execute(it.db), /supply_orders_emulator/)
  await makePool(it.call, { product_ids: [it.product_id] })
  const live = await order(it)
  t.same(await demands(it, live), [], 'a live order asks it for nothing')
  await assertInvariants(t, it.db)
})

// Guarantee: supplies that cannot work are refused, each fault by its place; the secret is never shown, stays with its url, and a change asks anew what waits.
t.test('setting supplies', async (t) => {
  const it = await scene(t)
  const url = `/v1/products/${it.product_id}/supplies`
  const faulty: Array<[supplies: unknown, error: RegExp]> = [
    [[{ type: 'pool' }], /^0\.pool_id: is required/],
    [[{ type: 'pool', pool_id: 'PL-none' }], /^0\.pool_id: the account has no pool/],
    [[{ type: 'pool', pool_id: it.pool_id }, { type: 'pool', pool_id: it.pool_id }], /^0\.pool_id: the pool is named twice/],
    [[{ type: 'pool', pool_id: it.pool_id, url: 'https://example.com' }], /^0\.url: is none of type pool/],
    [[{ type: 'web_service', url: 'https://example.com', names: { Order: 'ID' } }], /^0\.names: two parameters would be sent as ID/],
    [[{ type: 'web_service', url: 'https://example.com', names: { order: 'x' } }], /names/],
    [[{ type: 'web_service', url: 'https://example.com', secret: 'short' }], /secret/],
    [[{ type: 'web_service', url: 'https://example.com', more: 1 }], /more/],
    [[{ type: 'web_service', url: 'https://a.example' }, { type: 'web_service', url: 'https://b.example', per: 'line' }], /^1\.per: must be unit/],
    [[{ type: 'information', subject: 'x', text: 'Your key: {KEY}' }], /^0\.text: must not contain \{KEY\}/],
    [Array(11).fill({ type: 'information', subject: 'x', text: 'y' }), /10/],
  ]
  for (const [supplies, error] of faulty) {
    const answer = await it.call('PUT', url, supplies as object)
    t.match([answer.statusCode, answer.json().errors[0]], [400, error], JSON.stringify(supplies))
  }
  const secret = `whsec_${'A'.repeat(44)}`
  await supplied(it, { type: 'web_service', url: 'https://a.example', secret })
  const shown = await it.call('GET', url)
  t.same(shown.json(), [{ type: 'web_service', modes: ['live'], url: 'https://a.example', is_signed: true }])
  await supplied(it, { type: 'information', subject: 'x', text: 'y' }, ...shown.json<object[]>())
  t.match((await it.call('GET', url)).json(), [{ type: 'information' }, { is_signed: true }], 'what was read can be written')
  await supplied(it, { type: 'web_service', url: 'https://a.example', secret: null })
  t.match((await it.call('GET', url)).json(), [{ is_signed: false }])
  const { rows } = await sql<{ text: string }>`select coalesce(string_agg(r::text, ''), '') as text from (select e::text as r from events e union all select p::text from product_supplies p) r`.execute(it.db)
  t.notMatch(rows[0]?.text, /A{44}/)

  await supplied(it, webService(it))
  it.service.answer = status(400)
  work(t, it)
  const id = await order(it)
  await reach(it, id, 'given_up')
  const next = await makePool(it.call, { ...OTHER, currency: 'USD' }, keys(1, 'NEXT'))
  await supplied(it, { type: 'pool', pool_id: next })
  t.same((await isFulfilled(it, id)).keys, ['NEXT-00000001'])
  await assertInvariants(t, it.db)
})
