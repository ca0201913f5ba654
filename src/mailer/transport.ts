import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import path from 'node:path'
import type { Config } from '../config.js'
import { readMailbox } from './address.js'
import { checkPrivateKey, compose, type House, type Mail } from './compose.js'
import { pacer } from './pace.js'
import { refusalOf } from './refusal.js'
import { smtpPool, TIMEOUTS } from './smtp-pool.js'

export type { DkimKey, Mail } from './compose.js'
export { MailRefused, type Refusal } from './refusal.js'
export type { Timeouts } from './smtp-line.js'

/** Where mails go. */
export interface MailTransport {
  /**
   * Hands one mail over and returns the server's answer. A signal that aborts cuts the connection.
   *
   * @throws MailRefused
   */
  send (mail: Mail, signal: AbortSignal): Promise<string>
  /** Gives back what it holds open. */
  close? (): void
}

export type MailSettings = Pick<Config,
  'mail_from' | 'smtp_tls' | 'smtp_tls_ca_file' | 'smtp_connections_max' | 'mail_rate_per_second' | 'dkim' | 'bounce_address'>

/** What the environment says of every mail. @throws Error  MAIL_FROM is no mail address, or the key cannot be read */
function houseOf ({ mail_from, dkim }: Pick<MailSettings, 'mail_from' | 'dkim'>): House {
  return { from: readMailbox(mail_from), dkim: dkim && { ...dkim, private_key: checkPrivateKey(readFileSync(dkim.private_key_file, 'utf8')) } }
}

/** `bounces+DE-1a20…@example.com`: a report that comes there names the delivery, whatever else it lost (VERP). */
export function bounceAddressFor (bounce_address: string, id: string): string {
  const at = bounce_address.lastIndexOf('@')
  return `${bounce_address.slice(0, at)}+${id}${bounce_address.slice(at)}`
}

/** Sends over SMTP. A slow or broken conversation concerns no other mail. @throws Error  a setting is none */
export function smtpTransport (url: string, settings: MailSettings, timeouts = TIMEOUTS): MailTransport {
  const house = houseOf(settings)
  const back = settings.bounce_address === undefined ? undefined : readMailbox(settings.bounce_address).address
  const pool = smtpPool(url, settings, timeouts)
  const turn = pacer(settings.mail_rate_per_second)
  return {
    async send (mail, signal) {
      try {
        const { from, to, raw } = await compose(mail, house)
        await turn(signal)
        return await pool.send({ from: back === undefined ? from : bounceAddressFor(back, mail.id), to }, raw, signal)
      } catch (error) {
        throw refusalOf(error)
      }
    },
    close: () => { pool.close() },
  }
}

/** Keeps each mail as `<id>.eml` in a directory for its owner's eyes; a file that is there is whole. Of copies it keeps none: the file is one. */
export function fileTransport (dir: string, settings: Pick<MailSettings, 'mail_from' | 'dkim'>): MailTransport {
  const house = houseOf(settings)
  return {
    async send (mail) {
      if (mail.copy_to !== undefined) return 'a copy is not kept'
      try {
        const { raw } = await compose(mail, house)
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
export function mailTransport (config: MailSettings & Pick<Config, 'smtp_url' | 'data_dir'>): MailTransport {
  return config.smtp_url === undefined ? fileTransport(path.join(config.data_dir, 'mail'), config) : smtpTransport(config.smtp_url, config)
}
