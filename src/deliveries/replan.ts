import { sql, type RawBuilder, type SqlBool, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { planDeliveries } from './plan.js'
import { spokenLines } from './spoken-lines.js'

interface Replan {
  account_id: string
  order_id: string
  /** why nothing of the order is to be mailed now; absent: its mails go on */
  stopped?: string | undefined
}

interface Planned { id: string, product_id: string, license_ids: string[], reason: string, attempts: number }
interface HeldLicense { product_id: string, license_id: string, is_mailed: boolean }

const GONE = 'the order holds none of its licenses any more'

/**
 * Makes the planned mails of an order say what it holds now: one mail per product for all that no mail has and that need not wait for more, licenses
 * that are gone taken out, and what has nothing left to say cancelled. To be called after its licenses were taken or given, under the lock of the
 * order: a claim locks deliveries and then tries licenses.
 * A mail that is being sent goes on: its licenses count as seen. The caller calls wakeWorker() after the commit.
 */
export async function replanDeliveries (trx: Transaction<Database>, { account_id, order_id, stopped }: Replan): Promise<void> {
  const planned: Planned[] = await trx.selectFrom('deliveries').select(['id', 'product_id', 'license_ids', 'reason', 'attempts'])
    .where('account_id', '=', account_id).where('order_id', '=', order_id).where('status', '=', 'planned').orderBy('created_at').orderBy('id').forUpdate().execute()
  if (stopped !== undefined) return cancel(trx, account_id, order_id, planned.map((mail) => ({ id: mail.id, reason: stopped })))
  const open = planned.filter((mail) => mail.attempts === 0 && (mail.reason === 'order' || mail.reason === 'backorder'))
  const held = await heldOf(trx, account_id, order_id, open.map((mail) => mail.id))
  const gone = await goneOf(trx, account_id, order_id, planned.flatMap((mail) => mail.license_ids))
  const ended: Array<{ id: string, reason: string }> = []
  const missing: HeldLicense[] = held.filter((license) => !license.is_mailed)
  for (const mail of planned) {
    const before = open.find((other) => other.product_id === mail.product_id)
    const is_open = open.includes(mail)
    if (is_open && before !== mail) { ended.push({ id: mail.id, reason: `${before?.id ?? ''} says it` }); continue }
    const kept = mail.license_ids.filter((license_id) => !gone.has(license_id))
    const added = is_open ? missing.filter((license) => license.product_id === mail.product_id).map((license) => license.license_id) : []
    const license_ids = is_open ? [...kept.filter((license_id) => !added.includes(license_id)), ...added] : kept
    if (license_ids.length === 0 && mail.license_ids.length > 0) ended.push({ id: mail.id, reason: GONE })
    else if (license_ids.join() !== mail.license_ids.join()) {
      await trx.updateTable('deliveries').set({ license_ids }).where('account_id', '=', account_id).where('id', '=', mail.id).execute()
    }
  }
  await cancel(trx, account_id, order_id, ended)
  const products = new Set(open.map((mail) => mail.product_id))
  await planDeliveries(trx, { account_id, order_id, reason: 'order', filled: missing.filter((license) => !products.has(license.product_id)) })
}

/**
 * Whether more licenses are about to come for a line, so that the mail waits for them, and is planned when they come or do not: it misses some, and a
 * demand is open; where the policy is to hand over what there is, one that was not yet called to the end of its first try.
 */
export function awaitsMore (account_id: string, line_item_id: RawBuilder<unknown>): RawBuilder<SqlBool> {
  return sql`exists (
    select from supply_orders d
    join backorders b on b.account_id = d.account_id and b.line_item_id = d.line_item_id
    join pools p on p.account_id = b.account_id and p.id = b.pool_id
    where d.account_id = ${account_id} and d.line_item_id = ${line_item_id} and d.status in ('planned', 'calling')
      and (p.on_shortage <> 'partial' or d.attempts = 0 or (d.attempts = 1 and d.status = 'calling')))`
}

/**
 * What the order holds or keeps, in the order of its lines and units, and whether a mail that is not among `open` has it, or will have it with more. One
 * that says again what others say does not count: it takes nothing off them.
 */
async function heldOf (trx: Transaction<Database>, account_id: string, order_id: string, open: readonly string[]): Promise<HeldLicense[]> {
  const { rows } = await sql<HeldLicense>`
    select l.product_id, a.license_id, exists (
      select from deliveries d where d.account_id = ${account_id} and d.order_id = ${order_id} and d.status <> 'cancelled' and d.reason <> 'resend'
        and a.license_id = any(d.license_ids) and d.id <> all(${open}::text[])) or ${awaitsMore(account_id, sql`a.line_item_id`)} as is_mailed
    from ${spokenLines(account_id, order_id)} l join allocations a on a.account_id = ${account_id} and a.line_item_id = l.holder_id and a.ended_as is null
    order by length(l.id), l.id, l.holder_id = l.id, length(l.holder_id), l.holder_id, a.unit`.execute(trx)
  return rows
}

/** Those of the licenses that the order held once and holds no longer. */
async function goneOf (trx: Transaction<Database>, account_id: string, order_id: string, license_ids: readonly string[]): Promise<Set<string>> {
  if (license_ids.length === 0) return new Set()
  const { rows } = await sql<{ license_id: string }>`
    select a.license_id from ${spokenLines(account_id, order_id)} l
    join allocations a on a.account_id = ${account_id} and a.line_item_id = l.holder_id and a.ended_as is not null
    where a.license_id = any(${license_ids}::text[]) and not exists (
      select from allocations o join ${spokenLines(account_id, order_id)} h on h.holder_id = o.line_item_id
      where o.account_id = ${account_id} and o.license_id = a.license_id and o.ended_as is null)`.execute(trx)
  return new Set(rows.map((row) => row.license_id))
}

async function cancel (trx: Transaction<Database>, account_id: string, order_id: string, ended: ReadonlyArray<{ id: string, reason: string }>): Promise<void> {
  if (ended.length === 0) return
  await sql`
    with cancelled as (
      update deliveries d set status = 'cancelled', next_attempt_at = null, last_error = e.reason
      from unnest(${ended.map((mail) => mail.id)}::text[], ${ended.map((mail) => mail.reason)}::text[]) as e (id, reason)
      where d.account_id = ${account_id} and d.id = e.id and d.status = 'planned'
      returning d.id, e.reason
    )
    insert into events (account_id, type, subject_id, data)
    select ${account_id}, 'delivery.cancelled', id, jsonb_build_object('order_id', ${order_id}::text, 'reason', reason) from cancelled`.execute(trx)
}
