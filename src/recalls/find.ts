import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Outcome } from './items.js'

/** The recalls of an account, in no order: for a list to narrow. */
export function recallsOf (db: Reader, account_id: string) {
  return db.selectFrom('recalls').select([
    'id', 'batch_id', 'pool_id', 'reason', 'total', 'withdrawn', 'replaced', 'short', 'failed', 'skipped', 'created_by', 'created_at', 'finished_at',
  ]).select((row) => [
    row.ref('status').$castTo<'running' | 'done' | 'cancelled'>().as('status'),
    row.ref('phase').$castTo<'withdrawing' | 'replacing'>().as('phase'),
  ]).where('account_id', '=', account_id)
}

/** @throws Problem recall-not-found */
export async function findRecall (db: Reader, account_id: string, id: string) {
  const recall = await recallsOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (recall === undefined) throw new Problem('recall-not-found')
  return recall
}

/**
 * What a recall did, one row for each license, in no order: for a list to narrow.
 *
 * @throws Problem recall-not-found
 */
export async function itemsOf (db: Reader, account_id: string, recall_id: string) {
  await findRecall(db, account_id, recall_id)
  return db.selectFrom('recall_items as i').select(['i.license_id', 'i.order_id', 'i.detail', 'i.done_at'])
    .select((row) => row.ref('i.outcome').$castTo<Outcome>().as('outcome'))
    .select(sql<string | null>`(select r.replaced_by from license_revocations r where r.account_id = i.account_id and r.license_id = i.license_id)`.as('replaced_by'))
    .where('i.account_id', '=', account_id).where('i.recall_id', '=', recall_id)
}
