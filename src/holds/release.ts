import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { fillPool, lockPools } from '../licenses/fill.js'
import { Problem } from '../problems.js'
import { poolsOfHold } from './pools-of-hold.js'
import { putBack } from './put-back.js'

interface Release {
  account_id: string
  hold_id: string
  actor: string | null
  /** for the audit trail */
  reason: string
  /** one that was committed is left alone without a refusal */
  lenient?: true
}

/**
 * Ends an open hold: its licenses are back in stock and given to those who wait. One whose time is over is `expired` then; one that is over
 * stays as it is. Locks the pools of its lines and is to be called before any lock on an order. The caller calls wakeWorker() after
 * the commit: others may have got licenses.
 *
 * @throws Problem hold-not-found
 * @throws Problem hold-committed  its licenses are an order's: cancel or refund that. Not if lenient
 */
export async function releaseHold (trx: Transaction<Database>, { account_id, hold_id, actor, reason, lenient }: Release): Promise<void> {
  const pool_ids = await poolsOfHold(trx, account_id, hold_id)
  if (pool_ids.length === 0) throw new Problem('hold-not-found')
  await lockPools(trx, account_id, pool_ids)
  const ended = await trx.updateTable('holds')
    .set({ status: sql<string>`case when expires_at <= now() then 'expired' else 'released' end`, ended_at: sql`now()` })
    .where('account_id', '=', account_id).where('id', '=', hold_id).where('status', '=', 'open').returning('status').executeTakeFirst()
  if (ended === undefined) return lenient === true ? undefined : refuseCommitted(trx, account_id, hold_id)
  const freed = await putBack(trx, account_id, sql`hold_id = ${hold_id}`)
  await recordEvent(trx, { account_id, type: `hold.${ended.status}`, subject_id: hold_id, actor, data: { reason } })
  for (const pool_id of freed.pool_ids) await fillPool(trx, account_id, pool_id)
}

async function refuseCommitted (trx: Transaction<Database>, account_id: string, hold_id: string): Promise<void> {
  const hold = await trx.selectFrom('holds').select('order_id').where('account_id', '=', account_id).where('id', '=', hold_id)
    .where('status', '=', 'committed').executeTakeFirst()
  if (hold !== undefined) throw new Problem('hold-committed', { detail: `its licenses are those of ${hold.order_id}`, params: { order_id: hold.order_id } })
}
