import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { refreshFulfillment } from '../licenses/fulfillment.js'
import type { WaitingLine } from './fulfill.js'

/** Per line of an order: how many slots are open, and how many of them hold a license. */
const filled = (account_id: string, order_id: string) => sql`
  select l.id, l.pool_id, count(s.unit) filter (where s.cancelled_at is null) as open, count(a.unit) as filled, count(s.unit) as slots
  from line_items l
  left join slots s on s.account_id = l.account_id and s.line_item_id = l.id
  left join allocations a on a.account_id = s.account_id and a.line_item_id = s.line_item_id and a.unit = s.unit and a.ended_as is null and s.cancelled_at is null
  where l.account_id = ${account_id} and l.order_id = ${order_id}
  group by l.account_id, l.id`

/**
 * The lines of an order wait for what they still miss, or for nothing more. `is_held`: none waits. Before anything is released: it must not come
 * back to them.
 */
export async function trimQueue (trx: Transaction<Database>, account_id: string, order_id: string, is_held: boolean): Promise<void> {
  await sql`
    with missing as materialized (
      select id, open - filled as missing from (${filled(account_id, order_id)}) l
    ), left_queue as (
      delete from backorders b using missing m where b.account_id = ${account_id} and b.line_item_id = m.id and (m.missing <= 0 or ${is_held})
    )
    update backorders b set missing = m.missing from missing m
    where b.account_id = ${account_id} and b.line_item_id = m.id and m.missing between 1 and b.missing - 1 and not ${is_held}`.execute(trx)
}

/** Lines that wait already wait for slots that were opened again too, at their place. To be called after licenses were put back in force. */
export async function growQueue (trx: Transaction<Database>, account_id: string, order_id: string): Promise<void> {
  await sql`
    update backorders b set missing = m.open - m.filled from (${filled(account_id, order_id)}) m
    where b.account_id = ${account_id} and b.line_item_id = m.id and m.open - m.filled > b.missing`.execute(trx)
}

/** The lines that miss licenses and are in no queue; `opened`: only those of these. */
export async function findMissing (
  trx: Transaction<Database>, account_id: string, order_id: string, opened: readonly string[] | undefined
): Promise<WaitingLine[]> {
  const { rows } = await sql<WaitingLine>`
    select l.id, l.pool_id, (l.open - l.filled)::int as slots from (${filled(account_id, order_id)}) l
    where l.open > l.filled and not exists (select from backorders b where b.account_id = ${account_id} and b.line_item_id = l.id)
      and (${opened === undefined} or l.id = any(${opened ?? []}::text[]))
    order by length(l.id), l.id`.execute(trx)
  return rows
}

/** Sets the fulfillment_status of an order's lines, and then its own, from what they hold and wait for. */
export async function refreshLines (trx: Transaction<Database>, account_id: string, order_id: string): Promise<void> {
  await sql`
    update line_items l set fulfillment_status = f.status
    from (
      select f.id, case
        when f.slots > 0 and f.open = 0 then 'unfulfilled' when f.filled = f.open then 'fulfilled' when f.filled > 0 then 'partial'
        when exists (select from backorders b where b.account_id = ${account_id} and b.line_item_id = f.id) then 'backordered' else 'unfulfilled' end as status
      from (${filled(account_id, order_id)}) f) f
    where l.account_id = ${account_id} and l.id = f.id and l.fulfillment_status <> f.status`.execute(trx)
  await refreshFulfillment(trx, account_id, [order_id])
}
