import { sql } from 'kysely'
import type { Check } from './check.js'

/** What was asked for beyond the pools, and what came of it. */
export const supplyChecks: readonly Check[] = [
  {
    name: 'a supply order is of its line',
    over: 'supply_orders',
    broken: sql`
      select d.id from supply_orders d
      left join line_items l on l.account_id = d.account_id and l.id = d.line_item_id
      left join orders o on o.account_id = l.account_id and o.id = l.order_id
      where (o.id, o.mode, l.product_id, l.pool_id) is distinct from (d.order_id, d.mode, d.product_id, d.pool_id)`,
  }, {
    name: 'a supply order that is done brought as many licenses as it asked for, into the pool of its line',
    over: 'supply_orders',
    broken: sql`
      select d.id from supply_orders d
      left join batches b on b.account_id = d.account_id and b.id = d.batch_id and b.status = 'loaded'
      where d.status = 'done' and (b.pool_id, b.loaded, b.created_by) is distinct from (d.pool_id, d.quantity, d.id)`,
  }, {
    name: 'a batch is of one supply order',
    over: 'supply_orders',
    broken: sql`
      select min(id) as id from supply_orders where batch_id is not null group by account_id, batch_id having count(*) > 1`,
  }, {
    name: 'names know whether their product hands over nothing but a mail',
    over: 'product_refs',
    broken: sql`
      select r.ref as id from product_refs r
      where r.is_informational <> (
        select count(*) = 1 and coalesce(bool_and(s.type = 'information'), false) from product_supplies s
        where s.account_id = r.account_id and s.product_id = r.product_id)`,
  },
]
