import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { unlessUsed } from '../../database/unless-used.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'

/**
 * Deletes a hub that nothing refers to.
 *
 * @throws Problem hub-not-found
 * @throws Problem in-use  by a marketplace, a connection or a tier account
 */
export async function deleteHub (trx: Transaction<Database>, { provider_id, id }: { provider_id: string, id: string }, actor: string): Promise<void> {
  const { numDeletedRows } = await unlessUsed(() => trx.deleteFrom('hubs').where('provider_id', '=', provider_id).where('id', '=', id).executeTakeFirst(),
    'in-use', 'delete those first, where nothing was sold through them')
  if (numDeletedRows === 0n) throw new Problem('hub-not-found')
  await recordEvent(trx, { account_id: provider_id, type: 'hub.deleted', subject_id: id, actor })
}
