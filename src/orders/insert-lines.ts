import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { RoutedLine } from '../pools/route-lines.js'
import type { PaidLine } from './paid-order.js'

/** Writes lines of an order with their slots, and returns what they want. `before`: the number of its last line so far. */
export async function insertLines (
  trx: Transaction<Database>, account_id: string, order_id: string, items: readonly PaidLine[], routed: readonly RoutedLine[], before = 0
): Promise<Array<RoutedLine & { id: string }>> {
  const lines = routed.map((line, index) => ({ ...line, id: `${order_id}-${before + index + 1}` }))
  await trx.insertInto('line_items').values(lines.map(({ id, product_id, pool_id, slots }, index) => {
    const { external_id, quantity, unit_amount } = items[index] as PaidLine
    return { account_id, id, order_id, external_id, product_id, pool_id, quantity, unit_amount, fulfillment_status: slots === 0 ? 'fulfilled' : 'backordered' }
  })).execute()
  await sql`
    insert into slots (account_id, line_item_id, unit)
    select ${account_id}, l.id, unit from unnest(${lines.map((line) => line.id)}::text[], ${lines.map((line) => line.slots)}::int[]) as l (id, slots)
    cross join lateral generate_series(1, l.slots) as unit`.execute(trx)
  return lines
}
