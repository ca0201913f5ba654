import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { sql, type Kysely } from 'kysely'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.js'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { untendedPools } from '../../src/licenses/expire.js'
import { fillPool } from '../../src/licenses/fill.js'
import { loadLicenses } from '../../src/licenses/load.js'
import { markSeen } from '../../src/licenses/mark-seen.js'
import { openIntake } from '../../src/orders/intake.js'
import { refundOrder } from '../../src/orders/refund.js'
import { findPool } from '../../src/pools/find.js'
import { updatePool } from '../../src/pools/update.js'
import { replaceLicense } from '../../src/recalls/replace.js'
import { open } from '../../src/sealing.js'
import { arrivalOf, held, keys, range, statusOf } from '../orders/support.js'
import { testDatabase } from '../support/database.js'
import { vendorShop, type Shop } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { program, root } from '../support/process.js'
import { until } from '../support/until.js'
import { age, datedPool, loadDated, tend, type Dated } from './expiry-support.js'

interface Bench { db: Kysely<Database>, url: string, shop: Shop, place: (product: string, quantity?: number) => Promise<string> }

async function bench (t: Test): Promise<Bench> {
  const { db, url } = await testDatabase(t)
  const shop = await vendorShop(db)
  const intake = openIntake(url, readConfig({}), db, shop.keyring)
  t.teardown(() => intake.close())
  return { db, url, shop, place: async (product, quantity = 1) => (await intake.place(arrivalOf(shop, [[product, quantity]]))).id }
}

/** The keys that an order holds. */
async function keysOf ({ db, keyring, account_id }: Shop, order_id: string): Promise<string[]> {
  const ids = await held(db, order_id)
  const licenses = await db.selectFrom('licenses').select(['id', 'pool_id', 'sealed']).where('id', 'in', ['', ...ids]).execute()
  const texts = new Map(licenses.map(({ id, pool_id, sealed }) => [id, open(keyring, [account_id, pool_id, id], sealed).toString()]))
  return ids.map((id) => texts.get(id) ?? '')
}

const stockOf = async ({ db, account_id }: Shop, pool_id: string) => (await findPool(db, account_id, pool_id)).stock
const refund = ({ db, account_id }: Shop, order_id: string): Promise<void> => inTransaction(db, (trx) => refundOrder(trx, { account_id, order_id, actor: 'test' }))
const refill = ({ db, keyring, account_id }: Shop, pool_id: string, loaded: readonly string[]) =>
  loadLicenses({ db, keyring, account_id, pool_id, bytes: Readable.from([Buffer.from(loaded.join('\n'))]), format: 'text', created_by: 'test' })

// Guarantee: racing orders empty a pool soonest first: each gets its own license, none is refused, and every moment those that are sold expire no later
// than those that are not.
t.test('twenty racing orders on twenty licenses', async (t) => {
  const { db, shop, place } = await bench(t)
  const licenses = range(20).map((i): Dated => [`KEY-${i}`, 1 + (i * 7) % 20])
  const { product, pool_id } = await datedPool(shop, licenses)
  const wave = async (): Promise<string[]> => (await Promise.all((await Promise.all(range(10).map(() => place(product)))).map((id) => keysOf(shop, id)))).flat()
  const soonest = licenses.toSorted((a, b) => Number(a[1]) - Number(b[1])).map(([key]) => key)
  t.same((await wave()).toSorted(), soonest.slice(0, 10).toSorted())
  t.same((await wave()).toSorted(), soonest.slice(10).toSorted())
  t.match(await stockOf(shop, pool_id), { loaded: 20, available: 0, allocated: 20, expired: 0, unfit: 0 })
  await assertInvariants(t, db)
})

// Guarantee: what never expires is given last, whether it was loaded before the pool had expiries or after; in the order of loading by `first`.
t.test('licenses that never expire, and those of before', async (t) => {
  const { db, shop, place } = await bench(t)
  for (const [pick, given] of [['soonest', ['D-2', 'D-1', 'OLD-1', 'OLD-2', 'N-1']], ['first', ['OLD-1', 'OLD-2', 'D-1', 'N-1', 'D-2']]] as const) {
    const { product, pool_id } = await datedPool(shop, [], { pick })
    const named = given.map((key) => `${pick} ${key}`)
    await refill(shop, pool_id, [`${pick} OLD-1`, `${pick} OLD-2`])
    await loadDated(shop, pool_id, [[`${pick} D-1`, 9], [`${pick} N-1`, null], [`${pick} D-2`, 3]])
    t.same([...await keysOf(shop, await place(product, 3)), ...await keysOf(shop, await place(product, 2))].map((key) => key.slice(pick.length + 1)),
      named.map((key) => key.slice(pick.length + 1)), pick)
  }
  await assertInvariants(t, db)
})

