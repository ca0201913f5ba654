import type { DkimKey, Mail } from '../mailer/transport.js'
import type { Keyring } from '../sealing.js'
import { openDkimKey } from './settings/dkim.js'

/** Who an account's mails come from, where it set that, and who gets copies. */
export interface AccountSender { sender: Pick<Mail, 'from' | 'reply_to' | 'dkim'>, bcc: string | null }

/** A row of mail_settings; all null: there is none. */
export interface StoredSender {
  from_name: string | null
  from_address: string | null
  reply_to: string | null
  bcc: string | null
  dkim_domain: string | null
  dkim_selector: string | null
  dkim_sealed_key: Buffer | null
}

/** What an account set for its mails, with the key that signs them in clear: for the mailer alone. */
export function senderOf (keyring: Keyring, account_id: string, { from_name, from_address, reply_to, bcc, ...stored }: StoredSender): AccountSender {
  const { dkim_domain: domain, dkim_selector: selector, dkim_sealed_key: sealed } = stored
  const dkim: DkimKey | null = domain === null || selector === null || sealed === null
    ? null
    : { domain, selector, private_key: openDkimKey(keyring, account_id, { domain, selector, sealed }) }
  return { sender: { ...(from_address === null ? {} : { from: { name: from_name ?? '', address: from_address } }), reply_to, dkim }, bcc }
}
