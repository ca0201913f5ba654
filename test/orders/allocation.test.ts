import t, { type Test } from 'tap'
import { sql, type Kysely } from 'kysely'
import pg from 'pg'
import { analyzeGrown } from '../../src/database/analyze-grown.js'
import { connectPool, type Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { newId } from '../../src/ids.js'
import { MARK_WINDOW, reshelve, strandedPools } from '../../src/licenses/reshelve.js'
import { openIntake, type Intake } from '../../src/orders/intake.js'
import { TAKE_IN_OPTIONS, takeIn, type Arrival } from '../../src/orders/take-in.js'
import { Problem } from '../../src/problems.js'
import { readConfig } from '../../src/config.js'
import { testDatabase } from '../support/database.js'
import { poolOf, productOf, vendorShop, type Shop } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { until } from '../support/until.js'
import { arrivalOf, held, inStock, keys, range, restock, setPool, statusOf, untilWaiting } from './support.js'

const config = readConfig({})

interface Bench {
  db: Kysely<Database>
  url: string
  shop: Shop
  intake: Intake
  place: (product: string, quantity?: number, more?: Partial<Arrival>) => Promise<string>
}

/** A vendor on a database of its own, and a way to place an order of one line. */
async function bench (t: Test): Promise<Bench> {
  const { db, url } = await testDatabase(t)
  const shop = await vendorShop(db)
  const intake = openIntake(url, config, db, shop.keyring)
  t.teardown(() => intake.close())
  const place = async (product: string, quantity = 1, more: Partial<Arrival> = {}): Promise<string> =>
    (await intake.place({ ...arrivalOf(shop, [[product, quantity]]), ...more })).id
  return { db, url, shop, intake, place }
}

// Guarantee: orders racing for one pool get distinct licenses and, while stock covers them, all are fulfilled at once.
t.test('racing orders empty a pool exactly', async (t) => {
  const { db, shop, place } = await bench(t)
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(60))
  const orders = await Promise.all(range(30).map((i) => place(product, 1 + i % 3)))
  const given = (await Promise.all(orders.map((id) => held(db, id)))).flat()
  t.equal(given.length, 60)
  t.equal(new Set(given).size, 60, 'every unit holds its own license')
  t.same(await Promise.all(orders.map((id) => statusOf(db, id))), range(30).map(() => 'fulfilled'), 'none was told that stock is short')
  t.equal(await inStock(db, pool_id), 0)
  await assertInvariants(t, db)
})

// Guarantee: above the stock, what there is goes out whole and the rest waits; nothing is dropped, and a load serves all that wait.
t.test('demand above stock is queued, then served in the order of arrival', async (t) => {
  const { db, shop, place } = await bench(t)
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(10))
  const orders = await Promise.all(range(25).map(() => place(product)))
  const statuses = await Promise.all(orders.map((id) => statusOf(db, id)))
  t.equal(statuses.filter((status) => status === 'fulfilled').length, 10)
  t.equal(statuses.filter((status) => status === 'backordered').length, 15)
  await assertInvariants(t, db)
  await restock(shop, pool_id, keys(7, 'MORE'))
  const queue = await db.selectFrom('backorders').select('order_id').orderBy('queue').execute()
  t.equal(queue.length, 8)
  await restock(shop, pool_id, keys(20, 'REST'))
  t.same(await Promise.all(orders.map((id) => statusOf(db, id))), range(25).map(() => 'fulfilled'))
  t.equal(await inStock(db, pool_id), 12)
  await assertInvariants(t, db)
})

