import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { ATTEMPTS_MAX } from '../deliveries/schedule.js'
import { newId } from '../ids.js'

/** A mail that this claim may send, until its lease lapses. */
export interface ClaimedAlertMail {
  account_id: string
  id: string
  claim_id: string
  /** from 1 */
  attempt: number
  mailing_id: string
  to: string
  message_id: string
}

export interface ClaimOptions {
  /** how many at most */
  limit: number
  lease_ms: number
  /** right-hand side of the Message-IDs */
  domain: string
}

/**
 * Claims mails that are due, oldest first, past whatever another worker is claiming: planned, or left by a worker that is gone. One whose tries were
 * all used up by such workers has failed.
 */
export async function claimAlertMails (trx: Transaction<Database>, { limit, lease_ms, domain }: ClaimOptions): Promise<ClaimedAlertMail[]> {
  const { rows } = await sql<ClaimedAlertMail>`
    with due as materialized (
      select account_id, id, attempts >= ${sql.lit(ATTEMPTS_MAX)} as is_spent from alert_mails
      where status in ('planned', 'sending') and next_attempt_at <= now()
      order by next_attempt_at limit ${limit} for update skip locked
    ), spent as (
      update alert_mails m set status = 'failed', next_attempt_at = null, claim_id = null, last_error = 'every try was used up'
      from due d where d.is_spent and m.account_id = d.account_id and m.id = d.id
    )
    update alert_mails m set status = 'sending', attempts = m.attempts + 1, claim_id = ${newId('CL')}, next_attempt_at = now() + ${lease_ms} * interval '1 ms',
      message_id = coalesce(m.message_id, '<' || m.id || '@' || ${domain} || '>')
    from due d where not d.is_spent and m.account_id = d.account_id and m.id = d.id
    returning m.account_id, m.id, m.claim_id, m.attempts as attempt, m.mailing_id, m."to", m.message_id`.execute(trx)
  return rows
}
