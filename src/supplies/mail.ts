import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { planDeliveries } from '../deliveries/plan.js'
import type { ShortLine } from './short-line.js'

/**
 * Whether more licenses are about to come for a line, so that the mail waits for them: it misses some, and a demand is open; where the policy is to
 * hand over what there is, one that was not yet called to the end of its first try.
 */
async function comesMore (trx: Transaction<Database>, { account_id, line_item_id, is_partial }: ShortLine): Promise<boolean> {
  const { rows: [open] } = await sql<{ more: boolean }>`
    select exists (
      select from supply_orders d join backorders b on b.account_id = d.account_id and b.line_item_id = d.line_item_id
      where d.account_id = ${account_id} and d.line_item_id = ${line_item_id} and d.status in ('planned', 'calling')
        and (not ${is_partial}::boolean or d.attempts = 0 or (d.attempts = 1 and d.status = 'calling'))) as more`.execute(trx)
  return open?.more === true
}

/**
 * Plans the mail of the licenses that a line holds and no mail has, once no more are about to come: one mail and not one for each call. A mail of
 * the order and product that was not tried yet takes them along. To be called, under the locks of the line, when its demands or its licenses have changed.
 */
export async function mailLine (trx: Transaction<Database>, line: ShortLine): Promise<void> {
  const { account_id, order_id, line_item_id, product_id } = line
  if (await comesMore(trx, line)) return
  const { rows } = await sql<{ license_id: string }>`
    select a.license_id from allocations a
    where a.account_id = ${account_id} and a.line_item_id = ${line_item_id} and a.ended_as is null and not exists (
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