// Guarantee: the head of a queue blocks. A small order neither overtakes a large one that waits, nor starves it.
t.test('nobody overtakes', async (t) => {
  const { db, shop, place } = await bench(t)
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(3))
  const large = await place(product, 5)
  const small = await place(product, 1)
  t.same([await statusOf(db, large), await statusOf(db, small)], ['backordered', 'backordered'], 'three are in stock, and the small one waits all the same')
  await restock(shop, pool_id, keys(1, 'ONE'))
  t.same([await statusOf(db, large), await statusOf(db, small)], ['backordered', 'backordered'])
  await restock(shop, pool_id, keys(1, 'TWO'))
  t.same([await statusOf(db, large), await statusOf(db, small)], ['fulfilled', 'backordered'])
  t.equal((await held(db, large)).length, 5)
  await restock(shop, pool_id, keys(1, 'THREE'))
  t.equal(await statusOf(db, small), 'fulfilled')
  await assertInvariants(t, db)
})

// Guarantee: policy `partial` delivers what there is, the rest follows by itself, in a mail of its own.
t.test('partial delivers what there is', async (t) => {
  const { db, shop, place } = await bench(t)
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(2))
  await setPool(db, pool_id, { on_shortage: 'partial' })
  const order = await place(product, 5)
  t.equal(await statusOf(db, order), 'partial')
  t.equal((await held(db, order)).length, 2)
  await restock(shop, pool_id, keys(1, 'ONE'))
  t.equal((await held(db, order)).length, 3)
  await assertInvariants(t, db)
  await restock(shop, pool_id, keys(5, 'REST'))
  t.equal(await statusOf(db, order), 'fulfilled')
  const mails = await db.selectFrom('deliveries').select(['license_ids', 'reason']).where('order_id', '=', order).orderBy('id').execute()
  t.same(mails.map((mail) => [mail.reason, mail.license_ids.length]), [['order', 2], ['backorder', 1], ['backorder', 2]])
  t.same(mails.flatMap((mail) => mail.license_ids), await held(db, order), 'each license is in one mail')
  await assertInvariants(t, db)
})

// Guarantee: policy `fail` keeps a webhook's order, since it is paid, and of an API order nothing.
t.test('fail refuses an API order and keeps a webhook order unfulfilled', async (t) => {
  const { db, shop, intake, place } = await bench(t)
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(1))
  await setPool(db, pool_id, { on_shortage: 'fail' })
  await t.rejects(place(product, 2), new Problem('out-of-stock'))
  t.same(await db.selectFrom('orders').select('id').execute(), [], 'nothing is kept')
  t.equal(await inStock(db, pool_id), 1)
  const event = { id: newId('PE'), source_id: 'PS-1', event_key: 'msg_1', type: 'order.paid', occurred_at: new Date().toISOString(), body: Buffer.from('{}') }
  const order = await place(product, 2, { event })
  t.equal(await statusOf(db, order), 'unfulfilled')
  t.equal(await inStock(db, pool_id), 1, 'whole or nothing')
  t.ok(await db.selectFrom('events').select('id').where('type', '=', 'line_item.unfulfilled').executeTakeFirst(), 'it is recorded')
  await assertInvariants(t, db)
  const { external_id } = await db.selectFrom('orders').select('external_id').where('id', '=', order).executeTakeFirstOrThrow()
  const replay = async (retry: boolean): Promise<string> => (await intake.place({ ...arrivalOf(shop, [[product, 2]], external_id), event, retry })).id
  await restock(shop, pool_id, keys(1, 'TWO'))
  t.equal(await replay(false), order)
  t.equal(await statusOf(db, order), 'unfulfilled', 'a repeat changes nothing')
  t.equal(await replay(true), order)
  t.equal(await statusOf(db, order), 'fulfilled', 'a replay tries again')
  t.equal(await replay(true), order)
  t.equal((await held(db, order)).length, 2)
  await assertInvariants(t, db)
})

