import type { Static } from 'typebox'
import type { Reader } from '../../database/connect.js'
import type { Mailbox } from '../../mailer/address.js'
import type { MailDkim, MailSettings } from './schema.js'

interface Stored { dkim_domain: string | null, dkim_selector: string | null, dkim_public_key: string | null }

/** The record that lets others verify what the key signs. */
function dkimOf ({ dkim_domain: domain, dkim_selector: selector, dkim_public_key }: Stored): Static<typeof MailDkim> | null {
  if (domain === null || selector === null || dkim_public_key === null) return null
  return { domain, selector, record: { name: `${selector}._domainkey.${domain}`, type: 'TXT', value: `v=DKIM1; k=rsa; p=${dkim_public_key}` } }
}

/** How an account's mails are sent: what it set, else what the service does. */
export async function findMailSettings (db: Reader, account_id: string, house: Mailbox): Promise<Static<typeof MailSettings>> {
  const set = await db.selectFrom('mail_settings')
    .select(['from_name', 'from_address', 'reply_to', 'bcc', 'rate_per_second', 'dkim_domain', 'dkim_selector', 'dkim_public_key'])
    .where('account_id', '=', account_id).executeTakeFirst()
  if (set === undefined) return { from: house, reply_to: null, bcc: null, rate_per_second: null, dkim: null }
  const { from_name, from_address, reply_to, bcc, rate_per_second } = set
  return { from: from_address === null ? house : { name: from_name ?? '', address: from_address }, reply_to, bcc, rate_per_second, dkim: dkimOf(set) }
}
