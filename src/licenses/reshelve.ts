import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { lockPools } from './fill.js'
import type { PoolId } from './pick-dated.js'

/** How far below the greatest allocated position a take looks: positions of transactions in flight or just undone. */
export const MARK_WINDOW = 256
/** Rows moved by one transaction: bounds how long it holds the pool's lock. */
const ROWS_MAX = 1000

/**
 * The pools with stock that takes no longer see, because a transaction that held it was undone and others went on. Not those with expiries, which have
 * another mark.
 */
export async function strandedPools (db: Kysely<Database>): Promise<PoolId[]> {
  const { rows } = await sql<PoolId>`
    select p.account_id, p.id as pool_id from pools p
    where p.dated_from is null and (select s.position from stock s where s.account_id = p.account_id and s.pool_id = p.id order by s.position limit 1)
      < (select a.position from allocations a where a.account_id = p.account_id and a.pool_id = p.id order by a.position desc limit 1) - ${sql.lit(MARK_WINDOW)}`.execute(db)
  return rows
}

/** The pools where somebody waits although there is stock: the insurance beside the filling that every addition does itself. */
export async function waitingPools (db: Kysely<Database>): Promise<PoolId[]> {
  const { rows } = await sql<PoolId>`
    select b.account_id, b.pool_id from (select distinct account_id, pool_id from backorders) b
    where exists (select from fit_stock s where s.account_id = b.account_id and s.pool_id = b.pool_id)`.execute(db)
  return rows
}

/** Gives stranded stock new positions, at the end of its pool. The careful way of a shortage would find it too; this keeps the plain way whole. */
export async function reshelve (trx: Transaction<Database>, { account_id, pool_id }: PoolId): Promise<void> {
  if ((await lockPools(trx, account_id, [pool_id])).get(pool_id)?.is_dated !== false) return
  await sql`
    with stranded as materialized (
      select position, license_id from stock
      where account_id = ${account_id} and pool_id = ${pool_id} and position < (
        select a.position from allocations a where a.account_id = ${account_id} and a.pool_id = ${pool_id} order by a.position desc limit 1) - ${sql.lit(MARK_WINDOW)}
      order by position limit ${sql.lit(ROWS_MAX)} for update skip locked
    ), moved as (
      delete from stock where account_id = ${account_id} and pool_id = ${pool_id} and position = any(array(select position from stranded))
      returning position, license_id
    ), base as (
      update pools set next_position = next_position + (select count(*) from moved) where account_id = ${account_id} and id = ${pool_id}
      returning next_position - (select count(*) from moved) as position
    )
    insert into stock (account_id, pool_id, position, license_id)
    select ${account_id}, ${pool_id}, base.position + row_number() over (order by moved.position) - 1, moved.license_id from moved cross join base`.execute(trx)
}
