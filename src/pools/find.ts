import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'

/** The pools of an account, without their stock: for reading one and for lists. */
export function poolsOf (db: Reader, account_id: string) {
  return db.selectFrom('pools')
    .select(['id', 'name', 'product_ids', 'currency', 'low_stock_threshold', 'low_stock_percents', 'low_stock_days', 'min_remaining_days', 'created_at', 'updated_at'])
    .select((row) => [
      row.ref('mode').$castTo<'live' | 'test'>().as('mode'),
      row.ref('quantity_rule').$castTo<'unit' | 'line'>().as('quantity_rule'),
      row.ref('on_shortage').$castTo<'backorder' | 'partial' | 'fail'>().as('on_shortage'),
      row.ref('pick').$castTo<'first' | 'soonest'>().as('pick'),
    ])
    .where('account_id', '=', account_id)
}

export interface StockCounts {
  loaded: number, available: number, held: number, allocated: number, revoked: number, expired: number, withdrawn: number, backordered: number, unfit: number
}

/**
 * Counts the licenses of a pool in one statement, so they are of one moment and add up: loaded is the sum of all but backordered and unfit. What is in stock
 * and too old to be given counts as expired; unfit of these have not expired yet.
 */
async function countStock (db: Reader, account_id: string, pool_id: string): Promise<StockCounts> {
  const { rows: [counts] } = await sql<StockCounts>`
    with too_old as (
      select count(*)::int as n, (count(*) filter (where s.expires_at > statement_timestamp()))::int as unfit
      from pools p join stock s on s.account_id = p.account_id and s.pool_id = p.id and s.expires_at <= statement_timestamp() + p.min_remaining_days * interval '24 hours'
      where p.account_id = ${account_id} and p.id = ${pool_id} and p.dated_from is not null
    )
    select
      (select count(*) from licenses where account_id = ${account_id} and pool_id = ${pool_id})::int as loaded,
      (select count(*) from stock where account_id = ${account_id} and pool_id = ${pool_id})::int - too_old.n as available,
      (select count(*) from held_licenses where account_id = ${account_id} and pool_id = ${pool_id})::int as held,
      (select count(*) from allocations where account_id = ${account_id} and pool_id = ${pool_id} and ended_as is null)::int as allocated,
      (select count(*) from allocations where account_id = ${account_id} and pool_id = ${pool_id} and ended_as = 'revoked')::int as revoked,
      (select count(*) from expirations where account_id = ${account_id} and pool_id = ${pool_id})::int + too_old.n as expired,
      (select count(*) from withdrawals where account_id = ${account_id} and pool_id = ${pool_id})::int as withdrawn,
      (select coalesce(sum(missing), 0) from backorders where account_id = ${account_id} and pool_id = ${pool_id})::int as backordered,
      too_old.unfit
    from too_old`.execute(db)
  return counts as StockCounts
}

/**
 * A pool with its stock.
 *
 * @throws Problem pool-not-found
 */
export async function findPool (db: Reader, account_id: string, id: string) {
  const pool = await poolsOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (pool === undefined) throw new Problem('pool-not-found')
  return { ...pool, stock: await countStock(db, account_id, id) }
}
