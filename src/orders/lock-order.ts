import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { lockPools } from '../licenses/fill.js'

/**
 * Locks the pools of an order's lines, then the order, as whoever fills its lines does: then nobody gives it licenses meanwhile. Returns
 * its pools and its status, or undefined where there is no such order.
 */
export async function lockOrder (
  trx: Transaction<Database>, account_id: string, order_id: string
): Promise<{ pool_ids: string[], status: string } | undefined> {
  const lines = await trx.selectFrom('line_items').select('pool_id').distinct()
    .where('account_id', '=', account_id).where('order_id', '=', order_id).execute()
  if (lines.length === 0) return undefined
  const pools = await lockPools(trx, account_id, lines.map((line) => line.pool_id))
  const order = await trx.selectFrom('orders').select('status').where('account_id', '=', account_id).where('id', '=', order_id)
    .forNoKeyUpdate().executeTakeFirstOrThrow()
  return { pool_ids: [...pools.keys()], status: order.status }
}
