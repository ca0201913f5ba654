import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { retryDelayMs } from '../deliveries/schedule.js'
import type { ClaimedAlertMail } from './claim.js'

/** How a try ended. `released`: not tried to the end, because the worker stops; due again at once. */
export interface Result { outcome: 'sent' | 'deferred' | 'bounced' | 'failed' | 'released', response: string }

/** Where a mail is after a try, and when the next one comes: as deliveries are tried. */
function stateAfter ({ outcome }: Result, attempt: number): { status: 'sent' | 'planned' | 'bounced' | 'failed', wait_ms: number | null } {
  if (outcome === 'released') return { status: 'planned', wait_ms: 0 }
  if (outcome !== 'deferred') return { status: outcome, wait_ms: null }
  const delay = retryDelayMs(attempt)
  return delay === undefined ? { status: 'failed', wait_ms: null } : { status: 'planned', wait_ms: delay }
}

/** Writes down how a try ended; undefined: the claim had lapsed and another worker has the mail, then nothing is written. */
export async function finishAlertMail (
  trx: Transaction<Database>, { account_id, id, claim_id, attempt }: ClaimedAlertMail, result: Result
): Promise<string | undefined> {
  const { status, wait_ms } = stateAfter(result, attempt)
  const updated = await trx.updateTable('alert_mails').set({
    status,
    claim_id: null,
    next_attempt_at: wait_ms === null ? null : sql<Date>`now() + ${wait_ms} * interval '1 ms'`,
    sent_at: status === 'sent' ? sql<Date>`now()` : null,
    last_error: status === 'sent' ? null : result.response,
  }).where('account_id', '=', account_id).where('id', '=', id).where('status', '=', 'sending').where('claim_id', '=', claim_id).executeTakeFirst()
  return updated.numUpdatedRows === 1n ? status : undefined
}
