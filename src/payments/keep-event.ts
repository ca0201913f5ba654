import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import type { Source } from './find-source.js'

/** A verified event: where it came from, what was signed, and what only the headers said. */
export interface SourceEvent {
  id: string
  event_key: string
  sent_at: Date
  body: Buffer
  context: Record<string, string>
  /** what its look-ups were answered; undefined: nothing was asked yet */
  answers?: Record<string, unknown> | undefined
  /** of a stored one: when it came */
  received_at?: Date
}

/** How an event that is not processed is kept. */
export interface Kept {
  status: 'failed' | 'ignored' | 'waiting'
  reason: string
  type: string
  occurred_at: string
  /** what it calls the order it is of, where that much could be read */
  ref?: string | undefined
  /** the worker has to go on with it, after so many milliseconds, if it does not do so already */
  due_ms?: number | undefined
  /** its look-ups are made anew */
  asks?: boolean | undefined
}

/**
 * Stores a verified event that is not processed, with its reason; known already, its reason is brought up to date, and its bytes with it: a
 * replay reads what the reason is about. Answers of look-ups stay with the bytes they were asked for. One that was processed
 * meanwhile, or whose content was erased, stays so: undefined. Returns the id it has.
 */
export async function keepEvent (trx: Transaction<Database>, source: Pick<Source, 'account_id' | 'id'>, event: SourceEvent, kept: Kept): Promise<string | undefined> {
  const { account_id, id: source_id } = source
  const { status, reason, type, occurred_at, ref = null, due_ms, asks = false } = kept
  const { id, event_key, body, context } = event
  const next_attempt_at = due_ms === undefined ? null : sql<Date>`now() + ${due_ms} * interval '1 ms'`
  const before = await findKept(trx, source, event_key)
  const written = await trx.insertInto('payment_events')
    .values({ account_id, id, source_id, event_key, type, status, reason, body, context: JSON.stringify(context), occurred_at, ref, next_attempt_at })
    .onConflict((conflict) => conflict.constraint('payment_events_once').doUpdateSet({
      status,
      reason,
      type,
      occurred_at,
      body,
      ref,
      context: JSON.stringify(context),
      answers: asks ? null : sql`case when payment_events.body = excluded.body then payment_events.answers end`,
      // what the worker is at is left to its lease
      next_attempt_at: due_ms === undefined
        ? null
        : sql<Date>`coalesce(case when payment_events.status = 'waiting' then payment_events.next_attempt_at end, excluded.next_attempt_at)`,
      attempts: sql<number>`case when payment_events.status = 'waiting' then payment_events.attempts else 0 end`,
    }).where('payment_events.status', '<>', 'processed').where('payment_events.erased_at', 'is', null))
    .returning('id').executeTakeFirst()
  if (written !== undefined && before?.status !== status) {
    await recordEvent(trx, { account_id, type: `payment_event.${status}`, subject_id: written.id, actor: source_id, data: { reason } })
  }
  return written?.id
}

/** Notes that all that a kept event says is taken in. */
export async function markProcessed (trx: Transaction<Database>, account_id: string, id: string, order_id: string): Promise<void> {
  await trx.updateTable('payment_events').set({ status: 'processed', reason: null, order_id, processed_at: sql<Date>`now()`, next_attempt_at: null })
    .where('account_id', '=', account_id).where('id', '=', id).where('status', '<>', 'processed').execute()
}

/** How an event of a source stands, or undefined. */
export async function findKept (db: Kysely<Database>, { account_id, id }: Pick<Source, 'account_id' | 'id'>, event_key: string) {
  return db.selectFrom('payment_events').select(['id', 'status', 'order_id', 'reason'])
    .where('account_id', '=', account_id).where('source_id', '=', id).where('event_key', '=', event_key)
    .$narrowType<{ status: Kept['status'] | 'processed' }>().executeTakeFirst()
}
