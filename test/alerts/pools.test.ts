import { sql } from 'kysely'
import t from 'tap'
import { lookAtPools } from '../../src/alerts/look.js'
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { assertInvariants } from '../support/invariants.js'
import { callsOf, keys, makePool } from '../support/vendor.js'
import { alerts, change, count, eventsOf, look, open, pass, restock, scene, sell } from './support.js'

// Guarantee: fewer than the threshold is told once, with the numbers, however often it is looked; at the threshold it is over, and can come again.
t.test('a threshold', async (t) => {
  const it = await scene(t, { low_stock_threshold: 3 }, 5)
  await sell(it, 2)
  await look(it)
  t.strictSame(await alerts(it), [], 'three are not fewer than three')
  await sell(it, 1)
  for (let round = 0; round < 3; round++) {
    await look(it)
    await pass(it)
  }
  t.match(await alerts(it), [{ kind: 'pool.low', subject_id: it.pool_id, cleared_at: null, data: { name: 'Pro', mode: 'live', available: 2, threshold: 3 } }])
  t.strictSame(await eventsOf(it, it.pool_id), ['pool.low'])
  await sell(it, 1)
  await look(it)
  t.equal((await alerts(it)).length, 1, 'one less is no news')
  await restock(it, 2)
  await look(it)
  t.strictSame(await open(it), [], 'three again')
  await sell(it, 1)
  await look(it)
  t.strictSame(await open(it), ['pool.low'], 'armed again')
  t.strictSame(await eventsOf(it, it.pool_id), ['pool.low', 'pool.low'])
  const [first] = await alerts(it)
  t.match(await it.db.selectFrom('events').select(['type', 'data']).where('subject_id', '=', first?.id ?? '').orderBy('id').execute(),
    [{ type: 'alert.raised', data: { kind: 'pool.low', subject_id: it.pool_id } }, { type: 'alert.cleared' }])
  await assertInvariants(t, it.db)
})

// Guarantee: a pool that nothing was ever loaded into is short of nothing; sold out it is empty, once, until there is one again.
t.test('empty', async (t) => {
  const it = await scene(t, { low_stock_threshold: 3 })
  await look(it)
  t.strictSame(await open(it), [], 'new')
  await restock(it, 1)
  await sell(it, 1)
  await look(it)
  t.strictSame(await open(it), ['pool.empty', 'pool.low'], 'loaded and sold out between two looks')
  await restock(it, 1)
  await look(it)
  t.strictSame(await open(it), ['pool.low'])
  t.strictSame((await eventsOf(it, it.pool_id)).sort(), ['pool.empty', 'pool.low'])
})

// Guarantee: what does not show at the ends of the indexes, a withdrawal for example, is seen within the minute.
t.test('a withdrawal', async (t) => {
  const it = await scene(t, { low_stock_threshold: 3 }, 3)
  await look(it)
  const [license] = (await it.call('GET', `/v1/pools/${it.pool_id}/licenses?limit=1`)).json<Array<{ id: string }>>()
  t.equal((await it.call('POST', `/v1/licenses/${license?.id ?? ''}/withdraw`, { reason: 'gone' })).statusCode, 200)
  await pass(it)
  await look(it)
  t.strictSame(await open(it), ['pool.low'])
})

// Guarantee: settings that change are looked at at once, and end what they do not ask for any more.
t.test('other settings', async (t) => {
  const it = await scene(t, {}, 4)
  await look(it)
  await change(it, { low_stock_threshold: 5 })
  await look(it)
  t.strictSame(await open(it), ['pool.low'])
  await change(it, { low_stock_threshold: 4 })
  await look(it)
  t.strictSame(await open(it), [])
  await change(it, { low_stock_threshold: 10, low_stock_percents: [99], low_stock_days: 1 })
  await sell(it, 1)
  await look(it)
  t.strictSame(await open(it), ['pool.low'], 'the steps count from what was there when they were set')
  await sell(it, 1)
  await look(it)
  t.strictSame(await open(it), ['pool.low', 'pool.low_percent 99'])
  await change(it, { low_stock_threshold: null, low_stock_percents: [], low_stock_days: null })
  await look(it)
  t.strictSame(await open(it), [])
  const bad = await it.call('PUT', `/v1/pools/${it.pool_id}`, { low_stock_percents: [0, 100, 5, 5], low_stock_days: 0 })
  t.equal(bad.statusCode, 400)
  t.match(bad.json<{ errors: string[] }>().errors.join('\n'), /low_stock_percents.0/)
})

