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
    insert into license_sightings (account_id, license_id, how, seen_by, seen_at)
    select ${account_id}, license_id, ${how}, ${seen_by}, clock_timestamp() from unnest(${license_ids}::text[]) as l (license_id)`.execute(trx)
}
