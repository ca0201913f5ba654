import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { unlessUsed } from '../../database/unless-used.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'

/**
 * Deletes a vendor's contract that nothing refers to.
 *
 * @throws Problem contract-not-found
 * @throws Problem in-use  by a listing or a purchase
 */
export async function deleteContract (trx: Transaction<Database>, { account_id, id }: { account_id: string, id: string }, actor: string): Promise<void> {
  const { numDeletedRows } = await unlessUsed(() => trx.deleteFrom('contracts').where('account_id', '=', account_id).where('id', '=', id).executeTakeFirst(),
    'in-use', 'set its status to terminated instead')
  if (numDeletedRows === 0n) throw new Problem('contract-not-found')
  await recordEvent(trx, { account_id, type: 'contract.deleted', subject_id: id, actor })
}
