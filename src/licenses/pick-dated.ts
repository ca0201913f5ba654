import { sql, type RawBuilder, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

export interface PoolId { account_id: string, pool_id: string }

/** Which license of a pool is next: in the order loaded, or the one that expires first. */
export type Pick = 'first' | 'soonest'

export interface Picked { position: string, license_id: string }

export interface DatedPick extends PoolId {
  pick: Pick
  wanted: number
  /** the moment from which a license must last as long as its pool demands; else now */
  from?: RawBuilder<Date>
}

/** Not now(), when the transaction began: it may have waited for the pool's lock until a license expired. */
const NOW = sql<Date>`statement_timestamp()`
const POSITION_MAX = sql`9223372036854775807`

/**
 * The next licenses of a pool in which licenses expire: locked, and at most `wanted`, in the order of `pick`. None that has expired or has less left than
 * the pool demands. The caller holds the pool by lockPools, so that nobody else picks from it, and deletes what it takes from stock. Looks from the pool's
 * mark on, and without SKIP LOCKED: it waits for a withdrawal in flight.
 */
export async function pickDated (trx: Transaction<Database>, { account_id, pool_id, pick, wanted, from = NOW }: DatedPick): Promise<Picked[]> {
  if (wanted <= 0) return []
  const pool = sql`
    select dated_from, mark_expires_at, mark_position, ${from} + min_remaining_days * interval '24 hours' as fit_after
    from pools where account_id = ${account_id} and id = ${pool_id}`
  const { rows } = await (pick === 'soonest' ? soonest : first)(pool, { account_id, pool_id }, wanted).execute(trx)
  return rows
}

/** By the primary key. What is unfit between the mark and the pick is passed over; the mark moves past it. */
const first = (pool: RawBuilder<unknown>, { account_id, pool_id }: PoolId, wanted: number): RawBuilder<Picked> => sql<Picked>`
  with pool as materialized (${pool})
  select position, license_id from stock
  where account_id = ${account_id} and pool_id = ${pool_id} and position >= (select mark_position from pool)
    and (expires_at is null or expires_at > (select fit_after from pool))
  order by position limit ${wanted} for update`

/**
 * By the index of expiries, from the mark or from what is fit, whichever is later: one bound, at which the index scan starts. Then what never expires, in
 * the order loaded: from before the pool had expiries, which by position lies below them, and from since.
 */
const soonest = (pool: RawBuilder<unknown>, { account_id, pool_id }: PoolId, wanted: number): RawBuilder<Picked> => sql<Picked>`
  with pool as materialized (
    select dated_from, greatest(mark_expires_at, fit_after) as expires_at, case when mark_expires_at > fit_after then mark_position else ${POSITION_MAX} end as position,
      case mark_expires_at when 'infinity' then mark_position else 0 end as never_from
    from (${pool}) p
  ), dated as materialized (
    select expires_at, position, license_id from stock
    where account_id = ${account_id} and pool_id = ${pool_id} and expires_at < 'infinity'
      and (expires_at, position) >= ((select expires_at from pool), (select position from pool))
    order by expires_at, position limit ${wanted} for update
  ), before as materialized (
    select position, license_id from stock
    where account_id = ${account_id} and pool_id = ${pool_id} and position < (select dated_from from pool) and expires_at is null
    order by position limit ${wanted}::bigint - (select count(*) from dated) for update
  ), since as materialized (
    select position, license_id from stock
    where account_id = ${account_id} and pool_id = ${pool_id} and expires_at = 'infinity' and position >= (select never_from from pool)
    order by position limit ${wanted}::bigint - (select count(*) from dated) - (select count(*) from before) for update
  )
  select position, license_id from (
    select expires_at, position, license_id from dated
    union all select null, position, license_id from before
    union all select null, position, license_id from since) s
  order by expires_at nulls last, position`
