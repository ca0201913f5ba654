import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'

/** @throws Problem payment-source-not-found */
export async function renameSource (trx: Transaction<Database>, account_id: string, id: string, name: string, actor: string): Promise<void> {
  await change(trx, account_id, id, { name, updated_at: sql<Date>`now()` })
  await recordEvent(trx, { account_id, type: 'payment_source.renamed', subject_id: id, actor })
}

/**
 * Webhooks to it are refused from now on, on other processes within a second. Its orders and events stay.
 *
 * @throws Problem payment-source-not-found
 */
export async function deleteSource (trx: Transaction<Database>, account_id: string, id: string, actor: string): Promise<void> {
  await change(trx, account_id, id, { deleted_at: sql<Date>`now()` })
  await recordEvent(trx, { account_id, type: 'payment_source.deleted', subject_id: id, actor })
}

async function change (trx: Transaction<Database>, account_id: string, id: string, values: Record<string, unknown>): Promise<void> {
  const { numUpdatedRows } = await trx.updateTable('payment_sources').set(values)
    .where('account_id', '=', account_id).where('id', '=', id).where('deleted_at', 'is', null).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Problem('payment-source-not-found')
}
