import { sql, type Transaction } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { releaseHold } from '../holds/release.js'
import { lockPools } from '../licenses/fill.js'
import { writeItems } from './items.js'
import type { Recall } from './work.js'

/** The pools that withdrawing these licenses moves: that of the batch, and those of checkout sessions which are promised some of them. */
export async function poolsToLock (db: Reader, { account_id, pool_id }: Recall, license_ids: readonly string[]): Promise<string[]> {
  const { rows } = await sql<{ pool_id: string }>`
    select distinct l.pool_id from held_licenses h join hold_lines l on l.account_id = h.account_id and l.hold_id = h.hold_id
    where h.account_id = ${account_id} and h.license_id = any(${license_ids}::text[])`.execute(db)
  return [pool_id, ...rows.map((row) => row.pool_id)]
}

/**
 * Withdraws those of the licenses that are in stock or held. Waits for orders that are just taking one: it is sold then, or in stock again. A hold that
 * loses one is released: paid, its order takes others from stock. Locks the pools.
 */
export async function withdrawUnsold (trx: Transaction<Database>, recall: Recall, license_ids: readonly string[]): Promise<void> {
  const { account_id, id, reason, created_by: actor } = recall
  await lockPools(trx, account_id, await poolsToLock(trx, recall, license_ids))
  const { rows } = await sql<{ license_id: string, hold_id: string | null }>`
    with unsold as (
      delete from stock where license_id = any(${license_ids}::text[]) and account_id = ${account_id} returning license_id, pool_id, null as hold_id
    ), held as (
      delete from held_licenses where account_id = ${account_id} and license_id = any(${license_ids}::text[]) returning license_id, pool_id, hold_id
    ), taken as (
      select * from unsold union all select * from held
    ), withdrawn as (
      insert into withdrawals (account_id, license_id, pool_id, reason, created_by) select ${account_id}, license_id, pool_id, ${reason}, ${actor} from taken
    ), told as (
      insert into events (account_id, type, subject_id, actor, data)
      select ${account_id}, 'license.withdrawn', license_id, ${actor}, jsonb_build_object('pool_id', pool_id, 'recall_id', ${id}::text) from taken
    )
    select license_id, hold_id from taken`.execute(trx)
  await writeItems(trx, recall, rows.map(({ license_id }) => ({ license_id, outcome: 'withdrawn' })))
  const hold_ids = [...new Set(rows.flatMap((row) => row.hold_id ?? []))].sort()
  const open = await trx.selectFrom('holds').select('id').where('account_id', '=', account_id).where('id', '=', sql<string>`any(${hold_ids}::text[])`)
    .where('status', '=', 'open').orderBy('id').execute()
  for (const hold of open) await releaseHold(trx, { account_id, hold_id: hold.id, actor, reason: `recall ${id}` })
}
