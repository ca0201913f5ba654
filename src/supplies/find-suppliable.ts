import { sql, type Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import { mailAddress } from '../deliveries/plan.js'
import type { LineId } from './short-line.js'

/** Lines that one look finds: bounds how long the others wait for the next. */
const LINES_MAX = 500

/**
 * The lines that wait and could ask a supply now: they miss more than was asked for, and a supply is called; a next pool has become able to serve them, and
 * no supply that comes before it is being asked; or their customer is still to be informed.
 */
export async function findSuppliable (db: Kysely<Database>): Promise<LineId[]> {
  const { rows } = await sql<LineId>`
    with waiting as materialized (
      select b.account_id, b.line_item_id, b.order_id, b.missing, l.product_id, o.mode, ${mailAddress} is not null as has_address,
        case p.on_shortage when 'partial' then 1 else b.missing - (
          select count(*) from (select from fit_stock k where k.account_id = b.account_id and k.pool_id = b.pool_id limit b.missing) k) end as enough
      from backorders b
      join line_items l on l.account_id = b.account_id and l.id = b.line_item_id
      join orders o on o.account_id = b.account_id and o.id = b.order_id
      join pools p on p.account_id = b.account_id and p.id = b.pool_id
      where exists (select from product_supplies s where s.account_id = b.account_id and s.product_id = l.product_id)
    )
    select distinct w.account_id, w.line_item_id from waiting w
    join product_supplies s on s.account_id = w.account_id and s.product_id = w.product_id and w.mode = any(s.modes)
    cross join lateral (
      select coalesce(sum(d.quantity) filter (where d.status in ('planned', 'calling', 'given_up')), 0) as asked_for,
        count(*) filter (where d.status in ('planned', 'calling') and d.step < s.step) as before
      from supply_orders d where d.account_id = w.account_id and d.line_item_id = w.line_item_id) d
    where case s.type
      when 'pool' then d.before = 0
        and (d.asked_for > 0 or not exists (
          select from product_supplies c where c.account_id = s.account_id and c.product_id = s.product_id and c.step < s.step
            and c.type in ('web_service', 'emulator') and w.mode = any(c.modes)))
        and (select count(*) from (select from fit_stock k where k.account_id = s.account_id and k.pool_id = s.pool_id limit w.enough) k) >= w.enough
        and not exists (select from backorders k where k.account_id = s.account_id and k.pool_id = s.pool_id)
      when 'information' then d.asked_for = 0 and w.has_address and not exists (
        select from deliveries m where m.account_id = w.account_id and m.order_id = w.order_id and m.product_id = w.product_id and m.reason = 'information')
      else d.asked_for < w.missing end
    limit ${sql.lit(LINES_MAX)}`.execute(db)
  return rows
}
