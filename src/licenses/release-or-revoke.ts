import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { restock, type Returned } from './restock.js'

interface Ending { account_id: string, order_id: string, license_ids: readonly string[], actor: string | null }

/**
 * Takes licenses away from the order that holds them: one that nobody has seen since it was given is released, back into stock
 * at the end of its pool, unless it has expired; one that may have been seen is revoked and never sold again. A claim of the worker
 * writes its sightings before it sends, so what is being sent counts as seen. What the order does not hold any more is left alone.
 *
 * The caller holds the pools by lockPools, has taken the order's own waiting lines out of the queue, and calls fillPool for each pool before it commits.
 */
export async function releaseOrRevoke (trx: Transaction<Database>, { account_id, order_id, license_ids, actor }: Ending): Promise<void> {
  // before it looks at the sightings: whoever writes one holds its license until it is committed
  const { rows: held } = await sql<{ license_id: string }>`
    select license_id from allocations
    where account_id = ${account_id} and license_id = any(${license_ids}::text[]) and order_id = ${order_id} and ended_as is null
    order by license_id for no key update`.execute(trx)
  if (held.length === 0) return
  const { rows: ended } = await sql<Returned & { ended_as: string }>`
    with ended as (
      update allocations a set ended_at = now(), ended_as = case when exists (
          select from license_sightings s where s.account_id = a.account_id and s.license_id = a.license_id and s.seen_at >= a.allocated_at)
        then 'revoked' else 'released' end
      where a.account_id = ${account_id} and a.license_id = any(${held.map((row) => row.license_id)}::text[]) and a.ended_as is null
      returning a.pool_id, a.position, a.license_id, a.line_item_id, a.unit, a.ended_as
    ), told as (
      insert into events (account_id, type, subject_id, actor, data)
      select ${account_id}, 'license.' || ended_as, license_id, ${actor}, jsonb_build_object('order_id', ${order_id}::text, 'line_item_id', line_item_id, 'unit', unit)
      from ended
    )
    select pool_id, license_id, ended_as from ended order by pool_id, position`.execute(trx)
  await restock(trx, account_id, ended.filter((license) => license.ended_as === 'released'))
}
