import type { Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { placeOrder } from '../../src/orders/place.js'
import { age, datedPool, loadDated, tend } from '../licenses/expiry-support.js'
import { arrivalOf } from '../orders/support.js'
import { vendorShop } from '../support/fixtures.js'

/** A pool of each pick with licenses that last, one of them sold, one that expired, and one that lasts less than is demanded. */
export async function soundExpiries (db: Kysely<Database>): Promise<void> {
  const shop = await vendorShop(db)
  const products: string[] = []
  for (const pick of ['soonest', 'first']) {
    const { product, pool_id } = await datedPool(shop, [[`${pick} over`, 1], [`${pick} unfit`, 20], [`${pick} sold`, 40]], { pick, min_remaining_days: 10 })
    await loadDated(shop, pool_id, [[`${pick} good`, 50], [`${pick} for ever`, null]])
    products.push(product)
  }
  await age(db, shop.account_id, 12)
  await tend(db)
  await inTransaction(db, (trx) => placeOrder(trx, arrivalOf(shop, products.map((product) => [product, 1]))))
  await tend(db)
}

const of = (pick: string): string => `(select id from pools where pick = '${pick}')`

/** What breaks each invariant of expiries. */
export const expiryPlants: Record<string, string[]> = {
  'no license was given after it had expired': [
    'update licenses l set expires_at = a.allocated_at from allocations a where a.license_id = l.id',
  ],
  'what expired an hour ago is not in stock any more': [
    "update stock set expires_at = now() - interval '2 hours' where expires_at < 'infinity'",
  ],
  'only what expires is recorded as expired': [
    'update licenses set expires_at = null where id in (select license_id from expirations)',
    "update expirations set created_at = created_at - interval '30 days'",
  ],
  'stock says when its license expires, from where its pool has expiries': [
    "update stock set expires_at = expires_at + interval '1 s' where expires_at < 'infinity'",
    "update stock set expires_at = null where expires_at = 'infinity'",
    'update pools set dated_from = next_position',
    'update licenses set expires_at = null where id in (select license_id from stock)',
  ],
  'nothing that could be given lies before the mark of its pool': [
    `update pools set mark_position = next_position where id = ${of('first')}`,
    `update pools set mark_expires_at = 'infinity', mark_position = 0 where id = ${of('soonest')}`,
    `update pools set mark_expires_at = 'infinity', mark_position = next_position where id = ${of('soonest')}`,
  ],
}
