import t, { type Test } from 'tap'
import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { claimDeliveries, type ClaimedDelivery } from '../../src/deliveries/claim.js'
import { newId } from '../../src/ids.js'
import { fillPool, lockPools } from '../../src/licenses/fill.js'
import { markSeen } from '../../src/licenses/mark-seen.js'
import { revealLicense } from '../../src/licenses/reveal.js'
import { cancelOrder } from '../../src/orders/cancel.js'
import { placeOrder } from '../../src/orders/place.js'
import { placeWithin } from '../../src/orders/place-within.js'
import { Problem } from '../../src/problems.js'
import { testDatabase } from '../support/database.js'
import { poolOf, productOf, vendorShop, type Shop } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { arrivalOf, held, inStock, keys, range, restock, setPool, statusOf, untilWaiting } from './support.js'

const ACTOR = 'SU-000-000-000'
const REASON = 'the buyer withdrew'

async function shopOf (t: Test): Promise<Shop> {
  const { db } = await testDatabase(t)
  return vendorShop(db)
}

const place = async (shop: Shop, product: string, quantity = 1): Promise<string> =>
  (await inTransaction(shop.db, (trx) => placeWithin(trx, arrivalOf(shop, [[product, quantity]])))).id
const cancelling = ({ account_id }: Shop, order_id: string) => async (trx: Transaction<Database>): Promise<void> =>
  cancelOrder(trx, { account_id, order_id, actor: ACTOR, reason: REASON })
const claiming = async (trx: Transaction<Database>): Promise<ClaimedDelivery[]> => claimDeliveries(trx, { limit: 10, lease_ms: 20_000, domain: 'shop.example.com' })
const cancel = async (shop: Shop, order_id: string): Promise<void> => inTransaction(shop.db, cancelling(shop, order_id))
const claim = async (db: Kysely<Database>): Promise<ClaimedDelivery[]> => inTransaction(db, claiming)

type Work = (trx: Transaction<Database>) => Promise<unknown>

/** Does the one, then the other, which has to wait, then the rest of the one, and commits. Neither is tried again: a deadlock fails the test. */
async function overlap (db: Kysely<Database>, one: Work, other: Work, rest: Work = async () => {}): Promise<void> {
  let waiting: Promise<unknown> | undefined
  await db.transaction().execute(async (trx) => {
    await one(trx)
    waiting = db.transaction().execute(other)
    await untilWaiting(db)
    await rest(trx)
  })
  await waiting
}

/** How each allocation of an order ended. */
const endings = async (db: Kysely<Database>, order_id: string): Promise<Array<string | null>> =>
  (await db.selectFrom('allocations').select('ended_as').where('order_id', '=', order_id).orderBy('unit').execute()).map((row) => row.ended_as)
const eventsOf = async (db: Kysely<Database>, subject_id: string, type: string): Promise<unknown[]> =>
  db.selectFrom('events').select(['actor', 'data']).where('subject_id', '=', subject_id).where('type', '=', type).execute()
const mailsOf = async (db: Kysely<Database>, order_id: string): Promise<string[]> =>
  (await db.selectFrom('deliveries').select('status').where('order_id', '=', order_id).orderBy('id').execute()).map((row) => row.status)

