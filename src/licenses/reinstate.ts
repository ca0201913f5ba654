import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

interface Reinstatement { account_id: string, order_id: string, slots: ReadonlyArray<{ line_item_id: string, unit: number }>, actor: string | null }

/**
 * Gives slots that are open again the very license that each held last: one that was revoked is in force again, at a new position and as seen as it was,
 * expired or not; one that was released is taken, if it is in stock still and its pool may give it still. A slot of which neither is so, or whose license
 * was found bad, stays empty. The caller holds the pools by lockPools.
 */
export async function reinstateLicenses (trx: Transaction<Database>, { account_id, order_id, slots, actor }: Reinstatement): Promise<void> {
  if (slots.length === 0) return
  await sql`
    with last as materialized (
      select o.line_item_id, o.unit, a.pool_id, a.position, a.license_id, a.ended_as, a.allocated_at
      from unnest(${slots.map((slot) => slot.line_item_id)}::text[], ${slots.map((slot) => slot.unit)}::int[]) as o (line_item_id, unit)
      cross join lateral (
        select * from allocations a
        where a.account_id = ${account_id} and a.line_item_id = o.line_item_id and a.unit = o.unit and a.ended_as is not null
        order by a.ended_at desc, a.position desc limit 1) a
      where not exists (select from license_revocations b where b.account_id = ${account_id} and b.license_id = a.license_id)
    ), revoked as materialized (
      update allocations a set ended_as = 'reinstated' from last l
      where a.account_id = ${account_id} and a.pool_id = l.pool_id and a.position = l.position and a.ended_as = 'revoked'
      returning l.*
    ), base as materialized (
      update pools p set next_position = p.next_position + r.count
      from (select pool_id, count(*) as count from revoked group by pool_id) r
      where p.account_id = ${account_id} and p.id = r.pool_id
      returning p.id as pool_id, p.next_position - r.count as position
    ), retaken as materialized (
      delete from stock s using last l
      where l.ended_as = 'released' and s.account_id = ${account_id} and s.license_id = l.license_id and (
        s.expires_at is null or s.expires_at > statement_timestamp() + interval '24 hours' * (
          select p.min_remaining_days from pools p where p.account_id = ${account_id} and p.id = s.pool_id))
      returning l.line_item_id, l.unit, s.pool_id, s.position, s.license_id
    ), given as (
      insert into allocations (account_id, pool_id, position, license_id, order_id, line_item_id, unit, allocated_at)
      select ${account_id}, pool_id, base.position + row_number() over (partition by pool_id order by r.position) - 1, license_id, ${order_id}, line_item_id, unit, allocated_at
      from revoked r join base using (pool_id)
      union all
      select ${account_id}, pool_id, position, license_id, ${order_id}, line_item_id, unit, now() from retaken
    )
    insert into events (account_id, type, subject_id, actor, data)
    select ${account_id}, type, license_id, ${actor}, jsonb_build_object('order_id', ${order_id}::text, 'line_item_id', line_item_id, 'unit', unit)
    from (select 'license.reinstated' as type, license_id, line_item_id, unit from revoked
          union all select 'license.allocated', license_id, line_item_id, unit from retaken) e`.execute(trx)
}
