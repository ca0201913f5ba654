import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { planDeliveries } from '../deliveries/plan.js'
import { awaitsMore } from '../deliveries/replan.js'
import type { ShortLine } from './short-line.js'

/**
 * Plans the mail of the licenses that a line holds and no mail has, once no more are about to come: one mail and not one for each call. A mail of
 * the order and product that was not tried yet takes them along. While the order is held, none: it is planned when that is paid again.
 * To be called, under the lock of the order, when the line's demands or its licenses have changed.
 */
export async function mailLine (
  trx: Transaction<Database>, { account_id, order_id, line_item_id, product_id }: Pick<ShortLine, 'account_id' | 'order_id' | 'line_item_id' | 'product_id'>
): Promise<void> {
  const { rows } = await sql<{ license_id: string }>`
    select a.license_id from allocations a join orders o on o.account_id = a.account_id and o.id = a.order_id and not o.is_held
    where a.account_id = ${account_id} and a.line_item_id = ${line_item_id} and a.ended_as is null and not ${awaitsMore(account_id, sql`a.line_item_id`)} and not exists (
      select from deliveries d where d.account_id = a.account_id and d.order_id = a.order_id and d.status <> 'cancelled' and a.license_id = any(d.license_ids))
    order by a.unit`.execute(trx)
  if (rows.length === 0) return
  const license_ids = rows.map((row) => row.license_id)
  const { numAffectedRows } = await sql`
    update deliveries set license_ids = license_ids || ${license_ids}::text[]
    where account_id = ${account_id} and id = (
      select id from deliveries where account_id = ${account_id} and order_id = ${order_id} and product_id = ${product_id}
        and status = 'planned' and attempts = 0 and reason in ('order', 'backorder') order by id limit 1)
      and status = 'planned' and attempts = 0`.execute(trx)
  if (numAffectedRows === 0n) await planDeliveries(trx, { account_id, order_id, reason: 'backorder', filled: license_ids.map((license_id) => ({ product_id, license_id })) })
}
