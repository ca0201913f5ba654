import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { MARK_WINDOW } from '../licenses/reshelve.js'
import type { PoolId } from './find-changed.js'

/** A pool to count. */
export interface Counted extends PoolId {
  is_dated: boolean
  /** so many at most; null: all there are */
  limit: number | null
}

/**
 * Counts what is available in each pool, in the order given, up to a limit: that many rows of an index are read. `from_mark`: it begins where takes begin,
 * so that what was sold under an old snapshot is not walked through; the count may then be too small, as it leaves out stock that was given back and is
 * not reshelved yet. Without, it is exact.
 */
export async function countStock (trx: Transaction<Database>, pools: readonly Counted[], from_mark: boolean): Promise<number[]> {
  if (pools.length === 0) return []
  // a bitmap of a pool of a million costs as much for the first row as for all
  await sql`select set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true)`.execute(trx)
  const mark = sql`(select a.position from allocations a where a.account_id = x.account_id and a.pool_id = x.pool_id order by a.position desc limit 1)`
  const { rows } = await sql<{ available: number }>`
    select case when x.is_dated then d.available else s.available end as available
    from json_to_recordset(${JSON.stringify(pools.map((pool, nth) => ({ ...pool, nth })))}::json) as x (account_id text, pool_id text, is_dated boolean, "limit" bigint, nth integer)
    cross join lateral (
      select count(*)::int as available from (
        select from stock s where not x.is_dated and s.account_id = x.account_id and s.pool_id = x.pool_id
          and s.position > ${from_mark ? sql`coalesce(${mark}, 0) - ${sql.lit(MARK_WINDOW)}` : sql`-1`}
        limit x."limit") s) s
    cross join lateral (
      select count(*)::int as available from (
        select from fit_stock f where x.is_dated and f.account_id = x.account_id and f.pool_id = x.pool_id
        limit x."limit") f) d
    order by x.nth`.execute(trx)
  return rows.map((row) => row.available)
}
