import { createPrivateKey } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import DKIM from 'nodemailer/lib/dkim'
import MailComposer from 'nodemailer/lib/mail-composer'
import { plainAddress, type Mailbox } from './address.js'
import { MailRefused } from './refusal.js'

/** Signs mails from a domain (RFC 6376). `private_key`: PEM. */
export interface DkimKey { domain: string, selector: string, private_key: string }

/** Who a mail comes from. */
export interface Sender {
  from: Mailbox
  /** where answers go; absent: to `from` */
  reply_to?: string | null
  /** signs the mail if it is from the key's domain */
  dkim?: DkimKey | null
}

/** One mail to one person. `id` names it in our records, `message_id` to the world: both are the same on every try. */
export interface Mail {
  id: string
  message_id: string
  to: Mailbox
  subject: string
  text: string
  html: string
  /** absent: the service itself */
  sender?: Sender
  /** who gets the mail in place of who it names in its head: a copy, with another `id` */
  copy_to?: string
}

// eslint-disable-next-line no-control-regex
const BREAKS_HEADER = /[\x00-\x08\x0a-\x1f\x7f]/

/** A word that has no space cannot be folded, and a line of more than 998 bytes not be sent (RFC 5322 §2.1.1). */
const NAME_LENGTH_MAX = 255
const SUBJECT_LENGTH_MAX = 500

const shortened = (text: string, length_max: number): string => text.length <= length_max ? text : Array.from(text).slice(0, length_max).join('')

/** The one address that a mail goes to, by its head. @throws MailRefused  it is not plain, or a header would break */
function checkHeaders (mail: Mail, { from, reply_to }: Sender): string {
  const address = plainAddress(mail.to.address)
  if (address === undefined) throw new MailRefused('failed', 'the recipient is not exactly one plain mail address')
  for (const value of [mail.id, mail.message_id, mail.subject, mail.to.name, from.name, from.address, reply_to ?? '']) {
    if (BREAKS_HEADER.test(value)) throw new MailRefused('failed', 'a header of the mail would hold a control character')
  }
  return address
}

/** Whether the key may speak for the address: it is of its domain. */
function signs ({ domain }: DkimKey, { address }: Mailbox): boolean {
  return address.slice(address.indexOf('@') + 1).toLowerCase() === domain.toLowerCase()
}

async function signed (raw: Buffer, { domain, selector, private_key }: DkimKey): Promise<Buffer> {
  return buffer(new DKIM({ domainName: domain, keySelector: selector, privateKey: private_key }).sign(raw))
}

/**
 * The bytes of a mail with CRLF, signed where one of the keys may. Strings only, so that no text can name a file or a URL to be read.
 *
 * @throws MailRefused
 */
export async function compose (mail: Mail, sender: Sender, keys: ReadonlyArray<DkimKey | null | undefined>): Promise<{ address: string, raw: Buffer }> {
  const address = checkHeaders(mail, sender)
  const message = new MailComposer({
    from: sender.from,
    to: { name: shortened(mail.to.name, NAME_LENGTH_MAX), address },
    ...(sender.reply_to ? { replyTo: { name: '', address: sender.reply_to } } : {}),
    subject: shortened(mail.subject, SUBJECT_LENGTH_MAX),
    messageId: mail.message_id,
    text: mail.text,
    html: mail.html,
    headers: { 'Auto-Submitted': 'auto-generated' }, // RFC 3834 §5: no vacation replies
    // spaces at the end of a line survive no mail server, unless they are encoded
    ...(/[ \t\r]$/m.test(mail.text) ? { encoding: 'quoted-printable' } : {}),
    newline: '\r\n',
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile()
  const { to } = message.getEnvelope()
  if (to.length !== 1 || to[0] !== address) throw new MailRefused('failed', 'the mail would not go to its recipient alone')
  const raw = await message.build()
  const key = keys.find((each) => each && signs(each, sender.from))
  return { address, raw: key ? await signed(raw, key) : raw }
}

/** @throws Error  the text is no private key in PEM */
export function checkPrivateKey (pem: string): string {
  createPrivateKey(pem)
  return pem
}
