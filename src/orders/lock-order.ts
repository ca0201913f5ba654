import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { lockPools } from '../licenses/fill.js'

/**
 * Locks the pools of an order's lines and licenses, those that its products name next, and `more` that it is to have lines of, then the order, as
 * whoever fills its lines does: then nobody gives it licenses meanwhile. Returns its pools and its status, or undefined where there is no such order.
 */
export async function lockOrder (
  trx: Transaction<Database>, account_id: string, order_id: string, more: readonly string[] = []
): Promise<{ pool_ids: string[], status: string } | undefined> {
  const { rows: pools } = await sql<{ pool_id: string }>`
    select pool_id from line_items where account_id = ${account_id} and order_id = ${order_id}
    union
    select a.pool_id from line_items l join allocations a on a.account_id = l.account_id and a.line_item_id = l.id and a.ended_as is null
    where l.account_id = ${account_id} and l.order_id = ${order_id}
    union
    select a.pool_id from line_items l join allocations a on a.account_id = l.account_id and a.line_item_id = l.id and a.ended_as is not null
    where l.account_id = ${account_id} and l.order_id = ${order_id}
    union
    select s.pool_id from line_items l join product_supplies s on s.account_id = l.account_id and s.product_id = l.product_id
    where l.account_id = ${account_id} and l.order_id = ${order_id} and s.pool_id is not null`.execute(trx)
  if (pools.length === 0) return undefined
  const pool_ids = [...(await lockPools(trx, account_id, [...pools.map((pool) => pool.pool_id), ...more])).keys()]
  const order = await trx.selectFrom('orders').select('status').where('account_id', '=', account_id).where('id', '=', order_id)
    .forNoKeyUpdate().executeTakeFirstOrThrow()
  return { pool_ids, status: order.status }
}
