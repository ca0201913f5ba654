import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/** How many units of each line are over from now on. */
export interface EndedLine { id: string, ended_units: number }

/**
 * Of the line `l` of line_items: how many of its slots are closed, and are to be. One license for the whole line is closed with its last unit. A slot whose
 * license was taken away for good stays closed; it is one of the units that are over from the one after `revoked_beside` on, which were over before it was.
 * `apart`: units up to there that no such slot can be.
 */
export const closings = sql`lateral (
  select count(cancelled_at)::int as closed, case
    when count(*) = l.quantity then count(*) filter (where is_revoked) + greatest(0,
      l.ended_units - count(*) filter (where is_revoked and revoked_beside < l.ended_units), max(apart) filter (where is_revoked and revoked_beside <= l.ended_units))
    when l.ended_units = l.quantity then count(*)
    else count(*) filter (where is_revoked) end::int as due
  from (
    select *, revoked_beside + 1 - rank() over (partition by is_revoked order by revoked_beside) as apart
    from slots where account_id = l.account_id and line_item_id = l.id) s)`

/**
 * Closes and opens slots until as many are closed as {@link closings} says. Closed first: without a license, then unseen, then the highest; opened first:
 * what was revoked, then what was released, then the lowest. So how many are over says which, whatever came between. Returns the slots that were opened.
 */
export async function setEndedUnits (
  trx: Transaction<Database>, account_id: string, lines: readonly EndedLine[]
): Promise<Array<{ line_item_id: string, unit: number }>> {
  const [ids, units] = [lines.map((line) => line.id), lines.map((line) => line.ended_units)]
  await sql`
    update line_items l set ended_units = e.units from unnest(${ids}::text[], ${units}::int[]) as e (id, units)
    where l.account_id = ${account_id} and l.id = e.id`.execute(trx)
  const wanted = sql`
    select l.id, c.due - c.closed as more from line_items l cross join ${closings} c
    where l.account_id = ${account_id} and l.id = any(${ids}::text[])`
  await sql`
    with ranked as (
      select s.line_item_id, s.unit, w.more, row_number() over (partition by s.line_item_id order by a.license_id is not null, exists (
          select from license_sightings g where g.account_id = a.account_id and g.license_id = a.license_id and g.seen_at >= a.allocated_at), s.unit desc) as nth
      from (${wanted}) w
      join slots s on s.account_id = ${account_id} and s.line_item_id = w.id and s.cancelled_at is null
      left join allocations a on a.account_id = s.account_id and a.line_item_id = s.line_item_id and a.unit = s.unit and a.ended_as is null
      where w.more > 0
    )
    update slots s set cancelled_at = now() from ranked r
    where s.account_id = ${account_id} and s.line_item_id = r.line_item_id and s.unit = r.unit and r.nth <= r.more`.execute(trx)
  const { rows } = await sql<{ line_item_id: string, unit: number }>`
    with ranked as (
      select s.line_item_id, s.unit, w.more, row_number() over (partition by s.line_item_id
        order by coalesce(array_position(array['revoked', 'released'], a.ended_as), 3), s.unit) as nth
      from (${wanted}) w
      join slots s on s.account_id = ${account_id} and s.line_item_id = w.id and s.cancelled_at is not null and not s.is_revoked
      left join lateral (
        select ended_as from allocations a where a.account_id = s.account_id and a.line_item_id = s.line_item_id and a.unit = s.unit and a.ended_as is not null
        order by a.ended_at desc, a.position desc limit 1) a on true
      where w.more < 0
    )
    update slots s set cancelled_at = null from ranked r
    where s.account_id = ${account_id} and s.line_item_id = r.line_item_id and s.unit = r.unit and r.nth <= -r.more
    returning s.line_item_id, s.unit`.execute(trx)
  return rows
}

/** The licenses that are still in slots which are closed. */
export async function licensesOfClosed (trx: Transaction<Database>, account_id: string, order_id: string): Promise<string[]> {
  const { rows } = await sql<{ license_id: string }>`
    select a.license_id from line_items l
    join allocations a on a.account_id = l.account_id and a.line_item_id = l.id and a.ended_as is null
    join slots s on s.account_id = a.account_id and s.line_item_id = a.line_item_id and s.unit = a.unit
    where l.account_id = ${account_id} and l.order_id = ${order_id} and s.cancelled_at is not null`.execute(trx)
  return rows.map((row) => row.license_id)
}
