import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { ReceivedEvent } from './paid-order.js'

/** The order that the event became, if it is processed already. */
export async function findProcessed (trx: Transaction<Database>, account_id: string, event: ReceivedEvent): Promise<string | undefined> {
  const row = await trx.selectFrom('payment_events').select('order_id').where('account_id', '=', account_id)
    .where('source_id', '=', event.source_id).where('event_key', '=', event.event_key).where('status', '=', 'processed').executeTakeFirst()
  return row?.order_id ?? undefined
}

/** Stores the event as processed. One that was kept for another reason before, sent again or replayed, is processed now. */
export async function recordProcessed (trx: Transaction<Database>, account_id: string, event: ReceivedEvent, order_id: string): Promise<void> {
  const { id, source_id, event_key } = event
  const said = {
    type: event.type,
    occurred_at: event.occurred_at,
    body: event.body,
    context: JSON.stringify(event.context ?? {}),
    ...(event.answers === undefined ? {} : { answers: JSON.stringify(event.answers) }),
  }
  const processed = { status: 'processed', order_id, processed_at: sql<Date>`now()` }
  await trx.insertInto('payment_events')
    .values({ account_id, id, source_id, event_key, ...said, ...processed })
    .onConflict((conflict) => conflict.constraint('payment_events_once')
      .doUpdateSet({ ...said, ...processed, reason: null, next_attempt_at: null }).where('payment_events.status', '<>', 'processed'))
    .execute()
}