// Guarantee: under `fail` a line that is short does not take the next one down with it, and the policy is the one that holds under the lock.
t.test('of an order, the lines that are covered are served', async (t) => {
  const { db, url, shop, intake } = await bench(t)
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(2))
  await setPool(db, pool_id, { on_shortage: 'fail' })
  const eventOf = (event_key: string) => ({ id: newId('PE'), source_id: 'PS-1', event_key, type: 'order.paid', occurred_at: new Date().toISOString(), body: Buffer.from('{}') })
  const { id } = await intake.place({ ...arrivalOf(shop, [[product, 5], [product, 1], [product, 3], [product, 1]]), event: eventOf('msg_1') })
  const lines = await db.selectFrom('line_items').select('fulfillment_status').where('order_id', '=', id).orderBy('id').execute()
  t.same(lines.map((line) => line.fulfillment_status), ['unfulfilled', 'fulfilled', 'unfulfilled', 'fulfilled'])
  t.equal(await statusOf(db, id), 'partial')
  await assertInvariants(t, db)

  await restock(shop, pool_id, keys(1, 'MORE'))
  const changing = new pg.Client({ connectionString: url })
  await changing.connect()
  await changing.query('begin')
  await changing.query("update pools set on_shortage = 'partial'")
  const placed = intake.place({ ...arrivalOf(shop, [[product, 2]]), event: eventOf('msg_2') })
  await untilWaiting(db)
  await changing.query('commit')
  await changing.end()
  t.equal(await statusOf(db, (await placed).id), 'partial', 'served under the policy that was committed while it waited')
  await assertInvariants(t, db)
})

// Guarantee: quantity rule `line` gives one license for a line of any quantity, `unit` one for each.
t.test('the quantity rule of the pool decides how many', async (t) => {
  const { db, shop, intake, place } = await bench(t)
  const [perUnit, perLine] = [await productOf(shop), await productOf(shop)]
  await poolOf(shop, perUnit, keys(300, 'U'))
  const { pool_id } = await poolOf(shop, perLine, keys(3, 'L'))
  await setPool(db, pool_id, { quantity_rule: 'line' })
  const { id } = await intake.place(arrivalOf(shop, [[perUnit, 4], [perLine, 7], [perUnit, 2]]))
  t.equal((await held(db, id)).length, 7)
  const mails = await db.selectFrom('deliveries').select(['product_id', 'license_ids']).where('order_id', '=', id).execute()
  t.same(mails.map((mail) => [mail.product_id, mail.license_ids.length]).sort(), [[perUnit, 6], [perLine, 1]].sort(), 'one mail per product, with all its keys')
  t.equal((await held(db, await place(perUnit, 280))).length, 280, 'more than the plain statement takes goes the careful way')
  t.equal((await held(db, await place(perLine, 9000))).length, 1)
  await assertInvariants(t, db)
})

// Guarantee: a take in flight is skipped, not waited for. With plain FOR UPDATE every result stays right and this fails.
t.test('an open order is skipped, not waited for', async (t) => {
  const { db, url, shop, place } = await bench(t)
  const product = await productOf(shop)
  const { license_ids } = await poolOf(shop, product, keys(5))
  const other = connectPool(url, config)
  t.teardown(() => other.end())
  const client = await other.connect()
  await client.query('begin')
  await client.query('select from stock where license_id = $1 for update', [license_ids[0]])
  t.same(await held(db, await place(product)), [license_ids[1]], 'the next one, while the first is still locked')
  await client.query('rollback')
  client.release()
  t.same(await held(db, await place(product)), [license_ids[0]], 'what was given back is taken, below the greatest position')
  await assertInvariants(t, db)
})

// Guarantee: no false shortage. All stock is held by a transaction that will be undone: the order waits for it, then gets its licenses.
t.test('stock held by an order that is undone is not reported as sold', async (t) => {
  const { db, url, shop, place } = await bench(t)
  const product = await productOf(shop)
  await poolOf(shop, product, keys(3))
  const other = new pg.Client({ connectionString: url })
  await other.connect()
  await other.query('begin')
  await other.query('select from stock for update')
  const placed = place(product, 3)
  await untilWaiting(db)
  await other.query('rollback')
  await other.end()
  t.equal(await statusOf(db, await placed), 'fulfilled')
  t.same(await db.selectFrom('backorders').selectAll().execute(), [])
  await assertInvariants(t, db)
})

