import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { signature, type PoolId } from './find-changed.js'
import type { PoolFacts } from './judge.js'

/** A pool that is looked at, as it is and as it was when it was looked at last. */
export interface WatchedPool extends PoolId, PoolFacts {
  seen: string
  /** the last load that was seen */
  seen_batch_id: string | null
  /** it may hold licenses that expire: only what can be given now is available */
  is_dated: boolean
}

/** Sales count for so long; the running day is one of them. */
export const SALES_DAYS = 14
/** A supply that is being called is waited for so long before a line counts as waiting. */
const SUPPLY_GRACE_S = 60

/** Reads pools whose watches the caller has locked. Index look-ups only, however large the pools are; what is available is not among it. */
export async function readPools (trx: Transaction<Database>, pools: readonly PoolId[]): Promise<WatchedPool[]> {
  const { rows } = await sql<WatchedPool>`
    select p.account_id, p.id as pool_id, p.name, p.mode, p.low_stock_threshold, p.low_stock_percents, p.low_stock_days, p.dated_from is not null as is_dated,
      ${signature} as seen, w.batch_id as seen_batch_id, w.stocked, b.id as batch_id, s.sold, s.sold_days, q.waiting
    from json_to_recordset(${JSON.stringify(pools)}::json) as x (account_id text, pool_id text)
    join pool_watches w on w.account_id = x.account_id and w.pool_id = x.pool_id
    join pools p on p.account_id = x.account_id and p.id = x.pool_id
    left join lateral (
      select b.id from batches b
      where b.account_id = p.account_id and b.pool_id = p.id and b.status = 'loaded' and b.loaded > 0 and b.created_by not like 'SO-%'
      order by b.loaded_at desc limit 1) b on true
    cross join lateral (${salesOf}) s
    left join lateral (${waitingFor}) q on true`.execute(trx)
  return rows
}

/** Of a pool without days of cover there is nothing to count. Days from midnight, or from the first sale; a day at least. */
const salesOf = sql`
  select coalesce(sum(d.licenses), 0)::int as sold, greatest(1, extract(epoch from now() - greatest(
    (((now() at time zone 'utc')::date - ${sql.lit(SALES_DAYS - 1)})::timestamp at time zone 'utc'),
    (select a.allocated_at from allocations a where a.account_id = p.account_id and a.pool_id = p.id order by a.position limit 1))) / 86400)::float as sold_days
  from pool_sales d
  where p.low_stock_days is not null and d.account_id = p.account_id and d.pool_id = p.id and d.day > (now() at time zone 'utc')::date - ${sql.lit(SALES_DAYS)}`

/** The head of the queue decides whether anybody waits; only then the queue is counted, and its first ten thousand lines at most. */
const waitingFor = sql`
  select json_build_object('lines', count(*), 'licenses', sum(b.missing), 'since', to_char(min(b.created_at) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) as waiting
  from (select missing, created_at from backorders where account_id = p.account_id and pool_id = p.id order by queue limit 10000) b
  where exists (
    select from (select line_item_id from backorders where account_id = p.account_id and pool_id = p.id order by queue limit 1) h
    where not exists (
      select from supply_orders o where o.account_id = p.account_id and o.line_item_id = h.line_item_id and o.status in ('planned', 'calling')
        and o.created_at > now() - ${sql.lit(SUPPLY_GRACE_S)} * interval '1 s'))
  having count(*) > 0`
