// The only code that knows nodemailer.
import { randomBytes } from 'node:crypto'
import { mkdir, open, rename } from 'node:fs/promises'
import path from 'node:path'
import { createTransport, type Transporter } from 'nodemailer'
import MailComposer from 'nodemailer/lib/mail-composer'
import type { Config } from '../config.js'
import { plainAddress, readMailbox, type Mailbox } from './address.js'

/** One mail to one person. `id` names it in our records, `message_id` to the world: both are the same on every try. */
export interface Mail { id: string, message_id: string, to: Mailbox, subject: string, text: string, html: string }

/** Where mails go. */
export interface MailTransport {
  /**
   * Hands one mail over and returns the server's answer. A signal that aborts cuts the connection.
   *
   * @throws MailRefused
   */
  send (mail: Mail, signal: AbortSignal): Promise<string>
}

/** `deferred` may go better later; `bounced` is the server's last word on this mail; `failed` was never fit to be sent. */
export type Refusal = 'deferred' | 'bounced' | 'failed'

/** Why a mail was not handed over. `answer`: what the server or the network said; not yet fit to be kept, see response.ts. */
export class MailRefused extends Error {
  readonly outcome: Refusal
  readonly answer: string
  constructor (outcome: Refusal, answer: string) {
    super(`mail ${outcome}`)
    this.outcome = outcome
    this.answer = answer
  }
}

/** In milliseconds. The whole try is bounded too: a server that sends one byte now and then resets no other clock. */
export interface Timeouts { connection: number, greeting: number, socket: number, whole: number }
const TIMEOUTS: Timeouts = { connection: 10_000, greeting: 15_000, socket: 60_000, whole: 300_000 }

// eslint-disable-next-line no-control-regex
const BREAKS_HEADER = /[\x00-\x08\x0a-\x1f\x7f]/

function checkHeaders (mail: Mail, from: Mailbox): string {
  const address = plainAddress(mail.to.address)
  if (address === undefined) throw new MailRefused('failed', 'the recipient is not exactly one plain mail address')
  for (const value of [mail.id, mail.message_id, mail.subject, mail.to.name, from.name, from.address]) {
    if (BREAKS_HEADER.test(value)) throw new MailRefused('failed', 'a header of the mail would hold a control character')
  }
  return address
}

/** The bytes of the mail, with CRLF. Strings only, so that no text can name a file or a URL to be read. */
async function compose (mail: Mail, from: Mailbox, address: string): Promise<Buffer> {
  const message = new MailComposer({
    from,
    to: { name: mail.to.name, address },
    subject: mail.subject,
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
  return message.build()
}

/** A 5xx to the sender, the recipient or the data is about this mail; one to the connection or the login is about us. */
function refusalOf (error: unknown): MailRefused {
  if (error instanceof MailRefused) return error
  const { responseCode = 0, command = '', response, code, name } = error as Partial<Record<'command' | 'response' | 'code' | 'name', string>> &
    { responseCode?: number }
  const aboutTheMail = responseCode >= 500 && /^(MAIL|RCPT|DATA|API)/.test(command)
  return new MailRefused(aboutTheMail ? 'bounced' : 'deferred', response ?? code ?? name ?? 'the connection failed')
}

/** Sends over SMTP: one connection per mail, so that one slow or broken conversation concerns no other. */
export function smtpTransport (url: string, mail_from: string, timeouts = TIMEOUTS): MailTransport {
  const from = readMailbox(mail_from)
  const target = new URL(url)
  // nodemailer takes options from the URL, and these would write mails to the log
  for (const name of ['logger', 'debug', 'transactionLog']) target.searchParams.delete(name)
  const smtp: Transporter = createTransport({
    url: target.href,
    connectionTimeout: timeouts.connection,
    dnsTimeout: timeouts.connection,
    greetingTimeout: timeouts.greeting,
    socketTimeout: timeouts.socket,
  })
  return {
    async send (mail, signal) {
      try {
        const address = checkHeaders(mail, from)
        const raw = await compose(mail, from, address)
        const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeouts.whole)])
        const sent = await smtp.sendMail({ envelope: { from: from.address, to: [address] }, raw, signal: bounded })
        return sent.response as string
      } catch (error) {
        throw refusalOf(error)
      }
    },
  }
}

/** Keeps each mail as `<id>.eml` in a directory for its owner's eyes; a file that is there is whole. */
export function fileTransport (dir: string, mail_from: string): MailTransport {
  const from = readMailbox(mail_from)
  return {
    async send (mail) {
      try {
        const raw = await compose(mail, from, checkHeaders(mail, from))
        await mkdir(dir, { recursive: true, mode: 0o700 })
        const target = path.join(dir, `${path.basename(mail.id)}.eml`)
        const partial = `${target}.${randomBytes(6).toString('hex')}.tmp`
        const file = await open(partial, 'wx', 0o600)
        try {
          await file.writeFile(raw)
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(partial, target)
        return `kept as ${path.basename(target)}`
      } catch (error) {
        throw refusalOf(error)
      }
    },
  }
}

/** The transport that the configuration names. */
export function mailTransport (config: Pick<Config, 'smtp_url' | 'mail_from' | 'data_dir'>): MailTransport {
  return config.smtp_url === undefined ? fileTransport(path.join(config.data_dir, 'mail'), config.mail_from) : smtpTransport(config.smtp_url, config.mail_from)
}
