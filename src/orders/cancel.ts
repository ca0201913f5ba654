import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { cancelDeliveries } from '../deliveries/cancel.js'
import { recordEvent } from '../events/record.js'
import { fillPool } from '../licenses/fill.js'
import { releaseOrRevoke } from '../licenses/release-or-revoke.js'
import { Problem } from '../problems.js'
import { lockOrder } from './lock-order.js'

interface Cancellation { account_id: string, order_id: string, actor: string | null, reason: string }

/**
 * Ends an order for good: it waits for nothing more, what nobody has seen of its licenses is back in stock and given to those who wait,
 * the rest is revoked, and mails that are only planned are not sent. A cancelled order stays as it is. The caller calls
 * wakeWorker() after the commit: others may have got their licenses.
 *
 * @throws Problem order-not-found
 * @throws Problem order-not-paid  it ended another way
 */
export async function cancelOrder (trx: Transaction<Database>, { account_id, order_id, actor, reason }: Cancellation): Promise<void> {
  const order = await lockOrder(trx, account_id, order_id)
  if (order === undefined) throw new Problem('order-not-found')
  if (order.status === 'cancelled') return
  if (order.status !== 'paid') throw new Problem('order-not-paid', `it is ${order.status}`)
  await closeLines(trx, account_id, order_id)
  await releaseOrRevoke(trx, { account_id, order_id, license_ids: await licensesOf(trx, account_id, order_id), actor })
  await cancelDeliveries(trx, account_id, order_id)
  await trx.updateTable('orders').set({ status: 'cancelled', fulfillment_status: 'unfulfilled' })
    .where('account_id', '=', account_id).where('id', '=', order_id).execute()
  await recordEvent(trx, { account_id, type: 'order.cancelled', subject_id: order_id, actor, data: { reason } })
  for (const pool_id of order.pool_ids) await fillPool(trx, account_id, pool_id)
}

/** The lines leave their queues and want nothing more. First of all: what is released must not come back to them. */
async function closeLines (trx: Transaction<Database>, account_id: string, order_id: string): Promise<void> {
  const lines = sql`array(select id from line_items where account_id = ${account_id} and order_id = ${order_id})`
  await sql`
    with left_queue as (
      delete from backorders where account_id = ${account_id} and line_item_id = any(${lines})
    ), closed as (
      update slots set cancelled_at = now() where account_id = ${account_id} and line_item_id = any(${lines}) and cancelled_at is null
    )
    update line_items set fulfillment_status = 'unfulfilled' where account_id = ${account_id} and order_id = ${order_id}`.execute(trx)
}

async function licensesOf (trx: Transaction<Database>, account_id: string, order_id: string): Promise<string[]> {
  const held = await trx.selectFrom('line_items').innerJoin('allocations', (join) => join
    .onRef('allocations.account_id', '=', 'line_items.account_id').onRef('allocations.line_item_id', '=', 'line_items.id'))
    .select('allocations.license_id')
    .where('line_items.account_id', '=', account_id).where('line_items.order_id', '=', order_id).where('allocations.ended_as', 'is', null).execute()
  return held.map((allocation) => allocation.license_id)
}
