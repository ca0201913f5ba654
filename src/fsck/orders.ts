import { sql } from 'kysely'
import type { Check } from './check.js'

/** Per line: how many slots there are to fill, and how many hold a license. */
const filled = sql`
  select l.account_id, l.id, l.order_id, l.pool_id, l.quantity, l.fulfillment_status, count(s.unit) as slots, max(s.unit) as greatest,
    count(s.unit) filter (where s.cancelled_at is null) as to_fill, count(a.unit) filter (where s.cancelled_at is null) as filled
  from line_items l
  left join slots s on s.account_id = l.account_id and s.line_item_id = l.id
  left join allocations a on a.account_id = s.account_id and a.line_item_id = s.line_item_id and a.unit = s.unit and a.ended_as is null
  group by l.account_id, l.id`

/** What was paid for: slots, who holds what, and what the statuses say about it. */
export const orderChecks: readonly Check[] = [
  {
    name: 'a slot holds at most one license',
    over: 'slots',
    broken: sql`
      select line_item_id || ' unit ' || unit as id from allocations where ended_as is null group by account_id, line_item_id, unit having count(*) > 1`,
  }, {
    name: 'an allocated license is in exactly one slot',
    over: 'allocations',
    broken: sql`
      select min(a.license_id) as id from allocations a
      left join slots s on s.account_id = a.account_id and s.line_item_id = a.line_item_id and s.unit = a.unit and s.cancelled_at is null
      where a.ended_as is null
      group by a.account_id, a.license_id having count(*) <> 1 or count(s.unit) <> 1`,
  }, {
    name: 'an allocation is of the order of its line, and of a pool of its mode',
    over: 'allocations',
    broken: sql`
      select a.license_id as id from allocations a left join line_items l on l.account_id = a.account_id and l.id = a.line_item_id
      left join orders o on o.account_id = l.account_id and o.id = l.order_id
      left join pools p on p.account_id = a.account_id and p.id = a.pool_id
      where (o.id, o.mode) is distinct from (a.order_id, p.mode)`,
  }, {
    // or fewer, where a renewal keeps some
    name: 'the slots of a line are numbered from 1 without a gap: one, or one per unit of its quantity; none without a pool',
    over: 'line_items',
    broken: sql`
      select id from (${filled}) l where slots <> coalesce(greatest, 0) or case pool_id when '' then slots <> 0 else slots not in (1, quantity) end
        and not exists (select from renewals r where r.account_id = l.account_id and r.line_item_id = l.id and r.on_renewal <> 'issue' and l.slots < l.quantity)`,
  }, {
    name: 'the fulfillment_status of a line agrees with its slots and its backorder',
    over: 'line_items',
    broken: sql`
      select l.id || ' is ' || fulfillment_status as id
      from (${filled}) l left join backorders b on b.account_id = l.account_id and b.line_item_id = l.id
      where to_fill > 0 and fulfillment_status <> case
        when l.filled = to_fill then 'fulfilled' when l.filled > 0 then 'partial' when b.queue is not null then 'backordered' else 'unfulfilled' end`,
  }, {
    name: 'the fulfillment_status of an order agrees with its lines',
    over: 'orders',
    broken: sql`
      select o.id || ' is ' || o.fulfillment_status as id
      from orders o
      left join (
        select account_id, order_id, case
          when bool_and(fulfillment_status = 'fulfilled') then 'fulfilled'
          when bool_or(fulfillment_status in ('fulfilled', 'partial')) then 'partial'
          when bool_or(fulfillment_status = 'backordered') then 'backordered'
          else 'unfulfilled' end as status
        from (select account_id, order_id, case when ended_units < quantity then fulfillment_status end as fulfillment_status from line_items) l
        group by 1, 2) l on l.account_id = o.account_id and l.order_id = o.id
      where o.fulfillment_status is distinct from l.status`,
  }, {
    name: 'a backorder misses what its line still lacks, in the pool of its line',
    over: 'backorders',
    broken: sql`
      select b.line_item_id as id from backorders b left join (${filled}) l on l.account_id = b.account_id and l.id = b.line_item_id
      where (l.pool_id, l.order_id, l.to_fill - l.filled) is distinct from (b.pool_id, b.order_id, b.missing::bigint)`,
  }, {
    // a line without slots, which is a mail or keeps what a renewal renews, was fulfilled all the same
    name: 'a cancelled order holds no license, wants none and waits for none',
    over: 'orders',
    broken: sql`
      select distinct o.id
      from orders o
      join line_items l on l.account_id = o.account_id and l.order_id = o.id
      left join slots s on s.account_id = l.account_id and s.line_item_id = l.id and s.cancelled_at is null
      left join allocations a on a.account_id = l.account_id and a.line_item_id = l.id and a.ended_as is null
      left join backorders b on b.account_id = l.account_id and b.line_item_id = l.id
      where o.status = 'cancelled' and (s.unit is not null or a.unit is not null or b.queue is not null or (
        l.fulfillment_status <> 'unfulfilled' and exists (select from slots c where c.account_id = l.account_id and c.line_item_id = l.id)))`,
  }, {
    name: 'nobody waits at the head of a queue for what is in stock',
    over: 'backorders',
    broken: sql`
      select b.line_item_id as id
      from (select distinct on (account_id, pool_id) * from backorders order by account_id, pool_id, queue) b
      join pools p on p.account_id = b.account_id and p.id = b.pool_id
      where (select count(*) from fit_stock s where s.account_id = b.account_id and s.pool_id = b.pool_id)
        >= case p.on_shortage when 'partial' then 1 else b.missing end`,
  }, {
    name: 'an order has the mode of its source and of the pools of its lines',
    over: 'orders',
    broken: sql`
      select o.id from orders o left join payment_sources s on s.account_id = o.account_id and s.id = o.source_id
      where o.mode is distinct from coalesce(s.mode, case o.source_id when 'api-live' then 'live' when 'api-test' then 'test' when 'requests' then o.mode end)
      union
      select o.id from orders o join line_items l on l.account_id = o.account_id and l.order_id = o.id
      left join pools p on p.account_id = l.account_id and p.id = l.pool_id
      where p.mode is distinct from o.mode and l.pool_id <> ''`,
  }, {
    name: 'a processed payment event has its order',
    over: 'payment_events',
    broken: sql`
      select e.id from payment_events e left join orders o on o.account_id = e.account_id and o.id = e.order_id
      where e.status = 'processed' and o.id is null`,
  },
]
