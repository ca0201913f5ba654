import t, { type Test } from 'tap'
import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { resendOrder } from '../../src/deliveries/resend.js'
import { newId } from '../../src/ids.js'
import { openKeys } from '../../src/licenses/open-keys.js'
import { allocatedTo } from '../../src/orders/allocated-to.js'
import { placeWithin } from '../../src/orders/place-within.js'
import type { Arrival } from '../../src/orders/take-in.js'
import { Problem } from '../../src/problems.js'
import { testDatabase } from '../support/database.js'
import { poolOf, productOf, vendorShop, type Shop } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { arrivalOf, held, inStock, keys, restock, setPool, statusOf, untilWaiting } from './support.js'

type Lines = Parameters<typeof arrivalOf>[1]
const REQUEST = { source_id: 'api-live', customer: {} }

async function shopOf (t: Test, env: NodeJS.ProcessEnv = {}): Promise<Shop> {
  const { db } = await testDatabase(t, env)
  return vendorShop(db)
}

/** An order as a request places it: without an address. */
const requested = (shop: Shop, lines: Lines, more: Partial<Arrival> = {}): Arrival =>
  ({ ...arrivalOf(shop, lines, newId('OR'), REQUEST), keep: true, ...more })
const place = async (shop: Shop, arrival: Arrival): ReturnType<typeof placeWithin> => inTransaction(shop.db, (trx) => placeWithin(trx, arrival))

const PLANNER = ['enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin', 'jit', 'plan_cache_mode']

async function planner (trx: Transaction<Database>): Promise<unknown> {
  const { rows } = await sql`select name, setting from pg_settings where name = any(${PLANNER}::text[]) order by name`.execute(trx)
  return rows
}

/** The statements prepared on this connection that hold a text, and how often each ran with a plan of its own and with the common one. */
async function prepared (trx: Transaction<Database>, text: string): Promise<unknown[]> {
  const { rows } = await sql`
    select generic_plans::int, custom_plans::int from pg_prepared_statements where position(${text}::text in statement) > 0
    and position('pg_prepared_statements' in statement) = 0`.execute(trx)
  return rows
}

/** How many rows each table of an order has. */
async function counts (db: Kysely<Database>): Promise<unknown> {
  const { rows } = await sql`
    select (select count(*) from orders) as orders, (select count(*) from line_items) as lines, (select count(*) from slots) as slots,
      (select count(*) from allocations) as allocations, (select count(*) from stock) as stock, (select count(*) from backorders) as backorders,
      (select count(*) from deliveries) as deliveries, (select count(*) from events) as events`.execute(db)
  return rows
}

// Guarantee: an order inside another's transaction is placed by the plain statement with its one plan, and whatever becomes of it, the planner is afterwards
// what it was, so that the caller's next statements are planned as ever.
t.test('the plain statement, and the planner put back', async (t) => {
  const shop = await shopOf(t, { DATABASE_CONNECTIONS_MAX: '1' })
  const product = await productOf(shop)
  await poolOf(shop, product, keys(3))
  await inTransaction(shop.db, async (trx) => {
    const before = await planner(trx)
    for (const arrival of [requested(shop, [[product, 1]]), requested(shop, [[product, 1]])]) {
      t.same(await placeWithin(trx, arrival), { id: arrival.order_id, status: 'fulfilled' })
      t.same(await planner(trx), before, 'placed')
    }
    t.same(await prepared(trx, 'with asked'), [{ generic_plans: 2, custom_plans: 0 }])
    t.same(await prepared(trx, 'insert into "orders"'), [], 'the careful way was not gone')
    t.match(await placeWithin(trx, requested(shop, [[product, 2]])), { status: 'backordered' })
    t.same(await planner(trx), before, 'declined')
    t.equal((await prepared(trx, 'insert into "orders"')).length, 1)
  })
  await assertInvariants(t, shop.db)
})