// Guarantee: of a cancelled order, what nobody has seen is back in stock, behind all that was there, and sold again; what was seen never is. Its planned
// mails are not sent, every step is recorded, and cancelling it again changes nothing.
t.test('what was seen is revoked, the rest goes back into stock', async (t) => {
  const shop = await shopOf(t)
  const { db, account_id } = shop
  const product = await productOf(shop)
  const { pool_id, license_ids } = await poolOf(shop, product, keys(6))
  const [first, second, third, fourth] = license_ids as [string, string, string, string]
  const id = await place(shop, product, 4)
  await inTransaction(db, (trx) => revealLicense(trx, shop.keyring, { account_id, license_id: second, actor: ACTOR }))
  await inTransaction(db, (trx) => markSeen(trx, { account_id, license_ids: [fourth], how: 'approved', seen_by: 'PR-1' }))
  for (const cancelled of range(2)) {
    await cancel(shop, id)
    t.comment(`cancelled ${cancelled + 1} times`)
    t.same(await endings(db, id), ['released', 'revoked', 'released', 'revoked'])
    t.same(await mailsOf(db, id), ['cancelled'])
    t.match(await db.selectFrom('orders').select(['status', 'fulfillment_status']).where('id', '=', id).executeTakeFirst(), { status: 'cancelled', fulfillment_status: 'unfulfilled' })
    t.same(await eventsOf(db, id, 'order.cancelled'), [{ actor: ACTOR, data: { reason: REASON, line_item_ids: [`${id}-1`] } }])
    t.same(await eventsOf(db, first, 'license.released'), [{ actor: ACTOR, data: { order_id: id, line_item_id: `${id}-1`, unit: 1 } }])
    t.same(await eventsOf(db, second, 'license.revoked'), [{ actor: ACTOR, data: { order_id: id, line_item_id: `${id}-1`, unit: 2 } }])
    await assertInvariants(t, db)
  }
  const [next, last] = [await place(shop, product, 2), await place(shop, product, 3)]
  t.same(await held(db, next), license_ids.slice(4))
  t.equal(await statusOf(db, last), 'backordered', 'what was seen is not for sale')
  await restock(shop, pool_id, ['FRESH'])
  t.same((await held(db, last)).slice(0, 2), [first, third])
  await assertInvariants(t, db)
})

// Guarantee: only the account's own order, and only one that is paid.
t.test('what cannot be cancelled', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const product = await productOf(shop)
  await poolOf(shop, product, keys(1))
  const id = await place(shop, product)
  await t.rejects(cancel({ ...shop, account_id: 'VA-000-000' }, id), new Problem('order-not-found'))
  await t.rejects(cancel(shop, 'OR-none'), new Problem('order-not-found'))
  await sql`update orders set status = 'charged_back'`.execute(db)
  await t.rejects(cancel(shop, id), new Problem('order-not-paid', 'it is charged_back'))
  t.equal((await held(db, id)).length, 1)
})

// Guarantee: what is released goes to whoever waits longest, in the same transaction, with a mail. Who waits behind a cancelled order waits no
// longer than for the stock.
t.test('those who wait are served', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const product = await productOf(shop)
  const { pool_id, license_ids } = await poolOf(shop, product, keys(2))
  const full = await place(shop, product, 2)
  const [oldest, large, small] = [await place(shop, product), await place(shop, product, 9), await place(shop, product)]
  await cancel(shop, full)
  t.same(await held(db, oldest), license_ids.slice(0, 1))
  t.same(await mailsOf(db, oldest), ['planned'])
  t.same([await statusOf(db, large), await statusOf(db, small)], ['backordered', 'backordered'], 'one is left, and the large one blocks')
  await cancel(shop, large)
  t.same(await held(db, small), license_ids.slice(1))
  await restock(shop, pool_id, keys(3, 'MORE'))
  t.same(await held(db, large), [], 'a cancelled order gets nothing any more')
  await assertInvariants(t, db)
})

// Guarantee (seen): a mail that is claimed for sending was seen, although nothing was sent yet. Whoever comes first, order or worker, the other sees it.
t.test('cancelled while its mail is claimed', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(2))

  const claimedFirst = await place(shop, product)
  await overlap(db, claiming, cancelling(shop, claimedFirst))
  t.same(await endings(db, claimedFirst), ['revoked'])
  t.same(await mailsOf(db, claimedFirst), ['sending'], 'it goes on')
  t.equal(await inStock(db, pool_id), 1)

  const cancelledFirst = await place(shop, product)
  await inTransaction(db, async (trx) => {
    await cancelling(shop, cancelledFirst)(trx)
    t.same(await claim(db), [], 'the worker waits for nobody')
  })
  t.same(await claim(db), [])
  t.same(await endings(db, cancelledFirst), ['released'])
  t.same(await mailsOf(db, cancelledFirst), ['cancelled'])
  await sql`update deliveries set next_attempt_at = now() where status = 'sending'`.execute(db)
  t.same(await claim(db), [], 'and when its worker dies nobody sends it again')
  t.same(await mailsOf(db, claimedFirst), ['cancelled'])
  await assertInvariants(t, db)
})