// Guarantee: orders over several pools, named in opposite order, all succeed: no deadlock reaches a caller.
t.test('orders over crossed pools do not deadlock', async (t) => {
  const { db, shop, intake } = await bench(t)
  const [x, y] = [await productOf(shop), await productOf(shop)]
  const pools = [await poolOf(shop, x, keys(40, 'X')), await poolOf(shop, y, keys(40, 'Y'))]
  const placed = await Promise.all(range(100).map((i) => intake.place(arrivalOf(shop, i % 2 === 0 ? [[x, 1], [y, 1]] : [[y, 1], [x, 1]]))))
  t.equal(new Set(placed.map((order) => order.id)).size, 100)
  const statuses = await Promise.all(placed.map(async (order) => statusOf(db, order.id)))
  t.equal(statuses.filter((status) => status === 'fulfilled').length, 40)
  t.equal(statuses.filter((status) => status === 'backordered').length, 60)
  for (const { pool_id } of pools) await restock(shop, pool_id, keys(60, pool_id))
  t.same(await Promise.all(placed.map(async (order) => statusOf(db, order.id))), range(100).map(() => 'fulfilled'))
  await assertInvariants(t, db)
})

// Guarantee: the same order, however often and in parallel, is one order.
t.test('a repeated order changes nothing', async (t) => {
  const { db, shop, intake } = await bench(t)
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(50))
  const orders = range(10).map(() => newId('OR'))
  const placed = await Promise.all(range(200).map((i) => intake.place(arrivalOf(shop, [[product, 2]], orders[i % 10]))))
  t.equal(new Set(placed.map((order) => order.id)).size, 10)
  t.equal(placed.filter((order) => order.created).length, 10)
  t.equal(await inStock(db, pool_id), 30)
  await t.rejects(intake.place(arrivalOf(shop, [[product, 3]], orders[0])), { name: 'Problem' })
  await assertInvariants(t, db)
})

// Guarantee: a list of orders is one statement; each is placed whole or left alone, and a repeat within the list is one order.
t.test('a list of orders, all lines included', async (t) => {
  const { db, url, shop } = await bench(t)
  const [x, y] = [await productOf(shop), await productOf(shop)]
  await poolOf(shop, x, keys(5, 'X'))
  await poolOf(shop, y, keys(2, 'Y'))
  const pool = connectPool(url, config, TAKE_IN_OPTIONS)
  t.teardown(() => pool.end())
  const arrivals = [
    arrivalOf(shop, [[x, 2], [y, 1]]), arrivalOf(shop, [[y, 1]]), arrivalOf(shop, [[x, 9]]), arrivalOf(shop, [['unknown', 1]]),
  ] as const
  const repeated = { ...arrivals[1], order_id: newId('OR') }
  const placed = await takeIn(pool, true, shop.account_id, [...arrivals, repeated])
  t.equal([arrivals[1], repeated].filter(({ order_id }) => placed.has(order_id)).length, 1)
  t.notOk(placed.has(arrivals[3].order_id), 'the unknown one is left alone')
  for (const { order_id } of arrivals) t.equal((await db.selectFrom('orders').select('id').where('id', '=', order_id).execute()).length, placed.has(order_id) ? 1 : 0)
  await assertInvariants(t, db)
})

