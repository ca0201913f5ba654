import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import type { ClaimedEvent } from './claim-events.js'
import type { LookedUp } from './look-up.js'
import { lookUpDelayMs } from './look-up-schedule.js'

/** The event, if the claim still holds. */
function claimed (trx: Transaction<Database>, { account_id, id, attempt }: ClaimedEvent) {
  return trx.updateTable('payment_events').where('account_id', '=', account_id).where('id', '=', id).where('status', '=', 'waiting').where('attempts', '=', attempt)
}

/** Stores what was answered, for this and every later translation. False: the claim has lapsed, and somebody else goes on. */
export async function keepAnswers (trx: Transaction<Database>, event: ClaimedEvent, answers: Record<string, unknown>): Promise<boolean> {
  const { numUpdatedRows } = await claimed(trx, event).set({ answers: JSON.stringify(answers) }).executeTakeFirst()
  return numUpdatedRows === 1n
}

/** Gives an event back as if it had not been claimed: the worker stops. */
export async function releaseEvent (trx: Transaction<Database>, event: ClaimedEvent): Promise<void> {
  await claimed(trx, event).set({ attempts: event.attempt - 1, next_attempt_at: sql<Date>`now()` }).execute()
}

/** Writes down that the checkout gave no answer: the event is tried again later, or has failed. Returns which; undefined: the claim has lapsed. */
export async function putOff (
  trx: Transaction<Database>, event: ClaimedEvent, result: Exclude<LookedUp, { outcome: 'answered' }>
): Promise<'waiting' | 'failed' | undefined> {
  const wait_ms = result.outcome === 'refused' ? undefined : lookUpDelayMs(event.attempt, result.retry_after_ms)
  const status = wait_ms === undefined ? 'failed' : 'waiting'
  const reason = wait_ms === undefined && result.outcome === 'put off' ? `${result.reason}; every try was used up: replay the event once the checkout answers` : result.reason
  const { numUpdatedRows } = await claimed(trx, event)
    .set({ status, reason, next_attempt_at: wait_ms === undefined ? null : sql<Date>`now() + ${wait_ms} * interval '1 ms'` }).executeTakeFirst()
  if (numUpdatedRows !== 1n) return undefined
  if (status === 'failed') await recordEvent(trx, { account_id: event.account_id, type: 'payment_event.failed', subject_id: event.id, data: { reason } })
  return status
}
