import { createPrivateKey, randomUUID } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import DKIM from 'nodemailer/lib/dkim'
import MailComposer from 'nodemailer/lib/mail-composer'
import { plainAddress, type Mailbox } from './address.js'
import { bytesOf } from './mime.js'
import { MailRefused } from './refusal.js'

/** Signs mails from a domain (RFC 6376). `private_key`: PEM. */
export interface DkimKey { domain: string, selector: string, private_key: string }

/** One mail to one person. `id` names it in our records, `message_id` to the world: both are the same on every try. */
export interface Mail {
  id: string
  message_id: string
  to: Mailbox
  subject: string
  text: string
  html: string
  /** absent: the service itself */
  from?: Mailbox
  /** where answers go; absent: to `from` */
  reply_to?: string | null
  /** signs the mail if it is from the key's domain; else the service's own does, if it is from that one's */
  dkim?: DkimKey | null
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
function checkHeaders (mail: Mail, from: Mailbox): string {
  const address = plainAddress(mail.to.address)
  if (address === undefined) throw new MailRefused('failed', 'the recipient is not exactly one plain mail address')
  for (const value of [mail.id, mail.message_id, mail.subject, mail.to.name, from.name, from.address, mail.reply_to ?? '']) {
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

/** What the service says of every mail. */
export interface House { from: Mailbox, dkim: DkimKey | undefined }

/** Who is told to the mail server. */
function recipientOf ({ copy_to }: Mail, address: string): string {
  if (copy_to === undefined) return address
  const other = plainAddress(copy_to)
  if (other === undefined) throw new MailRefused('failed', 'the copy would not go to exactly one plain mail address')
  return other
}

/**
 * The bytes of a mail with CRLF, signed where one of the keys may. Strings only, so that no text can name a file or a URL to be read.
 *
 * @throws MailRefused
 */
export async function compose (mail: Mail, house: House): Promise<{ from: string, to: string, raw: Buffer }> {
  const { from = house.from, reply_to, dkim } = mail
  const address = checkHeaders(mail, from)
  const message = new MailComposer({
    from,
    to: { name: shortened(mail.to.name, NAME_LENGTH_MAX), address },
    ...(reply_to ? { replyTo: { name: '', address: reply_to } } : {}),
    subject: shortened(mail.subject, SUBJECT_LENGTH_MAX),
    messageId: mail.message_id,
    text: mail.text,
    html: mail.html,
    headers: { 'Auto-Submitted': 'auto-generated' }, // RFC 3834 §5: no vacation replies
    // spaces at the end of a line survive no mail server, unless they are encoded
    ...(/[ \t\r]$/m.test(mail.text) ? { encoding: 'quoted-printable' } : {}),
    newline: '\r\n',
    baseBoundary: randomUUID(), // else each part asks the system for its own random bytes
    disableFileAccess: true,
    disableUrlAccess: true,
  }).compile()
  const { to } = message.getEnvelope()
  if (to.length !== 1 || to[0] !== address) throw new MailRefused('failed', 'the mail would not go to its recipient alone')
  const raw = bytesOf(message)
  const key = [dkim, house.dkim].find((each) => each && signs(each, from))
  return { from: from.address, to: recipientOf(mail, address), raw: key ? await signed(raw, key) : raw }
}

/** @throws Error  the text is no private key in PEM */
export function checkPrivateKey (pem: string): string {
  createPrivateKey(pem)
  return pem
}
