import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'
import { columnsOf, type HubWords } from './create.js'

/**
 * Replaces what is given of a hub.
 *
 * @throws Problem hub-not-found
 */
export async function updateHub (
  trx: Transaction<Database>, { provider_id, id, change }: { provider_id: string, id: string, change: HubWords }, actor: string
): Promise<void> {
  const { numUpdatedRows } = await trx.updateTable('hubs').set({ updated_at: sql<Date>`now()`, ...columnsOf(change) })
    .where('provider_id', '=', provider_id).where('id', '=', id).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Problem('hub-not-found')
  await recordEvent(trx, { account_id: provider_id, type: 'hub.updated', subject_id: id, actor })
}
