import { sql } from 'kysely'
import type { Check } from './check.js'

/** The line before each in its chain, the first with number 0. */
const links = sql`
  select r.*, l.order_id as line_order_id, l.product_id as line_product_id, o.parent_id, p.product_id as parent_product_id, q.number as parent_number,
    coalesce(q.first_line_item_id, r.parent_line_item_id) as parent_first_id
  from renewals r
  left join line_items l on l.account_id = r.account_id and l.id = r.line_item_id
  left join orders o on o.account_id = l.account_id and o.id = l.order_id
  left join line_items p on p.account_id = r.account_id and p.id = r.parent_line_item_id
  left join renewals q on q.account_id = r.account_id and q.line_item_id = r.parent_line_item_id`

/** Orders that renew others. */
export const renewalChecks: readonly Check[] = [
  {
    name: 'a renewal goes on with a line of the same product, of an earlier place in one chain',
    over: 'renewals',
    broken: sql`
      select line_item_id as id from (${links}) r
      where parent_first_id <> first_line_item_id or coalesce(parent_number, 0) >= number or line_item_id = first_line_item_id
        or parent_product_id is distinct from product_id or line_product_id is distinct from product_id or line_order_id is distinct from order_id or parent_id is null`,
  }, {
    name: 'a renewal keeps licenses of its own chain only',
    over: 'renewals',
    broken: sql`
      select distinct r.line_item_id as id from renewals r cross join lateral unnest(r.parent_license_line_ids) as had (id)
      left join renewals q on q.account_id = r.account_id and q.line_item_id = had.id
      where coalesce(q.first_line_item_id, had.id) <> r.first_line_item_id or coalesce(q.number, 0) >= r.number`,
  },
]
