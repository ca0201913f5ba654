import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'

/** Gives an account, known to exist, another name: customers read a vendor's under their mails. */
export async function renameAccount (trx: Transaction<Database>, account_id: string, name: string, actor: string): Promise<void> {
  await trx.updateTable('accounts').set({ name }).where('id', '=', account_id).execute()
  await recordEvent(trx, { account_id, type: 'account.renamed', subject_id: account_id, actor })
}
