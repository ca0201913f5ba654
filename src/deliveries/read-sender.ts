import type { Reader } from '../database/connect.js'
import type { DkimKey, Mail } from '../mailer/transport.js'
import type { Keyring } from '../sealing.js'
import { openDkimKey } from './settings/dkim.js'

/** Who an account's mails come from, where it set that, and who gets copies. */
export interface AccountSender { sender: Pick<Mail, 'from' | 'reply_to' | 'dkim'>, bcc: string | null }

/** What an account set for its mails, with the key that signs them in clear: for the mailer alone. */
export async function readSender (db: Reader, keyring: Keyring, account_id: string): Promise<AccountSender> {
  const set = await db.selectFrom('mail_settings')
    .select(['from_name', 'from_address', 'reply_to', 'bcc', 'dkim_domain', 'dkim_selector', 'dkim_sealed_key'])
    .where('account_id', '=', account_id).executeTakeFirst()
  if (set === undefined) return { sender: {}, bcc: null }
  const { from_name, from_address, reply_to, bcc, dkim_domain: domain, dkim_selector: selector, dkim_sealed_key: sealed } = set
  const dkim: DkimKey | null = domain === null || selector === null || sealed === null
    ? null
    : { domain, selector, private_key: openDkimKey(keyring, account_id, { domain, selector, sealed }) }
  return { sender: { ...(from_address === null ? {} : { from: { name: from_name ?? '', address: from_address } }), reply_to, dkim }, bcc }
}
