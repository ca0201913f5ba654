import { sql, type Transaction } from 'kysely'
import type { Database, Reader } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { keptResponse } from '../../mailer/response.js'
import { Problem } from '../../problems.js'
import type { Keyring } from '../../sealing.js'
import { openLicenses } from '../read-letter.js'
import type { Report } from './read-report.js'

/** Who reports. `account_id` null: the operator, of every account. */
export interface Reporter { account_id: string | null, actor: string }

/** A delivery that a report is about. */
export interface Reported { account_id: string, id: string, order_id: string, to: string, license_ids: string[], bcc: string | null }

/** The delivery that a report is about, as far as the reporter may know of it. Ids are not repeated among accounts. */
export async function findReported (db: Reader, { account_id }: Reporter, delivery_id: string): Promise<Reported | undefined> {
  const { rows: [found] } = await sql<Reported>`
    select d.account_id, d.id, d.order_id, d."to", d.license_ids, s.bcc
    from accounts a join deliveries d on d.account_id = a.id and d.id = ${delivery_id} left join mail_settings s on s.account_id = a.id
    where ${account_id}::text is null or a.id = ${account_id}`.execute(db)
  return found
}

/** The report in words that may be kept: without any part of a key. */
export async function keptReport (db: Reader, keyring: Keyring, { account_id, license_ids }: Reported, { status, diagnostic }: Report): Promise<string> {
  const licenses = await openLicenses(db, keyring, account_id, license_ids)
  return keptResponse(diagnostic === '' ? status : diagnostic, licenses.map((license) => license.key))
}

/** Whether the report is about the copy that the account has of the mail, and not about the customer's. */
export function isAboutCopy ({ to, bcc }: Reported, { recipient = '' }: Report): boolean {
  const said = recipient.toLowerCase()
  return bcc !== null && said === bcc.toLowerCase() && said !== to.toLowerCase()
}

/**
 * Writes down that a mail came back, or is late; again, it changes nothing. One that waits for its next try came back from one before, and is not
 * tried again. `kept`: what may be kept of the report. Returns the status of the delivery.
 *
 * @throws Problem unavailable  it is being sent: how that went is not written down yet
 */
export async function takeReport (
  trx: Transaction<Database>, { account_id, id, order_id }: Reported, { action, status }: Report, { kept: said, actor }: { kept: string, actor: string }
): Promise<string> {
  const delivery = await trx.selectFrom('deliveries').select(['status', 'attempts', 'to']).where('account_id', '=', account_id).where('id', '=', id)
    .forNoKeyUpdate().executeTakeFirstOrThrow()
  if (delivery.status === 'sending') throw new Problem('unavailable', { detail: 'the mail is being sent: report it again', headers: { 'retry-after': '10' } })
  if ((action !== 'failed' && action !== 'delayed') || delivery.attempts === 0) return delivery.status
  const kept = delivery.to === '' ? 'erased' : said // its customer was: servers quote addresses
  const { numInsertedOrUpdatedRows: noted } = await trx.insertInto('delivery_reports').values({ account_id, delivery_id: id, action, status, diagnostic: kept })
    .onConflict((conflict) => conflict.doNothing()).executeTakeFirst()
  const came_back = action === 'failed' && (delivery.status === 'sent' || delivery.status === 'planned')
  if (came_back) {
    await trx.updateTable('deliveries').set({ status: 'bounced', next_attempt_at: null, last_error: kept }).where('account_id', '=', account_id).where('id', '=', id).execute()
  }
  const type = came_back ? 'delivery.bounced' : action === 'delayed' && noted === 1n ? 'delivery.delayed' : undefined
  if (type !== undefined) await recordEvent(trx, { account_id, type, subject_id: id, actor, data: { order_id, status, is_reported: true } })
  return came_back ? 'bounced' : delivery.status
}