// Guarantee: an error that means that a parallel order won is undone alone, and the careful way goes on in the same transaction; any other error ends it.
t.test('an error of the plain statement', async (t) => {
  const shop = await shopOf(t)
  const { db, account_id } = shop
  const product = await productOf(shop)
  await poolOf(shop, product, keys(3))
  const failingWith = async (code: string): Promise<void> => {
    // only the plain statement runs without sequential scans
    await sql.raw(`
      create or replace function fail() returns trigger language plpgsql as $$ begin
        if current_setting('enable_seqscan') = 'off' then raise exception 'planted' using errcode = '${code}'; end if; return new; end $$;
      create or replace trigger fail before insert on slots for each row execute function fail()`).execute(db)
  }
  await failingWith('22012')
  await inTransaction(db, async (trx) => {
    const before = await planner(trx)
    await trx.updateTable('accounts').set({ name: 'renamed' }).where('id', '=', account_id).execute()
    t.match(await placeWithin(trx, requested(shop, [[product, 1]])), { status: 'fulfilled' })
    t.same(await planner(trx), before)
  })
  t.ok(await db.selectFrom('accounts').select('id').where('name', '=', 'renamed').executeTakeFirst(), 'what the caller did before is kept')
  await failingWith('P0001')
  await t.rejects(place(shop, requested(shop, [[product, 1]])), { message: 'planted' })
  await assertInvariants(t, db)
})

// Guarantee: the order is a part of its caller's work: undone with it, whichever way it was placed.
t.test('a caller that is undone leaves nothing', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const product = await productOf(shop)
  await poolOf(shop, product, keys(3))
  const before = await counts(db)
  for (const quantity of [2, 5]) {
    await t.rejects(inTransaction(db, async (trx) => {
      await placeWithin(trx, arrivalOf(shop, [[product, quantity]]))
      t.notSame(await counts(trx), before)
      throw new Error('undone')
    }), { message: 'undone' })
    t.same(await counts(db), before)
  }
  await assertInvariants(t, db)
})

// Guarantee: of two for the last license one is fulfilled and one waits; and none waits for a license that its holder gives up.
t.test('two race for the last license', async (t) => {
  for (const undone of [false, true]) {
    const shop = await shopOf(t)
    const { db } = shop
    const product = await productOf(shop)
    await poolOf(shop, product, keys(1))
    let second: ReturnType<typeof placeWithin> | undefined
    const first = inTransaction(db, async (trx) => {
      const { status } = await placeWithin(trx, requested(shop, [[product, 1]]))
      second = place(shop, requested(shop, [[product, 1]]))
      await untilWaiting(db)
      if (undone) throw new Error('undone')
      return status
    })
    if (undone) await t.rejects(first, { message: 'undone' })
    else t.equal(await first, 'fulfilled')
    t.match(await second, { status: undone ? 'fulfilled' : 'backordered' })
    const statuses = (await Promise.all(keys(4).map(() => place(shop, requested(shop, [[product, 1]]))))).map(({ status }) => status)
    t.same(statuses, keys(4).map(() => 'backordered'))
    await assertInvariants(t, db)
  }
})

// Guarantee: a line that names its pool takes from that one, of any product, by the pool's own rule; a pool of another account or mode is none.
t.test('a line names its pool', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const other = await vendorShop(db)
  const [product, common] = [await productOf(shop), await productOf(shop)]
  await poolOf(shop, product, keys(3, 'ROUTED'))
  const named = await poolOf(shop, common, keys(302, 'NAMED'))
  const foreign = await poolOf(other, await productOf(other), keys(1))
  const before = await counts(db)
  for (const pool_id of [foreign.pool_id, 'PL-none']) {
    await t.rejects(place(shop, requested(shop, [[product, 1, pool_id]])), new Problem('pool-missing', `line_items.0.pool_id: the account has no live pool ${pool_id}`))
  }
  const test = arrivalOf(shop, [[product, 1, named.pool_id]], 'T-1', { mode: 'test' })
  await t.rejects(place(shop, test), new Problem('pool-missing', `line_items.0.pool_id: the account has no test pool ${named.pool_id}`))
  t.same(await counts(db), before)
  const { id } = await place(shop, requested(shop, [[product, 1, named.pool_id], [product, 1]]))
  const licenses = await allocatedTo(db, shop.account_id, id)
  t.same(licenses.get('1'), [named.license_ids[0]])
  t.notOk(named.license_ids.includes(licenses.get('2')?.[0] ?? ''), 'a line without a name is routed')
  const many = await place(shop, requested(shop, [[product, 300, named.pool_id]]))
  t.same([...await allocatedTo(db, shop.account_id, many.id)], [['1', named.license_ids.slice(1, 301)]], 'the careful way too, in the order of the units')
  await setPool(db, named.pool_id, { quantity_rule: 'line' })
  const line = await place(shop, requested(shop, [[product, 50, named.pool_id]]))
  t.same([...await allocatedTo(db, shop.account_id, line.id)], [['1', [named.license_ids[301]]]])
  t.match(await place(shop, requested(shop, [[product, 1, named.pool_id]])), { status: 'backordered' })
  t.same([...(await openKeys(db, shop.keyring, shop.account_id, [named.license_ids[5] as string, foreign.license_ids[0] as string]))],
    [[named.license_ids[5], 'NAMED-000005']], 'and keys are opened for the account that has them')
  await assertInvariants(t, db)
})

