import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import { lockOrder } from './lock-order.js'
import { PERSON } from './standing.js'
import { takeFact } from './take-fact.js'

interface Cancellation { account_id: string, order_id: string, actor: string | null, reason?: string | undefined }

/**
 * Ends an order on a person's word: it waits for nothing more, what nobody has seen of its licenses is back in stock and given to those who wait,
 * the rest is revoked, and mails that are only planned are not sent. A cancelled order stays as it is. The caller calls
 * wakeWorker() after the commit: others may have got their licenses.
 *
 * @throws Problem order-not-found
 * @throws Problem order-not-paid  it ended another way
 */
export async function cancelOrder (trx: Transaction<Database>, { account_id, order_id, actor, reason }: Cancellation): Promise<void> {
  const order = await lockOrder(trx, account_id, order_id)
  if (order === undefined) throw new Problem('order-not-found')
  if (order.status === 'cancelled') return
  if (order.status === 'refunded' || order.status === 'charged_back') throw new Problem('order-not-paid', `it is ${order.status}`)
  const occurred_at = await momentAfterPayment(trx, account_id, order_id)
  await takeFact(trx, { account_id, source_id: PERSON, event_id: null, fact: { kind: 'cancelled', ref: order_id, subject: '', occurred_at }, actor, reason })
}

/** Now, but not before the order was paid by a clock that is ahead. */
async function momentAfterPayment (trx: Transaction<Database>, account_id: string, order_id: string): Promise<string> {
  const { rows: [row] } = await sql<{ moment: Date }>`
    select greatest(clock_timestamp(), o.paid_at, o.said_paid_at, (
      select max(f.occurred_at) from payment_facts f where f.account_id = o.account_id and f.order_id = o.id and f.kind = 'paid')) as moment
    from orders o where o.account_id = ${account_id} and o.id = ${order_id}`.execute(trx)
  return (row as { moment: Date }).moment.toISOString()
}
