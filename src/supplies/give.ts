import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { ShortLine } from './short-line.js'

/** A license that is in no stock, and the position it has or had in its pool. */
export interface Free { license_id: string, pool_id: string, position: string }

/**
 * Gives licenses to a line that waits: into its empty slots, the first ones first, and out of the queue. The line is locked by {@link lockShortLine}
 * and misses at least so many. The mail is for the caller to plan, the order's status for it to refresh.
 */
export async function giveToLine (trx: Transaction<Database>, { account_id, order_id, line_item_id }: ShortLine, licenses: readonly Free[]): Promise<void> {
  if (licenses.length === 0) return
  const { rows: [given] } = await sql<{ filled: number }>`
    with filled as materialized (
      select e.unit, l.license_id, l.pool_id, l.position
      from (
        select s.unit, row_number() over (order by s.unit) as nth from slots s
        where s.account_id = ${account_id} and s.line_item_id = ${line_item_id} and s.cancelled_at is null and not exists (
          select from allocations a where a.account_id = ${account_id} and a.line_item_id = s.line_item_id and a.unit = s.unit and a.ended_as is null)) e
      join unnest(${licenses.map((license) => license.license_id)}::text[], ${licenses.map((license) => license.pool_id)}::text[],
        ${licenses.map((license) => license.position)}::bigint[]) with ordinality as l (license_id, pool_id, position, nth) using (nth)
    ), new_allocations as (
      insert into allocations (account_id, pool_id, position, license_id, order_id, line_item_id, unit)
      select ${account_id}, pool_id, position, license_id, ${order_id}, ${line_item_id}, unit from filled
    ), served as (
      delete from backorders where account_id = ${account_id} and line_item_id = ${line_item_id} and missing = ${licenses.length}::int
    ), still_waiting as (
      update backorders set missing = missing - ${licenses.length}::int
      where account_id = ${account_id} and line_item_id = ${line_item_id} and missing > ${licenses.length}::int returning queue
    ), new_status as (
      update line_items set fulfillment_status = case when exists (select from still_waiting) then 'partial' else 'fulfilled' end
      where account_id = ${account_id} and id = ${line_item_id}
    ), new_events as (
      insert into events (account_id, type, subject_id, data)
      select ${account_id}, 'license.allocated', license_id, jsonb_build_object('order_id', ${order_id}::text, 'line_item_id', ${line_item_id}::text, 'unit', unit) from filled
    )
    select count(*)::int as filled from filled`.execute(trx)
  if (given?.filled !== licenses.length) throw new Error(`line ${line_item_id} has fewer empty slots than it waits for`)
}
