import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Kind } from './kinds.js'

/** The alerts of an account, in no order: for a list to narrow. */
export function alertsOf (db: Reader, account_id: string) {
  return db.selectFrom('alerts').select(['id', 'subject_id', 'step', 'data', 'raised_at', 'cleared_at'])
    .select((row) => [row.ref('kind').$castTo<Kind>().as('kind'), row.ref('mail_state').$castTo<'waiting' | 'mailed' | 'silent'>().as('mail_state')])
    .where('account_id', '=', account_id)
}

/**
 * One alert, with the mails that told it.
 *
 * @throws Problem alert-not-found
 */
export async function findAlert (db: Reader, account_id: string, id: string) {
  const alert = await alertsOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (alert === undefined) throw new Problem('alert-not-found')
  const mails = await db.selectFrom('alert_mails as m').select(['m.id', 'm.to', 'm.attempts', 'm.next_attempt_at', 'm.last_error', 'm.sent_at'])
    .select((row) => row.ref('m.status').$castTo<'planned' | 'sending' | 'sent' | 'failed' | 'bounced'>().as('status'))
    .innerJoin('alerts as a', (join) => join.onRef('a.account_id', '=', 'm.account_id').onRef('a.mailing_id', '=', 'm.mailing_id'))
    .where('m.account_id', '=', account_id).where('a.id', '=', id).orderBy('m.to').execute()
  return { ...alert, mails }
}
