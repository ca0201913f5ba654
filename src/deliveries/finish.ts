import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import type { ClaimedDelivery } from './claim.js'
import { retryDelayMs } from './schedule.js'

/** How a try ended. `released`: not tried to the end, because the worker stops; due again at once. */
export interface Result {
  outcome: 'sent' | 'deferred' | 'bounced' | 'failed' | 'released'
  /** the server's answer as it may be kept (mailer/response.ts) */
  response: string
}

/** Where a delivery is after a try, and when the next one comes. */
function stateAfter ({ outcome }: Result, attempt: number): { status: 'sent' | 'planned' | 'bounced' | 'failed', wait_ms: number | null } {
  if (outcome === 'released') return { status: 'planned', wait_ms: 0 }
  if (outcome !== 'deferred') return { status: outcome, wait_ms: null }
  const delay = retryDelayMs(attempt)
  return delay === undefined ? { status: 'failed', wait_ms: null } : { status: 'planned', wait_ms: delay }
}

/**
 * Writes down how a try ended, in the delivery, its attempt and (where that was the last) an event. Returns the new status, or
 * undefined when the claim had lapsed and another worker has the delivery: then nothing is written.
 */
export async function finishDelivery (trx: Transaction<Database>, claimed: ClaimedDelivery, result: Result): Promise<string | undefined> {
  const { account_id, id, attempt } = claimed
  const { status, wait_ms } = stateAfter(result, attempt)
  const updated = await trx.updateTable('deliveries').set({
    status,
    claim_id: null,
    next_attempt_at: wait_ms === null ? null : sql<Date>`now() + ${wait_ms} * interval '1 ms'`,
    sent_at: status === 'sent' ? sql<Date>`now()` : null,
    last_error: status === 'sent' ? null : result.response,
  }).where('account_id', '=', account_id).where('id', '=', id).where('status', '=', 'sending').where('claim_id', '=', claimed.claim_id)
    .executeTakeFirst()
  if (updated.numUpdatedRows !== 1n) return undefined
  await trx.updateTable('delivery_attempts').set({
    finished_at: sql<Date>`now()`, outcome: status === 'planned' ? 'deferred' : status, response: result.response,
  }).where('account_id', '=', account_id).where('delivery_id', '=', id).where('attempt', '=', attempt).execute()
  if (status !== 'planned') {
    await recordEvent(trx, { account_id, type: `delivery.${status}`, subject_id: id, data: { order_id: claimed.order_id, attempt } })
  }
  return status
}
