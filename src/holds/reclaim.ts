import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { fillPool, lockPools } from '../licenses/fill.js'
import type { PoolId } from '../licenses/pick-dated.js'
import { putBack } from './put-back.js'

/** The pools of which expired holds still have something. */
export async function poolsOfExpired (db: Kysely<Database>): Promise<PoolId[]> {
  const { rows } = await sql<PoolId>`select distinct account_id, pool_id from held_licenses where expires_at <= now()`.execute(db)
  return rows
}

/**
 * Puts back what expired holds still have of these pools, and serves those who wait there: from then on nobody can tell that it was held. Locks the
 * pools. A hold of several pools is over as soon as one of them is claimed; the others may keep its licenses until they are.
 */
export async function reclaimExpired (trx: Transaction<Database>, account_id: string, pool_ids: readonly string[]): Promise<void> {
  await lockPools(trx, account_id, pool_ids)
  const freed = await putBack(trx, account_id, sql`pool_id = any(${pool_ids}::text[]) and expires_at <= now()`)
  if (freed.hold_ids.length === 0) return
  const expired = await trx.updateTable('holds').set({ status: 'expired', ended_at: sql`now()` })
    .where('account_id', '=', account_id).where('id', '=', sql<string>`any(${freed.hold_ids}::text[])`).where('status', '=', 'open').returning('id').execute()
  await recordEvent(trx, ...expired.map(({ id }) => ({ account_id, type: 'hold.expired', subject_id: id })))
  for (const pool_id of freed.pool_ids) await fillPool(trx, account_id, pool_id)
}
