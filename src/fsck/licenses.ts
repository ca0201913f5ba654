import { sql } from 'kysely'
import { states, type Check } from './check.js'

/** Conservation: what was loaded is all there, in one place each. */
export const licenseChecks: readonly Check[] = [
  {
    name: 'every license is in exactly one state: available, held, allocated, revoked, expired or withdrawn',
    over: 'licenses',
    broken: sql`
      select l.id || ' has ' || coalesce(s.states, 'none') as id
      from licenses l
      left join (select account_id, license_id, count(*) as n, string_agg(state, ', ' order by state) as states from (${states}) s group by 1, 2) s
        on s.account_id = l.account_id and s.license_id = l.id
      where s.n is distinct from 1`,
  }, {
    name: 'whatever is in stock, held, allocated, expired or withdrawn was loaded into that pool',
    over: 'licenses',
    broken: sql`
      select s.license_id || ' ' || s.state as id
      from (${states} union all select account_id, license_id, pool_id, ended_as from allocations where ended_as not in ('revoked')) s
      left join licenses l on l.account_id = s.account_id and l.id = s.license_id
      where l.pool_id is distinct from s.pool_id`,
  }, {
    name: 'per pool, loaded = available + held + allocated + revoked + expired + withdrawn',
    over: 'pools',
    broken: sql`
      select p.id || ': loaded ' || coalesce(b.loaded, 0) || ', accounted for ' || coalesce(s.n, 0) as id
      from pools p
      left join (select account_id, pool_id, sum(loaded) as loaded from batches where status = 'loaded' group by 1, 2) b
        on b.account_id = p.account_id and b.pool_id = p.id
      left join (select account_id, pool_id, count(*) as n from (${states}) s group by 1, 2) s on s.account_id = p.account_id and s.pool_id = p.id
      where coalesce(b.loaded, 0) <> coalesce(s.n, 0)`,
  }, {
    name: 'a batch has as many licenses as it says, all of its own pool',
    over: 'batches',
    broken: sql`
      select coalesce(b.id, l.batch_id) || ': says ' || coalesce(b.loaded, 0) || ', has ' || coalesce(l.n, 0) as id
      from (select * from batches where status = 'loaded') b
      full join (select account_id, batch_id, pool_id, count(*) as n from licenses group by 1, 2, 3) l
        on l.account_id = b.account_id and l.batch_id = b.id and l.pool_id = b.pool_id
      where coalesce(b.loaded, 0) <> coalesce(l.n, 0)`,
  }, {
    name: 'a license has the mode of its pool',
    over: 'licenses',
    broken: sql`
      select l.id from licenses l left join pools p on p.account_id = l.account_id and p.id = l.pool_id where p.mode is distinct from l.mode`,
  }, {
    name: 'every position is below the next free one of its pool',
    over: 'pools',
    broken: sql`
      select p.id from pools p
      where p.next_position <= greatest(
        (select max(position) from stock s where s.account_id = p.account_id and s.pool_id = p.id),
        (select max(position) from held_licenses h where h.account_id = p.account_id and h.pool_id = p.id),
        (select max(position) from allocations a where a.account_id = p.account_id and a.pool_id = p.id))`,
  }, {
    name: 'no position in stock or held was allocated before, and none is both',
    over: 'stock',
    broken: sql`
      select h.license_id as id from held_licenses h join (
        select account_id, pool_id, position from stock union all select account_id, pool_id, position from allocations) p using (account_id, pool_id, position)
      union all
      select s.license_id from stock s join allocations a on a.account_id = s.account_id and a.pool_id = s.pool_id and a.position = s.position`,
  }, {
    name: 'what its holder may have seen was not released',
    over: 'allocations',
    broken: sql`
      select distinct a.license_id as id from allocations a
      join license_sightings s on s.account_id = a.account_id and s.license_id = a.license_id and s.seen_at >= a.allocated_at and s.seen_at < a.ended_at
      where a.ended_as = 'released'`,
  }, {
    name: 'the routes of a pool are those of its products and currency',
    over: 'pools',
    broken: sql`
      select coalesce(w.id, r.pool_id) || ' ' || coalesce(w.product_id, r.product_id) as id
      from (
        select p.account_id, p.mode, product_id, coalesce(p.currency, '') as currency, p.id,
          case cardinality(p.product_ids) when 0 then 4 when 1 then 0 else 2 end + (p.currency is null)::int as rank
        from pools p cross join lateral unnest(case when p.product_ids = '{}' then array[''] else p.product_ids end) as product_id) w
      full join pool_routes r
        on r.account_id = w.account_id and r.mode = w.mode and r.product_id = w.product_id and r.currency = w.currency and r.rank = w.rank and r.pool_id = w.id
      where w.id is null or r.pool_id is null`,
  },
]
