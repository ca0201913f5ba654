import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import { forgetErased } from './forget-erased.js'
import type { ReceivedEvent } from './paid-order.js'

/**
 * The order that the event became, if it is processed already.
 *
 * @throws Problem payment-event-erased  it was not, and its content was erased: sent again, it does not bring the customer back
 */
export async function findProcessed (trx: Transaction<Database>, account_id: string, event: ReceivedEvent): Promise<string | undefined> {
  const row = await trx.selectFrom('payment_events').select(['status', 'order_id', 'erased_at']).where('account_id', '=', account_id)
    .where('source_id', '=', event.source_id).where('event_key', '=', event.event_key).executeTakeFirst()
  if (row?.status === 'processed') return row.order_id ?? undefined
  if (row !== undefined && row.erased_at !== null) throw new Problem('payment-event-erased')
  return undefined
}

/**
 * Stores the event as processed; false: it was already. One that was kept for another reason before, sent again or replayed, is processed now. `paid_again`:
 * the order was known, by this name, and that it is paid is one more fact of it.
 */
export async function recordProcessed (
  trx: Transaction<Database>, account_id: string, event: ReceivedEvent, order_id: string, paid_again: string | undefined
): Promise<boolean> {
  const { id, source_id, event_key, type, occurred_at, body } = event
  const said = {
    type,
    occurred_at,
    body,
    context: JSON.stringify(event.context ?? {}),
    ...(event.answers === undefined ? {} : { answers: JSON.stringify(event.answers) }),
  }
  const processed = { status: 'processed', order_id, processed_at: sql<Date>`now()` }
  const stored = await trx.insertInto('payment_events')
    .values({ account_id, id, source_id, event_key, ...said, ...processed })
    .onConflict((conflict) => conflict.constraint('payment_events_once')
      .doUpdateSet({ ...said, ...processed, reason: null, next_attempt_at: null })
      .where('payment_events.status', '<>', 'processed').where('payment_events.erased_at', 'is', null))
    .returning('id').executeTakeFirst()
  if (stored === undefined) {
    await findProcessed(trx, account_id, event) // was it erased meanwhile?
    return false
  }
  if (paid_again !== undefined) {
    await forgetErased(trx, account_id, stored.id, [order_id])
    await trx.insertInto('payment_facts').values({ account_id, source_id, event_id: stored.id, ref: paid_again, kind: 'paid', occurred_at, order_id }).execute()
  }
  return true
}
