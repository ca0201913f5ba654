import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'

/**
 * Closes the page of an order to every link that was given out. Links made from now on open it.
 *
 * @throws Problem order-not-found
 */
export async function revokeLinks (trx: Transaction<Database>, account_id: string, order_id: string, actor: string): Promise<void> {
  const { numUpdatedRows } = await trx.updateTable('orders').set({ page_generation: sql<number>`page_generation + 1` })
    .where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Problem('order-not-found')
  await recordEvent(trx, { account_id, type: 'order.page_links_revoked', subject_id: order_id, actor })
}
