import { sql } from 'kysely'
import type { Check } from './check.js'

/** Requests with what fills them from pools, and the asset that they are about. */
const drawn = sql`
  select r.account_id, r.id, r.type, r.status, r.waits_for_stock, a.status as asset_status, o.id as order_id, o.status as order_status, o.fulfillment_status,
    exists (select from backorders b where b.account_id = o.account_id and b.order_id = o.id) as is_queued,
    exists (select from line_items l where l.account_id = o.account_id and l.order_id = o.id and l.fulfillment_status = 'unfulfilled') as is_given_up
  from requests r
  join assets a on a.account_id = r.account_id and a.id = r.asset_id
  join orders o on o.account_id = r.account_id and o.id = r.order_id`

/** The licenses that are values of parameters, of a request or of an asset. */
const shown = sql`
  select v.account_id, v.owner_id, v.parameter_id, license_id, coalesce(r.asset_id, v.owner_id) as asset_id
  from parameter_values v cross join lateral unnest(v.license_ids) as license_id
  left join requests r on r.account_id = v.account_id and r.id = v.owner_id`

/** What providers asked for: its state, what it took from pools, and what its parameters show. */
export const requestChecks: readonly Check[] = [
  {
    name: 'at most one request is under way on an asset',
    over: 'requests',
    broken: sql`
      select asset_id as id from requests where status in ('tiers_setup', 'pending', 'inquiring', 'scheduled', 'revoking')
      group by account_id, asset_id having count(*) > 1`,
  }, {
    name: 'an asset has the status that its requests give it',
    over: 'assets',
    broken: sql`
      select a.id || ' is ' || a.status as id
      from assets a
      left join requests p on p.account_id = a.account_id and p.asset_id = a.id and p.type = 'purchase'
      left join lateral (
        select r.type from requests r where r.account_id = a.account_id and r.asset_id = a.id and r.status = 'approved'
          and r.type in ('purchase', 'suspend', 'resume', 'cancel')
        order by r.updated_at desc, r.id desc limit 1) l on true
      where a.status is distinct from case
        when p.status = 'draft' then 'draft'
        when p.status in ('failed', 'revoked') then 'terminated'
        when p.status <> 'approved' then 'processing'
        when exists (
          select from requests r where r.account_id = a.account_id and r.asset_id = a.id and r.type = 'cancel'
            and r.status in ('tiers_setup', 'pending', 'inquiring', 'scheduled', 'revoking')) then 'terminating'
        when l.type = 'suspend' then 'suspended'
        when l.type = 'cancel' then 'terminated'
        when l.type is not null then 'active' end`,
  }, {
    name: 'a request has its conversation',
    over: 'requests',
    broken: sql`
      select r.id from requests r left join conversations c on c.account_id = r.account_id and c.instance_id = r.id where c.id is null`,
  }, {
    name: 'an order for a request is of a purchase, and the one that this knows of',
    over: 'requests',
    broken: sql`
      select coalesce(r.id, o.external_id) as id
      from (select * from requests where order_id is not null) r
      full join (select * from orders where source_id = 'requests') o on o.account_id = r.account_id and o.id = r.order_id
      where r.id is distinct from o.external_id or r.type <> 'purchase'`,
  }, {
    name: 'an approved purchase has every license of its order, unless that was cancelled or one was found bad and has no other yet',
    over: 'requests',
    broken: sql`
      select id || ', its order is ' || fulfillment_status as id from (${drawn}) d
      where status = 'approved' and order_status <> 'cancelled' and fulfillment_status <> 'fulfilled' and not exists (
        select from license_revocations r where r.account_id = d.account_id and r.order_id = d.order_id and r.replaced_by is null)`,
  }, {
    name: 'what failed, was revoked or is terminated takes nothing from a pool',
    over: 'requests',
    broken: sql`
      select id from (${drawn}) d where order_status <> 'cancelled' and (status in ('failed', 'revoked') or asset_status = 'terminated')`,
  }, {
    name: 'a pending request waits for stock as its order does, or to be approved now that its order is filled',
    over: 'requests',
    broken: sql`
      select id from (${drawn}) d
      where waits_for_stock and not (order_status = 'paid' and not is_given_up and (is_queued or fulfillment_status = 'fulfilled'))
        or status = 'pending' and order_status = 'paid' and is_queued and not is_given_up and not waits_for_stock`,
  }, {
    name: 'the value of a secret parameter is sealed, or of licenses',
    over: 'parameter_values',
    broken: sql`
      select v.owner_id || ' ' || v.parameter_id as id from parameter_values v
      join product_parameters p on p.account_id = v.account_id and p.id = v.parameter_id
      where p.secret and (v.value is not null or v.structured_value is not null)`,
  }, {
    name: 'the value of a parameter shows licenses that were given to a purchase of its asset only, and they are marked as seen',
    over: 'parameter_values',
    broken: sql`
      select distinct owner_id || ' ' || parameter_id as id from (${shown}) v
      where not exists (
        select from requests r join allocations a on a.account_id = r.account_id and a.order_id = r.order_id and a.license_id = v.license_id
        join license_sightings s on s.account_id = a.account_id and s.license_id = a.license_id and s.how = 'approved' and s.seen_at >= a.allocated_at
        where r.account_id = v.account_id and r.asset_id = v.asset_id)`,
  },
]