// Guarantee: nothing is given that expires before the pool's minimum of days is over, and nothing that has expired, whatever its pick; it counts as expired,
// not as available. Less demanded, it is given at once to who waits.
t.test('the minimum that a license must last', async (t) => {
  const { db, shop, place } = await bench(t)
  for (const pick of ['soonest', 'first']) {
    const { product, pool_id } = await datedPool(shop, [[`${pick} 5`, 5], [`${pick} 29`, 29], [`${pick} 31`, 31], [`${pick} 90`, 90]], { pick, min_remaining_days: 30 })
    t.match(await stockOf(shop, pool_id), { loaded: 4, available: 2, expired: 2, unfit: 2 })
    t.same(await keysOf(shop, await place(product, 2)), [`${pick} 31`, `${pick} 90`])
    const waiting = await place(product)
    t.equal(await statusOf(db, waiting), 'backordered')
    await assertInvariants(t, db)
    await inTransaction(db, async (trx) => {
      const change = { min_remaining_days: 20 }
      t.same(await updatePool(trx, { account_id: shop.account_id, id: pool_id, change }, 'test'), { policy_changed: true })
    })
    await age(db, shop.account_id, 6)
    await tend(db)
    t.match(await stockOf(shop, pool_id), { loaded: 4, available: 1, allocated: 2, expired: 1, unfit: 0 }, 'one has expired, the other is fit')
    await inTransaction(db, (trx) => fillPool(trx, shop.account_id, pool_id)) // as the route does
    t.same(await keysOf(shop, waiting), [`${pick} 29`])
    await assertInvariants(t, db)
  }
})

// Guarantee: a take that waited for the pool's lock until a license had expired does not get it: it compares with the time then, not with when it began.
t.test('midnight comes while an order waits', async (t) => {
  const { db, shop, place } = await bench(t)
  const { product, pool_id } = await datedPool(shop, [['KEY-1', 1], ['KEY-2', 9]])
  const expires_at = new Date(Date.now() + 1500)
  await sql`update licenses set expires_at = ${expires_at} where expires_at < now() + interval '2 days'`.execute(db)
  await sql`update stock set expires_at = ${expires_at} where expires_at < now() + interval '2 days'`.execute(db)
  let placed: Promise<string> | undefined
  await db.transaction().execute(async (trx) => {
    await sql`select from pools where id = ${pool_id} for no key update`.execute(trx)
    placed = place(product)
    await until('the license to expire', async () => (await sql<{ over: boolean }>`select clock_timestamp() > ${expires_at} as over`.execute(db)).rows[0]?.over === true)
  })
  t.same(await keysOf(shop, await placed as string), ['KEY-2'])
  await assertInvariants(t, db)
})

// Guarantee: what is given back after it expired is not for sale again: unseen, it is expired; seen, it stays revoked, and an order that is paid again has it
// back all the same. What is short of the minimum waits in stock.
t.test('refunds, and refunds that fail', async (t) => {
  const { db, shop, place } = await bench(t)
  const { product, pool_id } = await datedPool(shop, [['A', 1], ['B', 2], ['C', 3]], { min_remaining_days: 0 })
  const [unseen, seen, short] = [await place(product), await place(product), await place(product)] as const
  await inTransaction(db, async (trx) => markSeen(trx, { account_id: shop.account_id, license_ids: await held(db, seen), how: 'approved', seen_by: 'test' }))
  // as if they had been sold long ago
  await sql`update allocations set allocated_at = now() - interval '9 days'`.execute(db)
  await sql`update licenses set expires_at = now() - interval '1 day' where expires_at < now() + interval '50 hours'`.execute(db)
  await db.updateTable('pools').set({ min_remaining_days: 30 }).where('id', '=', pool_id).execute()
  for (const id of [unseen, seen, short]) await refund(shop, id)
  t.match(await stockOf(shop, pool_id), { loaded: 3, available: 0, allocated: 0, revoked: 1, expired: 2, unfit: 1 })
  t.same((await db.selectFrom('events').select('type').where('type', '=', 'license.expired').execute()).length, 1)
  await assertInvariants(t, db)
})

// Guarantee: a replacement is the soonest that is fit, never one that expired.
t.test('a bad license is replaced by one that is good', async (t) => {
  const { db, shop, place } = await bench(t)
  const { product } = await datedPool(shop, [['A', 1], ['B', 2], ['C', 3], ['D', 4]], { min_remaining_days: 0 })
  const order = await place(product)
  const [license_id = ''] = await held(db, order)
  await age(db, shop.account_id, 2)
  await inTransaction(db, (trx) => replaceLicense(trx, { account_id: shop.account_id, license_id, reason: 'test', actor: 'test' }))
  t.same(await keysOf(shop, order), ['C'], 'B has expired, and has not left stock yet')
  await tend(db)
  await assertInvariants(t, db)
})

