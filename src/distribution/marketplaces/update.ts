import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'
import { checkHub, type NewMarketplace } from './create.js'

/**
 * Replaces what is given of a marketplace.
 *
 * @throws Problem marketplace-not-found
 * @throws Problem validation-failed  the provider has no such hub
 */
export async function updateMarketplace (
  trx: Transaction<Database>, { provider_id, id, change }: { provider_id: string, id: string, change: Partial<NewMarketplace> }, actor: string
): Promise<void> {
  const { hub_id, name, description, icon } = change
  if (hub_id !== undefined) await checkHub(trx, provider_id, hub_id)
  const given = Object.fromEntries(Object.entries({ hub_id, name, description, icon }).filter(([, value]) => value !== undefined))
  const { numUpdatedRows } = await trx.updateTable('marketplaces').set({ updated_at: sql<Date>`now()`, ...given })
    .where('provider_id', '=', provider_id).where('id', '=', id).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Problem('marketplace-not-found')
  await recordEvent(trx, { account_id: provider_id, type: 'marketplace.updated', subject_id: id, actor, data: { fields: Object.keys(given) } })
}
