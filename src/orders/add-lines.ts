import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { replanDeliveries } from '../deliveries/replan.js'
import { recordEvent } from '../events/record.js'
import { routeLines } from '../pools/route-lines.js'
import { fulfill } from './fulfill.js'
import { insertLines } from './insert-lines.js'
import { lockOrder } from './lock-order.js'
import { orderExists } from './same-order.js'
import type { Arrival } from './take-in.js'

/**
 * Adds to a known order the lines that it does not have yet, for sources that send an event per line. A line that it has, with the same product and quantity,
 * stays as it is. What is new is mailed with what is still to be mailed of its product.
 *
 * @throws Problem order-exists  a line of that name has another product or quantity, or the order another currency or mode
 * @throws Problem product-not-found
 * @throws Problem pool-missing
 */
export async function addLines (trx: Transaction<Database>, { account_id, order, actor }: Arrival, order_id: string): Promise<void> {
  const routed = await routeLines(trx, account_id, order)
  await lockOrder(trx, account_id, order_id, routed.map((line) => line.pool_id))
  const known = await trx.selectFrom('orders').select(['currency', 'mode', 'is_held']).where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirstOrThrow()
  if (known.currency !== order.currency || known.mode !== order.mode) throw orderExists(order_id)
  const kept = await trx.selectFrom('line_items').select(['external_id', 'product_id', 'quantity'])
    .where('account_id', '=', account_id).where('order_id', '=', order_id).execute()
  const lines = order.line_items.map((item, index) => ({ item, route: routed[index] as typeof routed[number] }))
  const added = lines.filter(({ item, route }) => {
    const same = kept.find((line) => line.external_id === item.external_id)
    if (same !== undefined && (same.product_id !== route.product_id || same.quantity !== item.quantity)) throw orderExists(order_id)
    return same === undefined
  })
  if (added.length === 0) return
  const waiting = await insertLines(trx, account_id, order_id, added.map(({ item }) => item), added.map(({ route }) => route), kept.length)
  await sql`
    update orders set total_amount = coalesce(total_amount + ${order.total_amount ?? null}::bigint, total_amount, ${order.total_amount ?? null})
    where account_id = ${account_id} and id = ${order_id}`.execute(trx)
  await recordEvent(trx, { account_id, type: 'order.lines_added', subject_id: order_id, actor, data: { line_item_ids: waiting.map((line) => line.id) } })
  if (known.is_held) return // settled after this, as a held order always is: its lines wait for nothing
  await fulfill(trx, account_id, order_id, waiting, false)
  await replanDeliveries(trx, { account_id, order_id })
}
