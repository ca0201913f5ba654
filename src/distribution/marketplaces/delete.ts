import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { unlessUsed } from '../../database/unless-used.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'

/**
 * Deletes a marketplace that nothing refers to.
 *
 * @throws Problem marketplace-not-found
 * @throws Problem in-use  by a contract or a purchase
 */
export async function deleteMarketplace (trx: Transaction<Database>, { provider_id, id }: { provider_id: string, id: string }, actor: string): Promise<void> {
  const { numDeletedRows } = await unlessUsed(() => trx.deleteFrom('marketplaces').where('provider_id', '=', provider_id).where('id', '=', id).executeTakeFirst(),
    'in-use', 'its vendors can terminate their contracts instead')
  if (numDeletedRows === 0n) throw new Problem('marketplace-not-found')
  await recordEvent(trx, { account_id: provider_id, type: 'marketplace.deleted', subject_id: id, actor })
}
