import type { Kysely } from 'kysely'
import type { BaseLogger } from 'pino'
import type { Database } from '../database/connect.js'
import { insist } from '../database/insist.js'
import { keptResponse } from '../mailer/response.js'
import { MailRefused, type MailTransport } from '../mailer/transport.js'
import type { ClaimedAlertMail } from './claim.js'
import { finishAlertMail, type Result } from './finish.js'
import type { Kind } from './kinds.js'
import { writeMail, type ToldAlert } from './write-mail.js'

/** What sending needs. `public_url`: where the API is, for the links. */
export interface AlertPost { db: Kysely<Database>, transport: MailTransport, log: Pick<BaseLogger, 'info'>, public_url: string, lease_ms: number }

/** Of its lease a try may use so much; the rest is for the note. */
const TRY_PART = 0.9

async function tellsOf (db: Kysely<Database>, { account_id, mailing_id }: ClaimedAlertMail): Promise<{ vendor: string, alerts: ToldAlert[] }> {
  const { name } = await db.selectFrom('accounts').select('name').where('id', '=', account_id).executeTakeFirstOrThrow()
  const alerts = await db.selectFrom('alerts').select(['id', 'subject_id', 'step', 'data', 'raised_at']).select((row) => row.ref('kind').$castTo<Kind>().as('kind'))
    .where('account_id', '=', account_id).where('mailing_id', '=', mailing_id).orderBy('id').execute()
  return { vendor: name, alerts: alerts.map((alert) => ({ ...alert, data: alert.data as ToldAlert['data'] })) }
}

/** Writes the mail and hands it over. Says how that went; never throws. */
async function tryToSend ({ db, transport, public_url, lease_ms }: AlertPost, claimed: ClaimedAlertMail, cut: AbortSignal): Promise<Result> {
  try {
    const { vendor, alerts } = await tellsOf(db, claimed)
    const { id, message_id, to } = claimed
    const signal = AbortSignal.any([cut, AbortSignal.timeout(Math.round(lease_ms * TRY_PART))])
    const response = await transport.send({ id, message_id, to: { name: '', address: to }, ...writeMail(vendor, alerts, public_url) }, signal)
    return { outcome: 'sent', response: keptResponse(response, []) }
  } catch (error) {
    if (error instanceof MailRefused) {
      if (cut.aborted && error.outcome === 'deferred') return { outcome: 'released', response: 'the worker stopped' }
      return { outcome: error.outcome, response: keptResponse(error.answer, []) }
    }
    const { name, code } = error as { name?: string, code?: string }
    return { outcome: 'deferred', response: `the mail could not be written: ${code ?? name ?? 'unknown'}` }
  }
}

/**
 * Sends one claimed mail and writes down how that ended. A try that lasts as long as its lease is cut and put off. At least once: a process that dies
 * between the server's answer and the note leads to a second mail, which then has the same Message-ID.
 */
export async function sendAlertMail (post: AlertPost, claimed: ClaimedAlertMail, cut: AbortSignal): Promise<void> {
  const result = await tryToSend(post, claimed, cut)
  const status = await insist(post.db, (trx) => finishAlertMail(trx, claimed, result), cut)
  const { account_id, id: alert_mail_id, attempt } = claimed
  post.log.info({ account_id, alert_mail_id, attempt, outcome: result.outcome, status: status ?? 'claim lapsed' }, 'alert mail attempt')
}