// Guarantee: each step is told once for a load, of what there was after it; licenses that come back do not arm it, the next load does.
t.test('percent steps', async (t) => {
  const it = await scene(t, { low_stock_percents: [50, 20, 10] }, 10)
  await look(it)
  await sell(it, 4)
  await look(it)
  t.strictSame(await open(it), [])
  const fifth = await sell(it, 1)
  await look(it)
  t.strictSame(await open(it), ['pool.low_percent 50'])
  t.match(await alerts(it), [{ step: 50, data: { available: 5, stocked: 10 } }])
  await it.call('POST', `/v1/orders/${fifth}/cancel`, { reason: 'undone' })
  await look(it)
  await sell(it, 1)
  await look(it)
  t.equal((await alerts(it)).length, 1, 'six again, five again: still the same load')
  await sell(it, 4)
  await look(it)
  t.strictSame(await open(it), ['pool.low_percent 10', 'pool.low_percent 20', 'pool.low_percent 50'])
  await restock(it, 5)
  await look(it)
  t.strictSame(await open(it), [], 'a load ends all')
  t.match(await it.db.selectFrom('pool_watches').select('stocked').execute(), [{ stocked: 6 }])
  await sell(it, 3)
  await look(it)
  t.strictSame(await open(it), ['pool.low_percent 50'], 'and they count anew, of six')
  t.strictSame([...new Set(await eventsOf(it, it.pool_id))], ['pool.low'], 'however it is low')
})

// Guarantee: cover is what is available by the licenses that orders asked for in 14 days, or since the first sale; each order counts once, and the
// alert is over at a fifth more than the limit.
t.test('days of cover', async (t) => {
  const it = await scene(t, { low_stock_days: 10 }, 70)
  await sell(it, 20)
  await sell(it, 20)
  await count(it)
  await look(it)
  t.strictSame(await open(it), [], 'orders of the last two minutes are not counted yet')
  await sql`update orders set created_at = created_at - interval '4 days'`.execute(it.db)
  await sql`update allocations set allocated_at = allocated_at - interval '4 days'`.execute(it.db)
  await count(it)
  await count(it)
  t.match(await it.db.selectFrom('pool_sales').select('licenses').execute(), [], 'they are behind what was counted')
  await sql`delete from sales_counts`.execute(it.db)
  await count(it)
  await count(it)
  t.match(await it.db.selectFrom('pool_sales').select('licenses').execute(), [{ licenses: 40 }], 'once')
  await pass(it)
  await look(it)
  t.match(await alerts(it), [{ kind: 'pool.low_days', cleared_at: null, data: { available: 30, days: 10, per_day: 10, cover_days: 3 } }])
  await restock(it, 75)
  await look(it)
  t.strictSame(await open(it), ['pool.low_days'], '105 are 10.5 days: not yet over')
  await restock(it, 15)
  await look(it)
  t.strictSame(await open(it), [], '12 days')
  await sell(it, 15)
  await look(it)
  t.strictSame(await open(it), [], '10.5 days are enough')
  await sql`update pool_sales set day = day - 14`.execute(it.db)
  await sell(it, 100)
  await look(it)
  t.strictSame(await open(it), [], 'sales of long ago do not count')
})

