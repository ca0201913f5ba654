import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import type { OpenSource } from './find-source.js'
import type { Outcome, SourceEvent } from './receive.js'

/**
 * Stores a verified event that could not be processed, or needs nothing, with its reason; known already, its reason is
 * brought up to date, and its bytes with it: a replay reads what the reason is about. One that was processed meanwhile stays so.
 */
export async function keepEvent (trx: Transaction<Database>, source: Pick<OpenSource, 'account_id' | 'id'>, event: SourceEvent, outcome: Exclude<Outcome, { status: 'processed' }>): Promise<void> {
  const { account_id, id: source_id } = source
  const { status, reason, type, occurred_at } = outcome
  const kept = await trx.insertInto('payment_events')
    .values({ account_id, id: event.id, source_id, event_key: event.event_key, type, status, reason, body: event.body, occurred_at })
    .onConflict((conflict) => conflict.constraint('payment_events_once').doUpdateSet({ status, reason, type, occurred_at, body: event.body }).where('payment_events.status', '<>', 'processed'))
    .returning(['id', sql<boolean>`xmax = 0`.as('is_new')]).executeTakeFirst()
  if (kept?.is_new === true) await recordEvent(trx, { account_id, type: `payment_event.${status}`, subject_id: kept.id, actor: source_id, data: { reason } })
}

/** How an event of a source stands, or undefined. */
export async function findKept (db: Kysely<Database>, { account_id, id }: Pick<OpenSource, 'account_id' | 'id'>, event_key: string) {
  return db.selectFrom('payment_events').select(['id', 'status', 'order_id', 'reason'])
    .where('account_id', '=', account_id).where('source_id', '=', id).where('event_key', '=', event_key)
    .$narrowType<{ status: Outcome['status'] }>().executeTakeFirstOrThrow()
}
