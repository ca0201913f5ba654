import { sql, type Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import type { ClaimedDelivery } from './claim.js'

/** Moves the lapse of a claim into the future. False: the claim is lost, and whoever has it now sends the mail. One statement. */
export async function keepClaim (db: Kysely<Database>, claimed: ClaimedDelivery, lease_ms: number): Promise<boolean> {
  const kept = await db.updateTable('deliveries').set({ next_attempt_at: sql<Date>`now() + ${lease_ms} * interval '1 ms'` })
    .where('account_id', '=', claimed.account_id).where('id', '=', claimed.id).where('status', '=', 'sending')
    .where('claim_id', '=', claimed.claim_id).executeTakeFirst()
  return kept.numUpdatedRows === 1n
}
