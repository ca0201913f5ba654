import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { plainAddress } from '../../mailer/address.js'
import { invalid } from '../../problems.js'
import type { NewMailSettings } from './schema.js'

/**
 * Sets all of it anew but the key; what is left out is the default again. Mails that wait for the account's pace go by the new one.
 *
 * @throws Problem validation-failed  an address that is not exactly one
 */
export async function setMailSettings (trx: Transaction<Database>, account_id: string, body: Static<typeof NewMailSettings>, actor: string): Promise<void> {
  const { from = null, reply_to = null, bcc = null, rate_per_second = null } = body
  const given = { 'from.address': from?.address ?? null, reply_to, bcc }
  const faults = Object.entries(given).filter(([, address]) => address !== null && plainAddress(address) === undefined)
  if (faults.length > 0) throw invalid(...faults.map(([name]) => `${name}: is not one mail address, written as local@domain`))
  const plain = (address: string | null): string | null => address === null ? null : plainAddress(address) ?? null
  const settings = { from_name: from?.name ?? null, from_address: plain(from?.address ?? null), reply_to: plain(reply_to), bcc: plain(bcc), rate_per_second }
  await trx.insertInto('mail_settings').values({ account_id, ...settings })
    .onConflict((conflict) => conflict.column('account_id').doUpdateSet({ ...settings, updated_at: sql<Date>`now()` })).execute()
  const data = { has_from: from !== null, has_reply_to: reply_to !== null, has_bcc: bcc !== null, rate_per_second }
  await recordEvent(trx, { account_id, type: 'mail_settings.updated', subject_id: account_id, actor, data })
}
