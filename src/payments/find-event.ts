import type { Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Outcome } from './receive.js'

/** The payment events of an account, without their bodies, in no order: for a list to narrow. */
export function paymentEventsOf (db: Kysely<Database>, account_id: string) {
  return db.selectFrom('payment_events')
    .select(['id', 'source_id', 'event_key', 'type', 'status', 'reason', 'order_id', 'occurred_at', 'received_at', 'processed_at'])
    .where('account_id', '=', account_id).$narrowType<{ status: Outcome['status'] }>()
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

/** What a replay needs of an event: its bytes and its source. @throws Problem payment-event-not-found */
export async function findStoredEvent (db: Kysely<Database>, account_id: string, id: string) {
  const event = await db.selectFrom('payment_events as e').innerJoin('payment_sources as s', (join) => join
    .onRef('s.account_id', '=', 'e.account_id').onRef('s.id', '=', 'e.source_id'))
    .select(['e.id', 'e.event_key', 'e.body', 'e.received_at', 's.id as source_id', 's.kind', 's.mode'])
    .where('e.account_id', '=', account_id).where('e.id', '=', id).executeTakeFirst()
  if (event === undefined) throw new Problem('payment-event-not-found')
  return event
}
