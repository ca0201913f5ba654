import type { Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { replaceLicense } from '../../src/recalls/replace.js'
import { revokeLicense } from '../../src/recalls/revoke.js'
import { startRecall } from '../../src/recalls/start.js'
import { runningRecalls, workOnRecall } from '../../src/recalls/work.js'
import { placeOrder } from '../../src/orders/place.js'
import { arrivalOf, restock } from '../orders/support.js'
import { poolOf, productOf, vendorShop } from '../support/fixtures.js'

/** One license replaced, one revoked, and a batch recalled: one of it unsold, one replaced, one short. */
export async function soundRecalls (db: Kysely<Database>): Promise<void> {
  const shop = await vendorShop(db)
  const { account_id } = shop
  const [single, batch] = [await productOf(shop), await productOf(shop)]
  const stocked = await poolOf(shop, single, ['A-1', 'A-2', 'A-3'])
  const recalled = await poolOf(shop, batch, ['B-1', 'B-2', 'B-3'])
  for (const product of [single, single, batch, batch]) await inTransaction(db, (trx) => placeOrder(trx, arrivalOf(shop, [[product, 1]])))
  await restock(shop, recalled.pool_id, ['GOOD-1'])
  const bad = { account_id, reason: 'leaked', actor: 'test' }
  const [replaced = '', revoked = ''] = stocked.license_ids
  await inTransaction(db, (trx) => replaceLicense(trx, { ...bad, license_id: replaced }))
  await inTransaction(db, (trx) => revokeLicense(trx, { ...bad, license_id: revoked }))
  await inTransaction(db, (trx) => startRecall(trx, { ...bad, batch_id: recalled.batch_id }))
  for (let [recall] = await runningRecalls(db); recall !== undefined; [recall] = await runningRecalls(db)) {
    const { account_id, id } = recall
    await inTransaction(db, (trx) => workOnRecall(trx, { account_id, id }))
  }
}

/** What breaks each invariant. */
export const recallPlants: Record<string, string[]> = {
  'a license that was found bad is revoked, and of the slot that lost it': [
    "update license_revocations set unit = unit + 1 where cause = 'replaced'",
    "update allocations set ended_as = 'reinstated' where license_id = (select license_id from license_revocations where cause = 'replaced')",
  ],
  'what came in the place of a bad license was given to its slot': [
    "update license_revocations set replaced_by = (select min(license_id) from withdrawals) where cause = 'replaced'",
  ],
  'a slot that is closed for good lost its license by a revocation': [
    "update license_revocations set cause = 'replaced' where cause = 'revoked'",
  ],
  'the counts of a recall are those of its items, of its batch': [
    'update recalls set replaced = replaced + 1, total = total + 1',
    "delete from recall_items where outcome = 'withdrawn'",
    'update recalls set batch_id = (select min(id) from batches where id <> recalls.batch_id)',
  ],
  'a license that a recall replaced has another, and one that it is short of has none yet': [
    "update recall_items set outcome = 'replaced' where outcome = 'short'",
    "delete from license_revocations where cause = 'recalled'",
  ],
  'a recall that is done left nothing of its batch in stock, held or with an order': [
    `insert into stock (account_id, pool_id, position, license_id) select account_id, pool_id, 90, license_id from withdrawals;
     delete from withdrawals`,
    "update allocations set ended_as = null, ended_at = null where license_id = (select license_id from recall_items where outcome = 'short')",
  ],
}