// Guarantee: behind a pooler, which keeps neither settings nor prepared statements, orders are placed as elsewhere.
t.test('without prepared statements', async (t) => {
  const { db, url, shop } = await bench(t)
  const product = await productOf(shop)
  await poolOf(shop, product, keys(2))
  const intake = openIntake(url, { ...config, prepared_statements: false, database_connections_max: 1 }, db, shop.keyring)
  t.teardown(() => intake.close())
  const arrival = arrivalOf(shop, [[product, 1]])
  t.same(await intake.place(arrival), { id: arrival.order_id, created: true, plain: true })
  t.match(await intake.place({ ...arrivalOf(shop, [[product, 1]], arrival.order.external_id) }), { id: arrival.order_id, created: false })
  const event = { id: newId('PE'), source_id: 'api-live', event_key: 'msg_1', type: 'order.paid', occurred_at: new Date().toISOString(), body: Buffer.from('{}') }
  t.match(await intake.place({ ...arrivalOf(shop, [[product, 1]]), event }), { plain: true })
  t.match(await intake.place({ ...arrivalOf(shop, [[product, 1]]), event }), { created: false }, 'an error in the statement leaves the connection usable')
  t.match(await intake.place(arrivalOf(shop, [[product, 1]])), { plain: false })
  await assertInvariants(t, db)
})

// Guarantee: what fell below the mark is found again, by the careful way at once and by the periodic job for good.
t.test('stranded stock is given a new position', async (t) => {
  const { db, shop, place } = await bench(t)
  const product = await productOf(shop)
  const { pool_id, license_ids } = await poolOf(shop, product, keys(MARK_WINDOW + 20))
  await sql`update pools set next_position = next_position + 10`.execute(db)
  // the first is hidden as if its holder was undone long after others took what comes after it
  const [first] = license_ids as [string]
  const parked = await db.deleteFrom('stock').where('license_id', '=', first).returningAll().executeTakeFirstOrThrow()
  await place(product, MARK_WINDOW)
  await place(product, 10)
  await db.insertInto('stock').values(parked).execute()
  t.same(await strandedPools(db), [{ account_id: shop.account_id, pool_id }])
  await inTransaction(db, (trx) => reshelve(trx, { account_id: shop.account_id, pool_id }))
  t.same(await strandedPools(db), [])
  await assertInvariants(t, db)
  t.equal((await held(db, await place(product, 10))).at(-1), first, 'it is last in the row now, and sold')
})

// Guarantee: the plan of the take looks everything up by the right index: planned on empty tables, on tables that grew since they were
// analyzed, and on analyzed ones. No walk over stock, orders or events, and no join that reads a whole table.
t.test('the plan of the take holds against the planner traps', async (t) => {
  const { db, url, shop } = await bench(t)
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, [])
  /** Rows of others in every table, their foreign keys unchecked. */
  const grow = async (rows: number): Promise<void> => inTransaction(db, async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    const { account_id } = shop
    for (const insert of [
      sql`product_refs select ${account_id}, 'sku-' || n, ${product}`,
      sql`pools (account_id, id, name, mode, quantity_rule, on_shortage) select ${account_id}, 'PL-' || n, 'pool', 'live', 'unit', 'backorder'`,
      sql`stock select ${account_id}, 'PL-other', n, 'LI-' || n`,
      sql`allocations select ${account_id}, 'PL-other', -n, 'LI-o' || n, 'OR-o', 'OR-o-1', n`,
      sql`line_items select ${account_id}, 'OR-' || n || '-1', 'OR-' || n, '1', ${product}, 'PL-other', 1, null, 'fulfilled'`,
      sql`slots select ${account_id}, 'OR-' || n || '-1', 1`,
      sql`orders (account_id, id, source_id, external_id, mode, currency, customer, fulfillment_status, paid_at)
        select ${account_id}, 'OR-' || n, 'api-live', 'x' || n, 'live', 'EUR', '{}', 'fulfilled', now()`,
      sql`payment_events (account_id, id, source_id, event_key, type, status, body, occurred_at, processed_at)
        select ${account_id}, 'PE-' || n, 'api-live', 'x' || n, 'order.paid', 'processed', '', now(), now()`,
    ]) await sql`insert into ${insert} from generate_series(1, ${rows}::int) n`.execute(trx)
  })
  const planAfter = async (loaded: string[]): Promise<Plan> => {
    await restock(shop, pool_id, loaded)
    return planOf(url, shop, product)
  }
  await checkPlan(t, 'empty', await planAfter(['first']))
  await sql`analyze`.execute(db)
  await checkPlan(t, 'analyzed while empty', await planAfter(['second']))
  await grow(20_000)
  await checkPlan(t, 'grown', await planAfter(['third']))
  const analyzed = new Set<string>()
  await until('the worker\'s job to see it', async () => {
    for (const table of await analyzeGrown(db)) analyzed.add(table)
    return ['orders', 'line_items', 'slots', 'stock', 'payment_events'].every((table) => analyzed.has(table))
  })
  const plan = await planAfter(['fourth'])
  await checkPlan(t, 'analyzed', plan)
  t.same(plan.foreignKeys, ['line_items_pkey', 'orders_pkey', 'slots_pkey'], 'and so do the checks of foreign keys')
})

