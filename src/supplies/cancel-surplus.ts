import { sql, type Kysely, type RawBuilder, type SqlBool, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { mailLine } from './mail.js'
import { lockShortLine, type LineId } from './short-line.js'

/** Lines that one look finds: bounds how long the others wait for the next. */
const LINES_MAX = 500

/**
 * Demands of which nothing is needed: those before them cover what their line misses. One that is being called is left alone and counts first;
 * what it brings goes into stock.
 */
const surplus = (which: RawBuilder<SqlBool>) => sql`
  select d.account_id, d.line_item_id, d.id from (
    select o.*, coalesce(b.missing, 0) as missing, o.status = 'calling' and o.next_attempt_at > now() as is_called,
      sum(o.quantity) over (partition by o.account_id, o.line_item_id
        order by o.status = 'calling' and o.next_attempt_at > now() desc, o.status = 'given_up', o.number) - o.quantity as before
    from supply_orders o left join backorders b on b.account_id = o.account_id and b.line_item_id = o.line_item_id
    where o.status in ('planned', 'calling', 'given_up') and ${which}) d
  where d.before >= d.missing and not d.is_called`

/** The lines with demands that are not needed any more: stock came first, or the order has ended. */
export async function findSurplus (db: Kysely<Database>): Promise<LineId[]> {
  const { rows } = await sql<LineId>`select distinct account_id, line_item_id from (${surplus(sql`true`)}) s limit ${sql.lit(LINES_MAX)}`.execute(db)
  return rows
}

/** Cancels the demands of a line that it does not need any more, and plans the mail that waited for them. */
export async function cancelSurplus (trx: Transaction<Database>, id: LineId): Promise<void> {
  const line = await lockShortLine(trx, id)
  await sql`
    with cancelled as (
      update supply_orders set status = 'cancelled', next_attempt_at = null, claim_id = null, finished_at = now(), last_error = 'the line misses nothing any more'
      where account_id = ${id.account_id} and id = any(array(
          select s.id from (${surplus(sql`o.account_id = ${id.account_id} and o.line_item_id = ${id.line_item_id}`)}) s))
        and status in ('planned', 'calling', 'given_up') and (status <> 'calling' or next_attempt_at <= now())
      returning id
    )
    insert into events (account_id, type, subject_id, data)
    select ${id.account_id}, 'supply_order.cancelled', id, jsonb_build_object('line_item_id', ${id.line_item_id}::text) from cancelled`.execute(trx)
  await mailLine(trx, line)
}
