import { spawn } from 'node:child_process'
import t, { type Test } from 'tap'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { finishDelivery } from '../support/deliveries.js'
import { startErasure } from '../../src/erasures/start.js'
import { newKeyMaterial, readKeyring } from '../../src/sealing.js'
import { checkout, paid } from '../payments/support.js'
import { testDatabase } from '../support/database.js'
import { filledOrder, poolOf, productOf, vendorShop } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { program, root } from '../support/process.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { claimMails, mailAll, mentions, workOff } from './support.js'

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

// Guarantee: two erasures of one person at the same moment are one; two workers on one, or on two persons, do everything once.
t.test('two at once', async (t) => {
  const shop = await checkout(t)
  const { db, call } = shop
  for (const [i, email] of ['ada@example.com', 'bob@example.com', 'ADA@example.com', 'bob@example.com', 'ada@example.com', 'eve@example.com'].entries()) {
    await call('POST', '/v1/orders', { external_id: `A-${i}`, currency: 'EUR', customer: { email }, line_items: [{ product: 'sku-pro', quantity: 1 }] })
  }
  await mailAll(shop)
  const answers = await Promise.all(['ada@example.com', 'Ada@example.com', 'bob@example.com', 'ADA@EXAMPLE.COM'].map(async (email) =>
    (await call('POST', '/v1/erasures', { email })).json<Json>()))
  t.equal(new Set(answers.map(({ id }) => id)).size, 2)
  await Promise.all(range(4).map(() => workOff(shop)))
  await workOff(shop)
  t.match(await db.selectFrom('erasures').select(['status', 'orders']).orderBy('orders').execute(), [{ status: 'done', orders: 2 }, { status: 'done', orders: 3 }])
  t.equal((await db.selectFrom('events').select('id').where('type', '=', 'order.erased').execute()).length, 5, 'each order once')
  t.same(await db.selectFrom('orders').select(sql`customer`.as('customer')).where('erased_at', 'is', null).execute(), [{ customer: { email: 'eve@example.com' } }])
  await assertInvariants(t, db)
})

// Guarantee: whatever happens to an order in the moment it is erased, a mail, a resend, a refund, its webhook again: afterwards nobody finds the customer, and
// nothing of the ledger is lost.
t.test('an erasure against all that may happen to its orders', async (t) => {
  const shop = await checkout(t, 60)
  const { db, call, send } = shop
  const orders = range(12)
  const customer = { email: 'ada@example.com', first_name: 'Ada', last_name: 'Lovelace' }
  await Promise.all(orders.map((n) => send(paid(`A-${n}`, { customer }), { id: `paid-${n}` })))
  await mailAll(shop)
  const { rows } = await sql<{ id: string }>`select id from orders order by external_id`.execute(db)
  t.equal(rows.length, 12)
  const finish = async (): Promise<void> => {
    for (const mail of await claimMails(shop)) await inTransaction(db, (trx) => finishDelivery(trx, mail, { outcome: 'deferred', response: `451 ${mail.to}` }))
  }
  await call('POST', '/v1/erasures', { email: 'ada@example.com', force: true })
  const answers = await Promise.all([
    ...rows.flatMap(({ id }) => [call('POST', `/v1/orders/${id}/resend`), call('POST', `/v1/orders/${id}/refund`, { amount: 100 })]).map(async (answer) => (await answer).statusCode),
    ...orders.flatMap((n) => [
      send(paid(`A-${n}`, { customer }), { id: `paid-${n}` }), send(paid(`A-${n}`, { customer }), { id: `paid-again-${n}` }),
      send({ type: 'order.refunded', data: { external_id: `A-${n}`, amount: 50, customer } }, { id: `refund-${n}` }),
      send(paid(`A-${n}`, { customer, currency: 'USD' }), { id: `other-${n}` }),
    ]).map(async (answer) => (await answer).status),
    ...range(6).flatMap(() => [finish(), workOff(shop)]),
  ])
  t.strictSame(answers.filter((status) => typeof status === 'number' && status >= 500), [], 'no answer is a failure')
  for (let i = 0; i < 10; i++) {
    await workOff(shop)
    await finish()
  }
  t.match(await db.selectFrom('erasures').select(['status', 'orders', 'kept']).execute(), [{ status: 'done', orders: 12, kept: 0 }])
  t.strictSame([...await mentions(shop, 'ada@example.com'), ...await mentions(shop, 'Lovelace')], [])
  t.equal((await db.selectFrom('allocations').select('license_id').execute()).length, 12, 'the licenses are as they were')
  await assertInvariants(t, db)
})

/** Works on the erasure until so many orders are done, and is killed then, most likely in the middle of one. */
async function workAndDie (
  t: Test, { url, db, material, orders_min }: { url: string, db: Kysely<Database>, material: string, orders_min: number }
): Promise<void> {
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, ...program('test/erasures/erasure-process'), url, material], { cwd: root, stdio: 'ignore' })
  const ended = new Promise((resolve) => { child.once('close', resolve) })
  t.teardown(() => { child.kill('SIGKILL') })
  await until(`${orders_min} orders to be erased`, async () => (await db.selectFrom('erasures').select('orders').executeTakeFirstOrThrow()).orders >= orders_min, 60_000)
  child.kill('SIGKILL')
  await ended
  await until('the database to notice', async () => (await sql<{ n: number }>`
    select count(*)::int as n from pg_locks l join pg_class c on c.oid = l.relation where c.relname = 'erasures' and l.mode = 'RowShareLock'`.execute(db)).rows[0]?.n === 0)
}

// Guarantee: an erasure whose worker is killed half way, twice, is gone on with: every order once, the counts are true.
t.test('a worker is killed', async (t) => {
  const { db, url } = await testDatabase(t)
  const material = newKeyMaterial()
  const keyring = readKeyring(material)
  const shop = await vendorShop(db, keyring)
  const count = 150
  for (const n of range(count)) {
    const product = await productOf(shop)
    await filledOrder(shop, product, await poolOf(shop, product, [`KEY-${n}`]), { customer: { email: 'ada@example.com' } })
  }
  await sql`update deliveries set status = 'sent', sent_at = now(), next_attempt_at = null`.execute(db)
  await sql`insert into license_sightings (account_id, license_id, how) select account_id, license_id, 'mailed' from allocations`.execute(db)
  await inTransaction(db, (trx) => startErasure(trx, keyring, { account_id: shop.account_id, type: 'vendor', asked: { email: 'ada@example.com' }, actor: 'SU-1' }))
  for (const orders_min of [20, 60]) await workAndDie(t, { url, db, material, orders_min })
  const { orders } = await db.selectFrom('erasures').select('orders').executeTakeFirstOrThrow()
  t.ok(orders >= 60 && orders < count, `${orders} of ${count} were erased when it was killed`)
  t.equal((await db.selectFrom('orders').select('id').where('erased_at', 'is not', null).execute()).length, orders, 'as many as it says')
  await workOff(shop)
  t.match(await db.selectFrom('erasures').select(['status', 'orders']).execute(), [{ status: 'done', orders: count }])
  t.equal((await db.selectFrom('events').select('id').where('type', '=', 'order.erased').execute()).length, count)
  t.strictSame(await mentions(shop, 'ada@example.com'), [])
  await assertInvariants(t, db)
})