// Guarantee: an order without an address is filled as any other, and nothing is mailed: not at once, not when stock comes, not by a resend.
t.test('without an address nothing is mailed', async (t) => {
  const shop = await shopOf(t)
  const { db, account_id } = shop
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(1))
  const [plain, careful] = [await place(shop, requested(shop, [[product, 1]])), await place(shop, requested(shop, [[product, 2]]))]
  t.same([plain.status, careful.status], ['fulfilled', 'backordered'])
  const mailed = (await place(shop, arrivalOf(shop, [[product, 1]]))).id
  await restock(shop, pool_id, keys(3, 'MORE'))
  t.equal((await held(db, careful.id)).length, 2)
  const deliveries = await db.selectFrom('deliveries').select(['order_id', 'to', 'reason']).execute()
  t.same(deliveries, [{ order_id: mailed, to: 'ana@example.com', reason: 'backorder' }], 'those with an address are')
  await t.rejects(inTransaction(db, (trx) => resendOrder(trx, account_id, plain.id, 'SU-000-000-000')), new Problem('nothing-to-send', 'the order has no mail address'))
  await assertInvariants(t, db)
})

// Guarantee: under `fail` an order that says so is kept unfulfilled, and one that does not is refused and leaves nothing.
t.test('kept although the pool refuses', async (t) => {
  const shop = await shopOf(t)
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(1))
  await setPool(shop.db, pool_id, { on_shortage: 'fail' })
  const { keep, ...refusable } = requested(shop, [[product, 2]])
  await t.rejects(place(shop, refusable), new Problem('out-of-stock'))
  const kept = await place(shop, requested(shop, [[product, 2]]))
  t.equal(kept.status, 'unfulfilled')
  t.equal(await statusOf(shop.db, kept.id), 'unfulfilled')
  t.equal(await inStock(shop.db, pool_id), 1)
  await setPool(shop.db, pool_id, { on_shortage: 'partial' })
  t.match(await place(shop, requested(shop, [[product, 2]])), { status: 'partial' })
  await assertInvariants(t, shop.db)
})

// Guarantee: the same behind a pooler, without prepared statements; and a repeat of the order is the order.
t.test('without prepared statements', async (t) => {
  const shop = await shopOf(t, { PREPARED_STATEMENTS: 'off' })
  const product = await productOf(shop)
  await poolOf(shop, product, keys(2))
  const arrival = requested(shop, [[product, 2]])
  await inTransaction(shop.db, async (trx) => {
    const before = await planner(trx)
    t.same(await placeWithin(trx, arrival), { id: arrival.order_id, status: 'fulfilled' })
    t.same(await planner(trx), before)
    t.same(await placeWithin(trx, { ...arrival, order_id: newId('OR') }), { id: arrival.order_id, status: 'fulfilled' })
    t.match(await placeWithin(trx, requested(shop, [[product, 1]])), { status: 'backordered' })
    t.same(await planner(trx), before)
  })
  await assertInvariants(t, shop.db)
})
