import { verify, X509Certificate } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Checking, RawWebhook } from './checkout.js'
import { headerOf, refused } from './signatures.js'

const AHEAD_MS = 300_000 // a repeat explains a great age, and nothing a time that is yet to come
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/

/**
 * That PayPal signed the bytes for a webhook that has one of these ids: `transmission id|time|webhook id|crc32 of the body`, the last in decimal, with the
 * certificate that a header names. Cheap checks come first, as what is fetched is fetched for anybody who posts.
 *
 * @throws Problem signature-invalid
 * @throws Problem unavailable  the certificate could not be fetched
 */
export async function assertSignedByPayPal (webhook: RawWebhook, webhook_ids: readonly string[], checking: Checking): Promise<Date> {
  const header = (name: string): string => headerOf(webhook, `paypal-${name}`)
  const [id, time, signature] = [header('transmission-id'), header('transmission-time'), Buffer.from(header('transmission-sig'), 'base64')]
  if (header('auth-algo') !== 'SHA256withRSA') throw refused('paypal-auth-algo: must be SHA256withRSA')
  if (!/^[\w-]{1,100}$/.test(id)) throw refused('paypal-transmission-id: is not an id')
  const sent_at = timely(time, checking)
  const { publicKey } = trusted(await checking.fetchText(certificateUrl(header('cert-url'), checking.api_url)), checking.now)
  const checksum = crc32(webhook.body)
  const isSigned = webhook_ids.some((webhook_id) => verify('sha256', Buffer.from(`${id}|${time}|${webhook_id}|${checksum}`), publicKey, signature))
  if (!isSigned) throw refused('paypal-transmission-sig: is not PayPal\'s signature over these bytes for the webhook with the id of this source')
  return sent_at
}

function timely (time: string, { now, tolerance_ms }: Checking): Date {
  const sent_at = new Date(time)
  const age_ms = now.getTime() - sent_at.getTime()
  if (!TIME.test(time) || Number.isNaN(age_ms)) throw refused('paypal-transmission-time: must be a time such as 2026-01-31T10:15:00Z')
  if (age_ms > tolerance_ms) throw refused(`paypal-transmission-time: is older than ${tolerance_ms / 3_600_000} hours`)
  if (-age_ms > AHEAD_MS) throw refused('paypal-transmission-time: is in the future; check the clock of this machine')
  return sent_at
}

/** Only what PayPal serves proves that PayPal signed: over TLS, at paypal.com; or below the API that the source was given. */
function certificateUrl (text: string, api_url: string | undefined): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isPayPals = url?.protocol === 'https:' && /^([a-z0-9-]+\.)+paypal\.com$/.test(url.hostname) && url.port === ''
  const isOfApi = url !== undefined && api_url !== undefined && url.origin === new URL(api_url).origin
  if (url === undefined || !(isPayPals || isOfApi) || url.username !== '' || !url.pathname.startsWith('/v1/notifications/certs/')) {
    throw refused('paypal-cert-url: must be https, at paypal.com, below /v1/notifications/certs/')
  }
  return url.href
}

/** The first certificate of the file, which is PayPal's for messages, and valid now. */
function trusted (pem: string, now: Date): X509Certificate {
  const certificate = parsed(pem)
  const name = /^CN=(.+)$/m.exec(certificate.subject)?.[1] ?? ''
  if (!/^([a-z0-9-]+\.)+paypal\.com$/.test(name)) throw refused('paypal-cert-url: the certificate is not of paypal.com')
  if (now < new Date(certificate.validFrom) || now > new Date(certificate.validTo)) throw refused('paypal-cert-url: the certificate is not valid now')
  if (certificate.publicKey.asymmetricKeyType !== 'rsa') throw refused('paypal-cert-url: the certificate has no RSA key')
  return certificate
}

function parsed (pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw refused('paypal-cert-url: holds no certificate')
  }
}
