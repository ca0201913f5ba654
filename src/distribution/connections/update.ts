import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'
import type { Connection } from '../find-connection.js'

export interface ConnectionChange { status?: Connection['status'] | undefined, product_version_type?: 'public' | 'staging' | undefined }
interface Wanted { account_id: string, product_id: string, id: string, change: ConnectionChange }

/**
 * Changes the state of a connection of a vendor's product. What was bought through it goes on.
 *
 * @throws Problem connection-not-found
 */
export async function updateConnection (trx: Transaction<Database>, { account_id, product_id, id, change }: Wanted, actor: string): Promise<void> {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined))
  const { numUpdatedRows } = await trx.updateTable('connections').set({ updated_at: sql<Date>`now()`, ...given })
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('id', '=', id).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Problem('connection-not-found')
  await recordEvent(trx, { account_id, type: 'connection.updated', subject_id: id, actor, data: given })
}
