import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { unlessUsed } from '../../database/unless-used.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'

/**
 * Deletes a connection of a vendor's product through which nothing was bought.
 *
 * @throws Problem connection-not-found
 * @throws Problem in-use
 */
export async function deleteConnection (
  trx: Transaction<Database>, { account_id, product_id, id }: { account_id: string, product_id: string, id: string }, actor: string
): Promise<void> {
  const { numDeletedRows } = await unlessUsed(() =>
    trx.deleteFrom('connections').where('account_id', '=', account_id).where('product_id', '=', product_id).where('id', '=', id).executeTakeFirst(),
  'in-use', 'set its status to revoked instead')
  if (numDeletedRows === 0n) throw new Problem('connection-not-found')
  await recordEvent(trx, { account_id, type: 'connection.deleted', subject_id: id, actor })
}
