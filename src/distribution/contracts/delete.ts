import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { unlessUsed } from '../../database/unless-used.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'

const INSTEAD = 'set its status to terminated instead'

/**
 * Deletes a vendor's contract that nothing refers to.
 *
 * @throws Problem contract-not-found
 * @throws Problem in-use  by a listing or a purchase
 */
export async function deleteContract (trx: Transaction<Database>, { account_id, id }: { account_id: string, id: string }, actor: string): Promise<void> {
  const { rows: [sold] } = await sql`
    select from assets where account_id = ${account_id} and contract_id = ${id}
    union all select from tier_configs where account_id = ${account_id} and contract_id = ${id} limit 1`.execute(trx)
  if (sold !== undefined) throw new Problem('in-use', INSTEAD)
  const { numDeletedRows } = await unlessUsed(() => trx.deleteFrom('contracts').where('account_id', '=', account_id).where('id', '=', id).executeTakeFirst(),
    'in-use', INSTEAD)
  if (numDeletedRows === 0n) throw new Problem('contract-not-found')
  await recordEvent(trx, { account_id, type: 'contract.deleted', subject_id: id, actor })
}
