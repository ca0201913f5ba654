import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

interface Sighting { account_id: string, license_ids: readonly string[], how: 'approved' | 'order_page', seen_by: string | null }

/**
 * Writes down that somebody may read these keys from now on: a refund revokes them. Locks their open allocations first, in the order of
 * their ids, as whatever ends one does, so that the two cannot miss each other.
 */
export async function markSeen (trx: Transaction<Database>, { account_id, license_ids, how, seen_by }: Sighting): Promise<void> {
  if (license_ids.length === 0) return
  await sql`
    select from allocations where account_id = ${account_id} and license_id = any(${license_ids}::text[]) and ended_as is null
    order by license_id for no key update`.execute(trx)
  // the time of the clock, not of this transaction, which may have begun before the one that gave the licenses
  await sql`
    with seen as (
      insert into license_sightings (account_id, license_id, how, seen_by, seen_at)
      select ${account_id}, license_id, ${how}, ${seen_by}, clock_timestamp() from unnest(${license_ids}::text[]) as l (license_id)
      returning license_id
    )
    insert into events (account_id, type, subject_id, actor, data)
    select ${account_id}, 'license.seen', seen.license_id, ${seen_by}, jsonb_build_object('order_id', a.order_id, 'line_item_id', a.line_item_id, 'how', ${how}::text)
    from seen cross join lateral (
      select * from allocations a where a.account_id = ${account_id} and a.license_id = seen.license_id and a.ended_as is null limit 1) a`.execute(trx)
}
