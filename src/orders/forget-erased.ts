import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/**
 * Takes the content from a payment event, just written, if an order that it is of was erased: what is said of it again does not bring the customer back. To be
 * called at the end of the transaction: it waits for an erasure of the order, or an erasure for it.
 */
export async function forgetErased (trx: Transaction<Database>, account_id: string, event_id: string, order_ids: readonly string[]): Promise<void> {
  if (order_ids.length === 0) return
  const orders = await trx.selectFrom('orders').select('erased_at').where('account_id', '=', account_id).where('id', '=', sql<string>`any(${order_ids}::text[])`)
    .orderBy('id').forShare().execute()
  if (orders.every((order) => order.erased_at === null)) return
  await trx.updateTable('payment_events').set({ body: Buffer.alloc(0), context: '{}', answers: null, erased_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('id', '=', event_id).where('erased_at', 'is', null).execute()
}
