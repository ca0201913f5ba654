import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'

/**
 * Lists a vendor's product again, or no longer. What was sold goes on. Without a status nothing changes.
 *
 * @throws Problem listing-not-found
 */
export async function updateListing (
  trx: Transaction<Database>, { account_id, id, status }: { account_id: string, id: string, status: 'listed' | 'unlisted' | undefined }, actor: string
): Promise<void> {
  const { numUpdatedRows } = await trx.updateTable('listings').set({ updated_at: sql<Date>`now()`, ...(status === undefined ? {} : { status }) })
    .where('account_id', '=', account_id).where('id', '=', id).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Problem('listing-not-found')
  await recordEvent(trx, { account_id, type: 'listing.updated', subject_id: id, actor, ...(status === undefined ? {} : { data: { status } }) })
}