// Guarantee: paid lines that wait are told once, how many and since when, until none waits.
t.test('backordered', async (t) => {
  const it = await scene(t, { on_shortage: 'backorder' }, 1)
  await sell(it, 2)
  await look(it)
  await sell(it, 3)
  await look(it)
  t.match(await alerts(it, '&kind=pool.backordered'), [{ cleared_at: null, data: { lines: 1, licenses: 2, since: /^\d{4}-.*Z$/ } }])
  await restock(it, 2)
  await look(it)
  t.ok((await open(it)).includes('pool.backordered'), 'the second one still waits')
  await restock(it, 5)
  await look(it)
  t.strictSame(await open(it), [])
  await assertInvariants(t, it.db)
})

// Guarantee: while a supply is called for the head of the queue it does not count as waiting, for a minute.
t.test('being supplied', async (t) => {
  const it = await scene(t)
  await it.call('PUT', `/v1/products/${it.product_id}/supplies`, [{ type: 'web_service', url: 'https://supply.example.com' }])
  await sell(it, 1)
  await look(it)
  t.strictSame(await open(it), [])
  await sql`update supply_orders set created_at = created_at - interval '61 s'`.execute(it.db)
  await pass(it)
  await look(it)
  t.strictSame(await open(it), ['pool.backordered'])
})

// Guarantee: stock that was given back below the mark of takes, and is not reshelved yet, does not make a pool look low.
t.test('stranded stock', async (t) => {
  const it = await scene(t, { low_stock_threshold: 10 }, 310)
  await sell(it, 150)
  await sell(it, 150)
  await look(it)
  t.strictSame(await open(it), [])
  await sql`update stock set position = position - 300`.execute(it.db) // as if given back by who began before all others
  await change(it, { name: 'Pro' })
  await look(it)
  t.strictSame(await open(it), [])
})

// Guarantee: workers that look at once raise each alert once, and record it once; a look that waited raises nothing that another has cleared.
t.test('many workers', async (t) => {
  const it = await scene(t, { low_stock_threshold: 2 }, 1)
  const pools = [it.pool_id]
  for (let i = 0; i < 12; i++) pools.push(await makePool(it.call, { name: `P${i}`, low_stock_threshold: 2, currency: `AA${String.fromCharCode(65 + i)}` }, keys(1, `POOL-${i}`)))
  const others = Array.from({ length: 3 }, () => connectDatabase(it.url, readConfig({})))
  t.teardown(() => Promise.all(others.map((db) => db.destroy())))
  await Promise.all([it.db, ...others].flatMap((db) => [look({ db }), look({ db })]))
  await look(it)
  const raised = await alerts(it)
  t.strictSame(raised.map(({ subject_id }) => subject_id).sort(), pools.sort())
  const events = await it.db.selectFrom('events').select('subject_id').where('type', '=', 'pool.low').execute()
  t.equal(events.length, pools.length)
  await it.db.transaction().execute(async (trx) => {
    await sql`select from pool_watches for update`.execute(trx)
    await sql`update alerts set cleared_at = now()`.execute(trx)
    await inTransaction(it.db, (other) => lookAtPools(other, pools.map((pool_id) => ({ account_id: it.vendor.account_id, pool_id }))))
  })
  t.strictSame(await open(it), [], 'who finds a pool under another\'s eyes leaves it')
})

// Guarantee: what is one vendor's is absent for others, in lists and by id.
t.test('whose it is', async (t) => {
  const it = await scene(t, { low_stock_threshold: 2 }, 1)
  await look(it)
  const [alert] = await alerts(it)
  const stranger = callsOf(it.app, it.stranger)
  t.strictSame(await alerts({ call: stranger }), [])
  const [foreign, absent] = [await stranger('GET', `/v1/alerts/${alert?.id ?? ''}`), await stranger('GET', '/v1/alerts/AL-none')]
  t.strictSame([foreign.statusCode, foreign.json<{ type: string }>().type], [404, absent.json<{ type: string }>().type])
  t.match((await it.call('GET', `/v1/alerts/${alert?.id ?? ''}`)).json(), { kind: 'pool.low', mails: [] })
})
