import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/**
 * Sets the fulfillment_status of orders from their lines, and records `order.fulfilled` for those that became so.
 * All lines fulfilled: fulfilled; something allocated: partial; something waiting: backordered; else unfulfilled. Lines that are over, all their
 * units refunded, do not count.
 * Locks the orders, in the order of their ids, before it looks: of two pools that fill one order at once, whoever comes second must see
 * the line of the first.
 */
export async function refreshFulfillment (trx: Transaction<Database>, account_id: string, order_ids: readonly string[]): Promise<void> {
  if (order_ids.length === 0) return
  await sql`select from orders where account_id = ${account_id} and id = any(${order_ids}::text[]) order by id for no key update`.execute(trx)
  await sql`
    with changed as (
      update orders o set fulfillment_status = s.status
      from (
        select order_id, case
          when bool_and(fulfillment_status = 'fulfilled') then 'fulfilled'
          when bool_or(fulfillment_status in ('fulfilled', 'partial')) then 'partial'
          when bool_or(fulfillment_status = 'backordered') then 'backordered'
          else 'unfulfilled' end as status
        from (
          select order_id, case when ended_units < quantity then fulfillment_status end as fulfillment_status
          from line_items where account_id = ${account_id} and order_id = any(${order_ids}::text[])) l
        group by order_id) s
      where o.account_id = ${account_id} and o.id = s.order_id and o.fulfillment_status <> s.status
      returning o.id, o.fulfillment_status
    )
    insert into events (account_id, type, subject_id) select ${account_id}, 'order.fulfilled', id from changed where fulfillment_status = 'fulfilled'
  `.execute(trx)
}
