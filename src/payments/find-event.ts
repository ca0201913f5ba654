import type { Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Kept, SourceEvent } from './keep-event.js'

/** The payment events of an account, without their bodies, in no order: for a list to narrow. */
export function paymentEventsOf (db: Kysely<Database>, account_id: string) {
  return db.selectFrom('payment_events')
    .select(['id', 'source_id', 'event_key', 'type', 'status', 'reason', 'order_id', 'attempts', 'next_attempt_at', 'occurred_at', 'received_at', 'processed_at', 'erased_at'])
    .where('account_id', '=', account_id).$narrowType<{ status: Kept['status'] | 'processed' }>()
}

/**
 * One payment event.
 *
 * @throws Problem payment-event-not-found
 */
export async function findPaymentEvent (db: Kysely<Database>, account_id: string, id: string) {
  const event = await paymentEventsOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (event === undefined) throw new Problem('payment-event-not-found')
  return event
}

/**
 * An event as it was received, and its source, for another try.
 *
 * @throws Problem payment-event-not-found
 * @throws Problem payment-event-erased
 */
export async function findStoredEvent (
  db: Kysely<Database>, account_id: string, id: string
): Promise<{ source_id: string, event: SourceEvent }> {
  const row = await db.selectFrom('payment_events').select(['source_id', 'event_key', 'body', 'context', 'answers', 'occurred_at', 'received_at', 'erased_at'])
    .where('account_id', '=', account_id).where('id', '=', id)
    .executeTakeFirst()
  if (row === undefined) throw new Problem('payment-event-not-found')
  if (row.erased_at !== null) throw new Problem('payment-event-erased')
  const { source_id, event_key, body, context, answers, occurred_at, received_at } = row
  // where the event itself does not say when it happened, this is when it was sent; where it does, nobody asks
  const asked = (answers ?? undefined) as Record<string, unknown> | undefined
  return { source_id, event: { id, event_key, body, context: context as Record<string, string>, answers: asked, sent_at: occurred_at, received_at } }
}
