import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import type { AccountWords } from './create-account.js'

/** Replaces what is given of an account that is known to exist. Customers read a vendor's name under their mails. */
export async function updateAccount (trx: Transaction<Database>, account_id: string, change: Partial<AccountWords>, actor: string): Promise<void> {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
  const fields = Object.keys(given)
  if (fields.length === 0) return
  await trx.updateTable('accounts').set(given).where('id', '=', account_id).execute()
  await recordEvent(trx, { account_id, type: 'account.updated', subject_id: account_id, actor, data: { fields } })
}
