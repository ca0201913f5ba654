import { sql, type Kysely, type Transaction } from 'kysely'
import { connectTime } from '../connect-time.js'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { isSuccess, type Called } from './call.js'
import type { ClaimedMessage } from './claim.js'
import { retryDelayMs } from './schedule.js'
import type { WebhookId } from './secrets.js'

/** How a try ended. `released`: not tried to the end; due again at once. `response`: what may be kept of the answer. */
export interface Result { outcome: 'sent' | 'failed' | 'released', called: Called | null, response: string | null, error: string | null }

/** A webhook without one success in this long is made inactive: more than a message's whole schedule. */
const FAILING_MAX_DAYS = 5

const GONE = 410

/** Where a message is after a try, and when the next one comes. */
function stateAfter ({ outcome, called }: Result, { kind, try: nth }: ClaimedMessage): { status: 'sent' | 'planned' | 'failed', wait_ms: number | null } {
  if (outcome === 'released') return { status: 'planned', wait_ms: 0 }
  if (outcome === 'sent') return { status: 'sent', wait_ms: null }
  const delay = called?.status_code === GONE ? undefined : retryDelayMs(kind, nth, called?.retry_after)
  return delay === undefined ? { status: 'failed', wait_ms: null } : { status: 'planned', wait_ms: delay }
}

/** Adds a call to the statistics of its webhook. One statement. */
export async function countCall (
  db: Kysely<Database>, { account_id, id }: WebhookId, { called, response, error }: Pick<Result, 'response' | 'error'> & { called: Called }
): Promise<void> {
  const { duration_ms, status_code } = called
  const ok = isSuccess(called)
  const call = JSON.stringify({
    time: connectTime(new Date()), duration: duration_ms, status: ok ? 'success' : 'failure', status_code, response: response ?? '', errors: error === null ? [] : [error],
  })
  const outcome = ok
    ? sql`success_triggers = success_triggers + 1, failure_since_last_success = 0, failing_since = null, last_success = ${call}`
    : sql`failure_triggers = failure_triggers + 1, failure_since_last_success = failure_since_last_success + 1,
        failing_since = coalesce(failing_since, now()), last_failure = ${call}`
  await sql`update webhooks set triggers = triggers + 1, ${outcome} where account_id = ${account_id} and id = ${id}`.execute(db)
}

/** Makes a webhook inactive that is gone, or has not answered well for days; says whether it did. What is planned for it stays. */
async function disableHopeless (trx: Transaction<Database>, { account_id, webhook_id }: ClaimedMessage, gone: boolean): Promise<boolean> {
  const reason = gone ? 'the endpoint answered 410' : `no call succeeded for ${FAILING_MAX_DAYS} days`
  const { numUpdatedRows } = await trx.updateTable('webhooks').set({ active: false, disabled_reason: reason })
    .where('account_id', '=', account_id).where('id', '=', webhook_id).where('active', '=', true)
    .$if(!gone, (query) => query.where('failing_since', '<', sql<Date>`now() - ${FAILING_MAX_DAYS} * interval '1 day'`)).executeTakeFirst()
  if (numUpdatedRows === 0n) return false
  await recordEvent(trx, { account_id, type: 'webhook.disabled', subject_id: webhook_id, data: { reason } })
  return true
}

/**
 * Writes down how a try ended, in the message, its attempt, the statistics and (where that was the last) an event. Returns the new status
 * and whether the webhook was disabled for it, or undefined when the claim had lapsed and another worker has the message: then nothing is written.
 */
export async function finishMessage (
  trx: Transaction<Database>, claimed: ClaimedMessage, result: Result
): Promise<{ status: 'sent' | 'planned' | 'failed', disabled: boolean } | undefined> {
  const { account_id, id, webhook_id, attempt } = claimed
  const { outcome, called, response, error } = result
  const { status, wait_ms } = stateAfter(result, claimed)
  const { numUpdatedRows } = await trx.updateTable('webhook_messages').set({
    status,
    claim_id: null,
    next_attempt_at: wait_ms === null ? null : sql<Date>`now() + ${wait_ms} * interval '1 ms'`,
    sent_at: status === 'sent' ? sql<Date>`now()` : null,
    last_error: error,
  }).where('account_id', '=', account_id).where('id', '=', id).where('status', '=', 'sending').where('claim_id', '=', claimed.claim_id).executeTakeFirst()
  if (numUpdatedRows !== 1n) return undefined
  await trx.updateTable('webhook_attempts').set({
    finished_at: sql<Date>`now()`, outcome, response, error, status_code: called?.status_code ?? null, duration_ms: called?.duration_ms ?? null,
  }).where('account_id', '=', account_id).where('message_id', '=', id).where('attempt', '=', attempt).execute()
  if (called !== null && outcome !== 'released') await countCall(trx, { account_id, id: webhook_id }, { ...result, called })
  if (status === 'failed') await recordEvent(trx, { account_id, type: 'webhook.message_failed', subject_id: webhook_id, data: { message_id: id, attempt } })
  const disabled = outcome === 'failed' && await disableHopeless(trx, claimed, called?.status_code === GONE)
  return { status, disabled }
}
