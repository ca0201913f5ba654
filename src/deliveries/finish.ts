import { sql, type Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import type { ClaimedDelivery } from './claim.js'
import { retryDelayMs, type RetryDelay } from './schedule.js'

/** How a try ended. `released`: not tried to the end, because the worker stops; due again at once. */
export interface Result {
  outcome: 'sent' | 'deferred' | 'bounced' | 'failed' | 'released'
  /** the server's answer as it may be kept (mailer/response.ts) */
  response: string
}

/** Where a delivery is after a try, and when the next one comes. */
function stateAfter ({ outcome }: Result, attempt: number, retry_delay_ms: RetryDelay): { status: 'sent' | 'planned' | 'bounced' | 'failed', wait_ms: number | null } {
  if (outcome === 'released') return { status: 'planned', wait_ms: 0 }
  if (outcome !== 'deferred') return { status: outcome, wait_ms: null }
  const delay = retry_delay_ms(attempt)
  return delay === undefined ? { status: 'failed', wait_ms: null } : { status: 'planned', wait_ms: delay }
}

/** One try and how it ended. */
export interface Finished { claimed: Pick<ClaimedDelivery, 'account_id' | 'id' | 'attempt' | 'claim_id'>, result: Result }

/**
 * Writes down how tries ended, in the deliveries, their attempts and (where that was the last) events: one statement. Returns the new status of each, or
 * undefined where the claim had lapsed and another worker has the delivery: then nothing is written of it.
 */
export async function finishDeliveries (
  db: Kysely<Database>, finished: readonly Finished[], retry_delay_ms: RetryDelay = retryDelayMs
): Promise<Array<string | undefined>> {
  const input = finished.map(({ claimed: { account_id, id, attempt, claim_id }, result }) =>
    ({ account_id, id, attempt, claim_id, response: result.response, ...stateAfter(result, attempt, retry_delay_ms) }))
  const { rows } = await sql<{ id: string, attempt: number, status: string }>`
    with ended as (
      update deliveries d set status = r.status, claim_id = null,
        next_attempt_at = now() + r.wait_ms * interval '1 ms',
        sent_at = case when r.status = 'sent' then now() end,
        last_error = case when r.status = 'sent' then null else r.response end
      from json_to_recordset(${JSON.stringify(input)}::json) as r (account_id text, id text, attempt integer, claim_id text, response text, status text, wait_ms float8)
      where d.account_id = r.account_id and d.id = r.id and d.status = 'sending' and d.claim_id = r.claim_id
      returning d.account_id, d.id, d.order_id, r.attempt, r.status, r.response
    ), noted as (
      update delivery_attempts a set finished_at = now(), outcome = case when e.status = 'planned' then 'deferred' else e.status end, response = e.response
      from ended e where a.account_id = e.account_id and a.delivery_id = e.id and a.attempt = e.attempt
    ), told as (
      insert into events (account_id, type, subject_id, data)
      select account_id, 'delivery.' || status, id, jsonb_build_object('order_id', order_id, 'attempt', attempt) from ended where status <> 'planned'
    )
    select id, attempt, status from ended`.execute(db)
  const statuses = new Map(rows.map(({ id, attempt, status }) => [`${id} ${attempt}`, status]))
  return finished.map(({ claimed }) => statuses.get(`${claimed.id} ${claimed.attempt}`))
}