interface Plan { nodes: Array<Record<string, unknown>>, foreignKeys: string[] }

async function checkPlan (t: Test, phase: string, { nodes }: Plan): Promise<void> {
  const scans = nodes.filter((node) => node['Relation Name'] !== undefined && /Scan/.test(String(node['Node Type'])))
  const tables = [...new Set(scans.map((node) => node['Relation Name']))].sort()
  t.same(tables, ['allocations', 'backorders', 'order_refs', 'payment_facts', 'pool_routes', 'pools', 'product_refs', 'stock'], `${phase}: the plan was read`)
  t.same(scans.filter((node) => node['Node Type'] === 'Seq Scan'), [], `${phase}: no sequential scan`)
  t.same(nodes.filter((node) => /Hash Join|Merge Join/.test(String(node['Node Type']))), [], `${phase}: nested loops only`)
  const stockScans = scans.filter((node) => node['Relation Name'] === 'stock').map((node) => node['Index Name'] ?? node['Node Type'])
  t.same(stockScans.sort(), ['Tid Scan', 'stock_pkey'], `${phase}: stock is picked by its key and deleted by its place`)
  for (const node of scans) {
    const rows = Number(node['Actual Rows']) * Number(node['Actual Loops']) + Number(node['Rows Removed by Filter'] ?? 0)
    t.ok(rows <= 1, `${phase}: ${rows} rows read of ${String(node['Relation Name'])}`)
  }
}

/** The nodes of the plan that a take of one license runs with, on a connection of its own, and the indexes that its foreign keys are checked by. */
async function planOf (url: string, shop: Shop, product: string): Promise<Plan> {
  const explain = '-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_analyze=on -c auto_explain.log_format=json -c auto_explain.log_nested_statements=on -c client_min_messages=log'
  const pool = connectPool(url, { ...config, database_connections_max: 1 }, `${TAKE_IN_OPTIONS} ${explain}`)
  const client = await pool.connect()
  const plans: string[] = []
  client.on('notice', (notice) => { if (String(notice.message).includes('"Plan"')) plans.push(String(notice.message)) })
  client.release()
  const placed = await takeIn(pool, true, shop.account_id, [arrivalOf(shop, [[product, 1]])])
  await pool.end()
  if (placed.size !== 1) throw new Error('the order was not placed')
  type Node = Record<string, unknown> & { Plans?: Node[] }
  const flat = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(flat)]
  const read = (plan: string): Node[] => flat((JSON.parse(plan.slice(plan.indexOf('{'))) as { Plan: Node }).Plan)
  const foreignKeys = plans.filter((plan) => plan.includes('FOR KEY SHARE OF x')).flatMap(read).map((node) => node['Index Name'])
  return {
    nodes: plans.filter((plan) => plan.includes('with asked')).flatMap(read),
    foreignKeys: [...new Set(foreignKeys.filter((name) => name !== undefined).map(String))].sort(),
  }
}
