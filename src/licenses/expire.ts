import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { lockPools } from './fill.js'
import type { PoolId } from './pick-dated.js'

/** Rows that one transaction takes out of stock: bounds how long it holds the pool's lock. */
const ROWS_MAX = 5000

/**
 * Where the mark of the pool `p` belongs: at the first license that it may give, in the order of its pick, or behind all that it has. Looks from the
 * mark on, so nobody walks over what was given since a snapshot began that keeps it visible.
 */
const front = sql`(
  select * from (
    (select '-infinity'::timestamptz as expires_at, s.position from stock s
    where p.pick = 'first' and s.account_id = p.account_id and s.pool_id = p.id and s.position >= p.mark_position
      and (s.expires_at is null or s.expires_at > statement_timestamp() + p.min_remaining_days * interval '24 hours')
    order by s.position limit 1)
    union all
    (select s.expires_at, s.position from stock s
    where p.pick = 'soonest' and s.account_id = p.account_id and s.pool_id = p.id
      and s.expires_at is not null and (s.expires_at, s.position) >= (p.mark_expires_at, p.mark_position)
      and s.expires_at > statement_timestamp() + p.min_remaining_days * interval '24 hours'
    order by s.expires_at, s.position limit 1)
    union all
    select case p.pick when 'first' then '-infinity'::timestamptz else 'infinity' end, p.next_position) f limit 1)`

/** The pools in which licenses expire and {@link tendDated} has something to do. */
export async function untendedPools (db: Kysely<Database>): Promise<PoolId[]> {
  const { rows } = await sql<PoolId>`
    select p.account_id, p.id as pool_id from pools p cross join lateral ${front} f
    where p.dated_from is not null and ((p.mark_expires_at, p.mark_position) <> (f.expires_at, f.position) or exists (
      select from stock s where s.account_id = p.account_id and s.pool_id = p.id and s.expires_at <= statement_timestamp()))`.execute(db)
  return rows
}

/**
 * Takes what has expired out of a pool's stock, the longest expired first, and brings its mark to where takes begin. True: there is more. Nobody gets an
 * expired license before that either: takes compare the time themselves.
 */
export async function tendDated (trx: Transaction<Database>, { account_id, pool_id }: PoolId): Promise<boolean> {
  await lockPools(trx, account_id, [pool_id])
  const { rows: expired } = await sql`
    with over as materialized (
      select position from stock
      where account_id = ${account_id} and pool_id = ${pool_id} and expires_at <= statement_timestamp()
      order by expires_at, position limit ${sql.lit(ROWS_MAX)} for update skip locked
    ), taken as (
      delete from stock where account_id = ${account_id} and pool_id = ${pool_id} and position = any(array(select position from over)) returning license_id
    ), told as (
      insert into events (account_id, type, subject_id, data)
      select ${account_id}, 'license.expired', license_id, jsonb_build_object('pool_id', ${pool_id}::text) from taken
    )
    insert into expirations (account_id, license_id, pool_id) select ${account_id}, license_id, ${pool_id} from taken returning license_id`.execute(trx)
  await sql`
    update pools set (mark_expires_at, mark_position) = (
      select f.expires_at, f.position from pools p cross join lateral ${front} f where p.account_id = ${account_id} and p.id = ${pool_id})
    where account_id = ${account_id} and id = ${pool_id}`.execute(trx)
  return expired.length === ROWS_MAX
}