// Guarantee: ten thousand dated lines are loaded, expire at once, and leave stock in chunks; the worker that does it may be killed at any moment, and
// another goes on: each is out once, with one event.
t.test('the job is killed and gone on with', { timeout: 120_000 }, async (t) => {
  const { db, url, shop } = await bench(t)
  const { pool_id } = await datedPool(shop, keys(10_000).map((key, i): Dated => [key, 1 + i % 300]))
  t.match(await stockOf(shop, pool_id), { loaded: 10_000, available: 10_000 })
  await age(db, shop.account_id, 400)
  const count = async (): Promise<number> => Number((await db.selectFrom('expirations').select(sql<string>`count(*)`.as('n')).executeTakeFirstOrThrow()).n)
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, ...program('test/licenses/expiry-process'), url], { cwd: root, stdio: 'ignore' })
  const ended = new Promise((resolve) => { child.once('close', resolve) })
  t.teardown(() => { child.kill('SIGKILL') })
  await until('a part to be out', async () => await count() > 0, 60_000)
  child.kill('SIGKILL')
  await ended
  t.comment(`${await count()} were out when it was killed`)
  t.equal(await count() % 5000, 0, 'whole chunks')
  await Promise.all([tend(db), tend(db)])
  t.equal(await count(), 10_000)
  t.same((await db.selectFrom('events').select(sql<string>`count(*)`.as('n')).where('type', '=', 'license.expired').execute()), [{ n: '10000' }])
  t.match(await stockOf(shop, pool_id), { loaded: 10_000, available: 0, expired: 10_000, unfit: 0 })
  t.same(await untendedPools(db), [])
  await assertInvariants(t, db)
})

const SEED = Number(process.env['SEED'] ?? randomInt(2 ** 31))
type Step = { load: Array<number | null> } | { take: number } | { age: number } | { tend: true } | { demand: number } | { refund: number }
const steps = fc.array(fc.oneof(
  { weight: 3, arbitrary: fc.record({ load: fc.array(fc.option(fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 5 }) }) },
  { weight: 5, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ age: fc.integer({ min: 1, max: 10 }) }) },
  { weight: 2, arbitrary: fc.constant({ tend: true as const }) },
  { weight: 1, arbitrary: fc.record({ demand: fc.constantFrom(0, 5, 15) }) },
  { weight: 1, arbitrary: fc.record({ refund: fc.nat(5) }) }
), { minLength: 4, maxLength: 14 })

// Guarantee: whatever is loaded, sold, given back and however time passes: an order gets exactly the soonest licenses that are fit, in their order, and waits
// only if there are too few; and the balance of the pool holds.
t.test('the license given is always the soonest that is fit', { timeout: 120_000 }, async (t) => {
  t.comment(`seed ${SEED}`)
  const { db, shop, place } = await bench(t)
  let names = 0
  await fc.assert(fc.asyncProperty(steps, fc.constantFrom('soonest' as const, 'first' as const), async (story, pick) => {
    const { product, pool_id } = await datedPool(shop, [], { pick, on_shortage: 'fail' })
    const orders: string[] = []
    let min_remaining_days = 0
    const fit = async (): Promise<string[]> => (await sql<{ id: string }>`
      select s.license_id as id from stock s join licenses l on l.account_id = s.account_id and l.id = s.license_id
      where s.pool_id = ${pool_id} and (l.expires_at is null or l.expires_at > now() + ${min_remaining_days} * interval '24 hours')
      order by ${pick === 'first' ? sql`s.position` : sql`l.expires_at nulls last, s.position`}`.execute(db)).rows.map((row) => row.id)
    const run = async (step: Step): Promise<void> => {
      if ('load' in step) await loadDated(shop, pool_id, step.load.map((days): Dated => [`P-${++names}`, days === null ? null : days - 0.5]))
      if ('age' in step) await age(db, shop.account_id, step.age)
      if ('tend' in step) await tend(db)
      if ('refund' in step && orders[step.refund] !== undefined) await refund(shop, orders[step.refund] as string)
      if ('demand' in step) {
        min_remaining_days = step.demand
        await inTransaction(db, (trx) => updatePool(trx, { account_id: shop.account_id, id: pool_id, change: { min_remaining_days } }, 'test'))
      }
      if (!('take' in step)) return
      const expected = await fit()
      const order = await place(product, step.take).catch((error: { type?: string }) => error.type)
      if (expected.length < step.take) return assert(order === 'out-of-stock', `${String(order)} where ${expected.length} are fit`)
      const given = await held(db, String(order))
      assert(given.join() === expected.slice(0, step.take).join(), `given ${given.join()} of ${expected.join()}`)
      orders.push(String(order))
    }
    for (const step of story) await run(step)
    const { loaded, available, held: on_hold, allocated, revoked, expired, withdrawn } = await stockOf(shop, pool_id)
    assert(loaded === available + on_hold + allocated + revoked + expired + withdrawn && available === (await fit()).length, 'the balance')
  }), { numRuns: Number(process.env['RUNS'] ?? 25), seed: SEED })
  await tend(db)
  await assertInvariants(t, db)
})

function assert (holds: boolean, what: string): void {
  if (!holds) throw new Error(what)
}
