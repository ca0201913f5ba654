import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { plainAddress } from '../mailer/address.js'
import { invalid, Problem } from '../problems.js'
import { mailAddress, planDeliveries, planInformation, type NewDeliveries, type NewInformation } from './plan.js'
import { sayAgain } from './say-again.js'
import { spokenLines } from './spoken-lines.js'

/** A customer who asks for the mail again and again has another problem. */
const RESENDS_PER_HOUR = 5

/** What is to be mailed again, and where. */
export interface Resend {
  /** `external_id`s of lines; absent: all */
  line_items?: readonly string[] | undefined
  /** the corrected address of the order, from now on */
  to?: string | undefined
}

/**
 * Plans the mails of a paid order again, one per product, with the licenses it holds now, and those that hand over none. Returns the ids of the deliveries.
 * The caller calls wakeWorker() after the commit.
 *
 * @throws Problem order-not-found
 * @throws Problem order-not-paid
 * @throws Problem customer-erased
 * @throws Problem validation-failed  a line is not the order's, or the address not exactly one
 * @throws Problem resend-too-often
 * @throws Problem nothing-to-send  it holds no license, or has no mail address
 */
export async function resendOrder (
  trx: Transaction<Database>, account_id: string, order_id: string, actor: string, { line_items, to }: Resend = {}
): Promise<string[]> {
  // locked, so that a refund comes wholly before (then it is not paid) or after (then it finds these deliveries)
  const order = await trx.selectFrom('orders as o').select(['o.status', 'o.erased_at', mailAddress.as('address')])
    .where('o.account_id', '=', account_id).where('o.id', '=', order_id).forNoKeyUpdate().executeTakeFirst()
  if (order === undefined) throw new Problem('order-not-found')
  if (order.status !== 'paid' && order.status !== 'partially_refunded') throw new Problem('order-not-paid', `it is ${order.status}`)
  if (order.erased_at !== null) throw new Problem('customer-erased')
  await assertNotTooOften(trx, account_id, order_id)
  if (to !== undefined) await redirectOrder(trx, { account_id, order_id, actor }, to)
  else if (order.address === null) throw new Problem('nothing-to-send', 'the order has no mail address')
  const lines = await linesOf(trx, account_id, order_id, line_items)
  const { rows: filled } = await sql<NewDeliveries['filled'][number]>`
    select l.product_id, a.license_id
    from ${spokenLines(account_id, order_id)} l join allocations a on a.account_id = ${account_id} and a.line_item_id = l.holder_id and a.ended_as is null
    where l.id = any(${lines.map((line) => line.id)}::text[])
    order by length(l.id), l.id, l.holder_id = l.id, length(l.holder_id), l.holder_id, a.unit`.execute(trx)
  const mails = await informationOf(trx, account_id, order_id, lines.map((line) => line.product_id))
  if (filled.length + mails.length === 0) throw new Problem('nothing-to-send')
  const deliveries = [
    ...await planDeliveries(trx, { account_id, order_id, reason: 'resend', requested_by: actor, filled }),
    ...await planInformation(trx, { account_id, order_id, requested_by: actor, mails }),
  ]
  await sayAgain(trx, { account_id, order_id, delivery_ids: deliveries })
  await recordEvent(trx, { account_id, type: 'order.resent', subject_id: order_id, actor, data: { delivery_ids: deliveries, is_redirected: to !== undefined } })
  return deliveries
}

/** Counts, under the lock of the order, the resends of the last hour: all mails of one are of one moment. @throws Problem resend-too-often */
async function assertNotTooOften (trx: Transaction<Database>, account_id: string, order_id: string): Promise<void> {
  const { rows: [nth] } = await sql<{ wait_s: number }>`
    select ceil(extract(epoch from created_at + interval '1 hour' - now()))::integer as wait_s from deliveries
    where account_id = ${account_id} and order_id = ${order_id} and requested_by is not null and created_at > now() - interval '1 hour'
    group by created_at order by created_at desc offset ${RESENDS_PER_HOUR - 1} limit 1`.execute(trx)
  if (nth === undefined) return
  throw new Problem('resend-too-often', { detail: `it was mailed again ${RESENDS_PER_HOUR} times within the hour`, headers: { 'retry-after': String(nth.wait_s) } })
}

/** Corrects where the mails of an order go, also those that are planned. The customer's own address stays as it came. @throws Problem validation-failed */
async function redirectOrder (trx: Transaction<Database>, { account_id, order_id, actor }: Record<'account_id' | 'order_id' | 'actor', string>, to: string): Promise<void> {
  const address = plainAddress(to)
  if (address === undefined) throw invalid('to: is not one mail address, written as local@domain')
  await trx.updateTable('orders').set({ mail_to: sql<string | null>`nullif(${address}, customer ->> 'email')` })
    .where('account_id', '=', account_id).where('id', '=', order_id).execute()
  await trx.updateTable('deliveries').set({ to: address }).where('account_id', '=', account_id).where('order_id', '=', order_id).where('status', '=', 'planned').execute()
  await recordEvent(trx, { account_id, type: 'order.redirected', subject_id: order_id, actor })
}

/** The lines that are meant. @throws Problem validation-failed */
async function linesOf (
  trx: Transaction<Database>, account_id: string, order_id: string, wanted?: readonly string[]
): Promise<Array<{ id: string, product_id: string }>> {
  const lines = await trx.selectFrom('line_items').select(['id', 'external_id', 'product_id']).where('account_id', '=', account_id).where('order_id', '=', order_id).execute()
  if (wanted === undefined) return lines
  const known = new Set(lines.map((line) => line.external_id))
  const unknown = wanted.flatMap((external_id, i) => known.has(external_id) ? [] : [`line_items.${i}: the order has no line with this external_id`])
  if (unknown.length > 0) throw invalid(...unknown)
  return lines.filter((line) => wanted.includes(line.external_id))
}

/** What was said for the lines that hand over a mail and no license. */
async function informationOf (
  trx: Transaction<Database>, account_id: string, order_id: string, product_ids: readonly string[]
): Promise<NewInformation['mails']> {
  const { rows } = await sql<NewInformation['mails'][number]>`
    select distinct on (d.product_id) d.product_id, d.words from deliveries d
    where d.account_id = ${account_id} and d.order_id = ${order_id} and d.reason = 'information' and d.product_id = any(${product_ids}::text[]) and exists (
      select from line_items l where l.account_id = d.account_id and l.order_id = d.order_id and l.product_id = d.product_id and l.pool_id = '')
    order by d.product_id, d.created_at desc`.execute(trx)
  return rows
}
