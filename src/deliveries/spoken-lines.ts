import { sql, type RawBuilder } from 'kysely'

/**
 * The lines of an order with those whose licenses its mails say: their own, and those that a renewal keeps. Columns `id`, `product_id`, `holder_id`.
 */
export function spokenLines (account_id: string, order_id: string): RawBuilder<unknown> {
  return sql`(
    select id, product_id, id as holder_id from line_items where account_id = ${account_id} and order_id = ${order_id}
    union all
    select line_item_id, product_id, unnest(kept_line_item_ids) from renewals where account_id = ${account_id} and order_id = ${order_id})`
}
