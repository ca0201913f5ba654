import { sql, type RawBuilder, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/** A license that is in no stock and on its way back. */
export interface Returned { pool_id: string, license_id: string }

/**
 * Puts licenses back into stock, at the end of their pools in the order given; one that has expired meanwhile out of stock for good. The caller holds
 * the pools by lockPools and calls fillPool for each before it commits.
 */
export async function restock (trx: Transaction<Database>, account_id: string, returned: readonly Returned[]): Promise<void> {
  if (returned.length === 0) return
  await sql`
    with returned as materialized (
      select r.pool_id, r.license_id, l.expires_at, coalesce(l.expires_at <= statement_timestamp(), false) as is_over, r.nth
      from unnest(${returned.map((license) => license.pool_id)}::text[], ${returned.map((license) => license.license_id)}::text[])
        with ordinality as r (pool_id, license_id, nth)
      join licenses l on l.account_id = ${account_id} and l.id = r.license_id
    ), base as (
      update pools p set next_position = p.next_position + r.count, ${markBefore(sql`r.soonest`)}
      from (select pool_id, count(*) as count, min(expires_at) as soonest from returned where not is_over group by pool_id) r
      where p.account_id = ${account_id} and p.id = r.pool_id
      returning p.id as pool_id, p.next_position - r.count as position, p.dated_from is not null as is_dated
    ), restocked as (
      insert into stock (account_id, pool_id, position, license_id, expires_at)
      select ${account_id}, r.pool_id, b.position + row_number() over (partition by r.pool_id order by r.nth) - 1, r.license_id,
        case when b.is_dated then coalesce(r.expires_at, 'infinity') end
      from returned r join base b using (pool_id) where not r.is_over
    ), over as (
      insert into expirations (account_id, license_id, pool_id) select ${account_id}, license_id, pool_id from returned where is_over
    )
    insert into events (account_id, type, subject_id, data)
    select ${account_id}, 'license.expired', license_id, jsonb_build_object('pool_id', pool_id) from returned where is_over`.execute(trx)
}

/**
 * Columns of an update of a pool `p` that adds stock of which the first expires at `soonest`, null if none does: its mark goes back before that. Who picks in
 * the order of loading has the mark at -infinity, and what is added comes after it anyway.
 */
export const markBefore = (soonest: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  mark_expires_at = least(p.mark_expires_at, ${soonest}), mark_position = case when ${soonest} < p.mark_expires_at then 0 else p.mark_position end`
