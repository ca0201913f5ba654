import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { Problem } from '../problems.js'
import type { Checking, RawWebhook } from './checkout.js'

/** The refusal of a webhook that is not proven to come from the checkout. Never with a signature in it. */
export function refused (detail: string): Problem {
  return new Problem('signature-invalid', { detail, errors: [detail] })
}

/**
 * The value of a header that has to be there once.
 *
 * @throws Problem signature-invalid
 */
export function headerOf ({ headers }: Pick<RawWebhook, 'headers'>, name: string): string {
  const value = headers[name]
  if (typeof value !== 'string' || value === '') throw refused(`${name}: send this header`)
  return value
}

/** What a header such as `t=1767225600,v1=…,v1=…` holds, by name; a name may come several times. */
export function fieldsOf (header: string, separator: ',' | ';'): Map<string, string[]> {
  const fields = new Map<string, string[]>()
  for (const part of header.split(separator)) {
    const at = part.indexOf('=')
    const name = part.slice(0, Math.max(at, 0)).trim()
    fields.set(name, [...fields.get(name) ?? [], part.slice(at + 1).trim()])
  }
  return fields
}

/** The id that the event's own JSON has as this member; of a body without one a digest of its bytes, which a repeat has too. */
export function eventKeyOf (body: Buffer, member: string): string {
  const id = memberOf(body, member)
  return typeof id === 'string' && /^[\x21-\x7e]{1,255}$/.test(id) ? id : createHash('sha256').update(body).digest('hex')
}

function memberOf (body: Buffer, member: string): unknown {
  try {
    return (JSON.parse(body.toString()) as Record<string, unknown> | null)?.[member]
  } catch {
    return undefined // it is kept, and translate says what is wrong with it
  }
}

/** The HMAC-SHA-256 of the parts, one after the other, keyed with the text or bytes. */
export function hmac (key: string | Buffer, parts: ReadonlyArray<string | Buffer>, encoding: 'hex' | 'base64'): string {
  const made = createHmac('sha256', key)
  for (const part of parts) made.update(part)
  return made.digest(encoding)
}

/** Both sides are hashed first: of equal length whatever was sent, so that neither the comparison throws nor its time tells. */
function digest (signature: string): Buffer {
  return createHash('sha256').update(signature).digest()
}

/**
 * That one of the signatures given is one of those made, in constant time each. `header`: where they were given.
 *
 * @throws Problem signature-invalid
 */
export function assertSigned (header: string, given: readonly string[], made: readonly string[]): void {
  const theirs = given.map(digest)
  if (made.map(digest).some((one) => theirs.some((other) => timingSafeEqual(one, other)))) return
  throw refused(`${header}: holds no signature that is made with a secret of this source over these bytes`)
}

/**
 * The moment that a checkout signed, in seconds since 1970, neither too old nor too far in the future.
 *
 * @throws Problem signature-invalid
 */
export function freshMoment (header: string, seconds: string | undefined, { now, tolerance_ms }: Pick<Checking, 'now' | 'tolerance_ms'>): Date {
  if (!/^\d{1,12}$/.test(seconds ?? '')) throw refused(`${header}: must say when it was signed, in seconds since 1970`)
  const sent_at = new Date(Number(seconds) * 1000)
  if (Math.abs(now.getTime() - sent_at.getTime()) <= tolerance_ms) return sent_at
  throw refused(`${header}: must be signed within ${tolerance_ms / 1000} seconds of now; check the clock of this machine`)
}
