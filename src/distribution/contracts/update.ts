import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'
import { oneInForce } from './one-in-force.js'

export interface ContractChange { name?: string | undefined, status?: 'active' | 'terminated' | undefined }

/**
 * Renames a vendor's contract, ends it, or puts it in force again. What was sold under it stays as it is.
 *
 * @throws Problem contract-not-found
 * @throws Problem contract-exists  another is in force now
 */
export async function updateContract (
  trx: Transaction<Database>, { account_id, id, change: { name, status } }: { account_id: string, id: string, change: ContractChange }, actor: string
): Promise<void> {
  const was = await trx.selectFrom('contracts').select(['provider_id', 'marketplace_id', 'status'])
    .where('account_id', '=', account_id).where('id', '=', id).forNoKeyUpdate().executeTakeFirst()
  if (was === undefined) throw new Problem('contract-not-found')
  const write = () => trx.updateTable('contracts')
    .set({ updated_at: sql<Date>`now()`, ...(name === undefined ? {} : { name }), ...(status === undefined ? {} : { status }) })
    .where('account_id', '=', account_id).where('id', '=', id).execute()
  const isRevived = status === 'active' && was.status !== 'active'
  await (isRevived ? oneInForce(trx, { account_id, ...was }, write) : write())
  await recordEvent(trx, { account_id, type: 'contract.updated', subject_id: id, actor, data: { status: status ?? was.status } })
}