// Guarantee: cancelling and filling the same order wait for each other and never deadlock: either the order is filled and then gives back, or it
// is not there to fill.
t.test('cancelled while it is filled', async (t) => {
  const shop = await shopOf(t)
  const { db, account_id } = shop
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(2))
  const parked = await db.deleteFrom('stock').returningAll().execute()
  for (const filledFirst of [true, false]) {
    const id = await place(shop, product, 2)
    await db.insertInto('stock').values(parked).execute()
    const filling: Work = (trx) => fillPool(trx, account_id, pool_id)
    if (filledFirst) await overlap(db, (trx) => lockPools(trx, account_id, [pool_id]), cancelling(shop, id), filling)
    else await overlap(db, cancelling(shop, id), filling)
    t.same(await endings(db, id), filledFirst ? ['released', 'released'] : [])
    t.same(await held(db, id), [])
    t.equal(await inStock(db, pool_id), 2)
    await assertInvariants(t, db)
    parked.splice(0, 2, ...await db.deleteFrom('stock').returningAll().execute())
  }
  await db.insertInto('stock').values(parked).execute()
})

// Guarantee: an order that a replay tries again, and that is cancelled at that moment, wants nothing afterwards.
t.test('cancelled while its event is replayed', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const product = await productOf(shop)
  const { pool_id } = await poolOf(shop, product, keys(1))
  await setPool(db, pool_id, { on_shortage: 'fail' })
  const event = { id: newId('PE'), source_id: 'api-live', event_key: 'msg_1', type: 'order.paid', occurred_at: new Date().toISOString(), body: Buffer.from('{}') }
  const arrival = { ...arrivalOf(shop, [[product, 2]]), event }
  const { id } = await inTransaction(db, (trx) => placeOrder(trx, arrival))
  await setPool(db, pool_id, { on_shortage: 'backorder' })
  await overlap(db, cancelling(shop, id), (trx) => placeOrder(trx, { ...arrival, retry: true }))
  t.same(await db.selectFrom('backorders').selectAll().execute(), [])
  await assertInvariants(t, db)
})

// Guarantee: the license of a purchase that is approved in the transaction that placed it counts as seen, whatever the clocks of transactions say.
t.test('approved as it was placed', async (t) => {
  const shop = await shopOf(t)
  const { db, account_id } = shop
  const product = await productOf(shop)
  const { license_ids } = await poolOf(shop, product, keys(2))
  const id = await inTransaction(db, async (trx) => {
    const placed = await placeWithin(trx, arrivalOf(shop, [[product, 1]]))
    await markSeen(trx, { account_id, license_ids: [license_ids[0] as string], how: 'approved', seen_by: 'PR-1' })
    return placed.id
  })
  await cancel(shop, id)
  t.same(await endings(db, id), ['revoked'])
  // and where the transaction that shows it began before the one that gave it
  const late = await inTransaction(db, async (trx) => {
    await sql`select now()`.execute(trx)
    const given = await place(shop, product)
    await markSeen(trx, { account_id, license_ids: [license_ids[1] as string], how: 'approved', seen_by: 'PR-2' })
    return given
  })
  await cancel(shop, late)
  t.same(await endings(db, late), ['revoked'])
  await assertInvariants(t, db)
})

// Guarantee: whatever is placed, cancelled twice, loaded and claimed at once over two pools, no license is lost or held twice, and nobody waits for
// what is in stock.
t.test('all of it at once', async (t) => {
  const shop = await shopOf(t)
  const { db } = shop
  const [x, y] = [await productOf(shop), await productOf(shop)]
  const pools = [await poolOf(shop, x, keys(12, 'X')), await poolOf(shop, y, keys(12, 'Y'))]
  const both = async (at: number): Promise<string> =>
    (await inTransaction(db, (trx) => placeWithin(trx, arrivalOf(shop, at % 2 === 0 ? [[x, 1], [y, 1]] : [[y, 1 + at % 3], [x, 1]])))).id
  const orders = await Promise.all(range(14).map(both))
  for (const round of range(3)) {
    const some = orders.slice(round * 4, round * 4 + 4)
    const [placed] = await Promise.all([
      Promise.all(range(4).map(both)),
      ...some.flatMap((id) => [cancel(shop, id), cancel(shop, id)]),
      restock(shop, pools[round % 2]?.pool_id as string, keys(2, `MORE-${round}`)),
      claim(db),
    ])
    orders.push(...placed)
    for (const id of some) t.same(await held(db, id), [])
    for (const id of some) t.equal((await eventsOf(db, id, 'order.cancelled')).length, 1, 'recorded once')
    await assertInvariants(t, db)
  }
})
