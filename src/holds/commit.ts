import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { fillPool } from '../licenses/fill.js'
import { putBack } from './put-back.js'

interface Commitment {
  account_id: string
  hold_id: string
  order_id: string
  mode: 'live' | 'test'
  actor: string
  /** the order's lines, none of whose slots are filled yet */
  lines: ReadonlyArray<{ id: string, pool_id: string, slots: number }>
}

/**
 * Gives the licenses of a hold to the order that names it, pool by pool, and puts the rest back, with what has expired meanwhile or lasts shorter than its
 * pool demands now. Returns what each line got. A hold that is unknown, of
 * another mode or over gives nothing, which is recorded: the order is paid, and is served like any other.
 *
 * The caller holds the pools of the hold and of the lines by lockPools and has claimed expired holds by reclaimExpired; it brings statuses
 * up to date and plans the mails.
 */
export async function commitHold (
  trx: Transaction<Database>, { account_id, hold_id, order_id, mode, actor, lines }: Commitment
): Promise<Map<string, string[]>> {
  const committed = await trx.updateTable('holds').set({ status: 'committed', order_id, ended_at: sql`now()` })
    .where('account_id', '=', account_id).where('id', '=', hold_id).where('mode', '=', mode).where('status', '=', 'open').where('expires_at', '>', sql<Date>`now()`)
    .executeTakeFirst()
  if (committed.numUpdatedRows === 0n) {
    await recordEvent(trx, { account_id, type: 'hold.missed', subject_id: order_id, actor, data: { hold_id } })
    return new Map()
  }
  const { rows } = await sql<{ id: string, license_ids: string[] }>`
    with wanted as materialized (
      select l.id, l.pool_id, unit, row_number() over (partition by l.pool_id order by l.number, unit) as nth
      from unnest(${lines.map((line) => line.id)}::text[], ${lines.map((line) => line.pool_id)}::text[], ${lines.map((line) => line.slots)}::int[])
        with ordinality as l (id, pool_id, slots, number)
      cross join lateral generate_series(1, l.slots) as unit
    ), held as materialized (
      select h.license_id, h.pool_id, h.position, row_number() over (partition by h.pool_id order by h.line_number, h.position) as nth
      from held_licenses h
      join pools p on p.account_id = h.account_id and p.id = h.pool_id
      join licenses l on l.account_id = h.account_id and l.id = h.license_id
      where h.account_id = ${account_id} and h.hold_id = ${hold_id}
        and (l.expires_at is null or l.expires_at > statement_timestamp() + p.min_remaining_days * interval '24 hours')
    ), given as materialized (
      select * from wanted join held using (pool_id, nth)
    ), left_hold as (
      delete from held_licenses where account_id = ${account_id} and license_id = any(array(select license_id from given))
    ), new_allocations as (
      insert into allocations (account_id, pool_id, position, license_id, order_id, line_item_id, unit)
      select ${account_id}, pool_id, position, license_id, ${order_id}, id, unit from given
    ), new_status as (
      update line_items set fulfillment_status = case when id = any(array(
          select id from wanted left join given using (id, unit) group by id having count(given.license_id) = count(*))) then 'fulfilled' else 'partial' end
      where account_id = ${account_id} and id = any(array(select id from given))
    ), new_events as (
      insert into events (account_id, type, subject_id, data)
      select ${account_id}, 'license.allocated', license_id, jsonb_build_object('order_id', ${order_id}::text, 'line_item_id', id, 'unit', unit) from given
    )
    select id, array_agg(license_id order by unit) as license_ids from given group by id`.execute(trx)
  const rest = await putBack(trx, account_id, sql`hold_id = ${hold_id}`)
  await recordEvent(trx, { account_id, type: 'hold.committed', subject_id: hold_id, actor, data: { order_id } })
  for (const pool_id of rest.pool_ids) await fillPool(trx, account_id, pool_id)
  return new Map(rows.map((row) => [row.id, row.license_ids]))
}
