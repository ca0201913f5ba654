import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import { planDeliveries, planInformation, type NewDeliveries, type NewInformation } from './plan.js'
import { spokenLines } from './spoken-lines.js'

/**
 * Plans the mails of a paid order again, one per product, with the licenses it holds now, and those that hand over none. Returns the ids of the deliveries.
 * The caller calls wakeWorker() after the commit.
 *
 * @throws Problem order-not-found
 * @throws Problem order-not-paid
 * @throws Problem customer-erased
 * @throws Problem nothing-to-send  it holds no license, or has no mail address
 */
export async function resendOrder (trx: Transaction<Database>, account_id: string, order_id: string, actor: string): Promise<string[]> {
  // locked, so that a refund comes wholly before (then it is not paid) or after (then it finds these deliveries)
  const order = await trx.selectFrom('orders').select(['status', 'erased_at', sql<string | null>`customer ->> 'email'`.as('email')]).where('account_id', '=', account_id).where('id', '=', order_id)
    .forNoKeyUpdate().executeTakeFirst()
  if (order === undefined) throw new Problem('order-not-found')
  if (order.status !== 'paid' && order.status !== 'partially_refunded') throw new Problem('order-not-paid', `it is ${order.status}`)
  if (order.erased_at !== null) throw new Problem('customer-erased')
  if (order.email === null) throw new Problem('nothing-to-send', 'the order has no mail address')
  const { rows: filled } = await sql<NewDeliveries['filled'][number]>`
    select l.product_id, a.license_id
    from ${spokenLines(account_id, order_id)} l join allocations a on a.account_id = ${account_id} and a.line_item_id = l.holder_id and a.ended_as is null
    order by length(l.id), l.id, l.holder_id = l.id, length(l.holder_id), l.holder_id, a.unit`.execute(trx)
  const mails = await informationOf(trx, account_id, order_id)
  if (filled.length + mails.length === 0) throw new Problem('nothing-to-send')
  const deliveries = [
    ...await planDeliveries(trx, { account_id, order_id, reason: 'resend', requested_by: actor, filled }),
    ...await planInformation(trx, { account_id, order_id, requested_by: actor, mails }),
  ]
  await recordEvent(trx, { account_id, type: 'order.resent', subject_id: order_id, actor, data: { delivery_ids: deliveries } })
  return deliveries
}

/** What was said for the lines that hand over a mail and no license. */
async function informationOf (trx: Transaction<Database>, account_id: string, order_id: string): Promise<NewInformation['mails']> {
  const { rows } = await sql<NewInformation['mails'][number]>`
    select distinct on (d.product_id) d.product_id, d.words from deliveries d
    where d.account_id = ${account_id} and d.order_id = ${order_id} and d.reason = 'information' and exists (
      select from line_items l where l.account_id = d.account_id and l.order_id = d.order_id and l.product_id = d.product_id and l.pool_id = '')
    order by d.product_id, d.created_at desc`.execute(trx)
  return rows
}
