import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { SignedOrder } from '../orders/schema.js'
import { readMoment } from '../orders/to-paid-order.js'
import { parseJson } from '../plugins/json-body.js'
import { Problem } from '../problems.js'
import { checked } from './checked.js'
import type { Checkout } from './checkout.js'

// Standard Webhooks 1.0.0: signed are `id.timestamp.body`, with HMAC-SHA-256 and the bytes after `whsec_`; an age of up to
// five minutes either way is what its libraries accept.
const TOLERANCE_MS = 300_000
const SECRET_BYTES = 32
const ID = /^[\x21-\x7e]{1,255}$/

const Envelope = Compile(Type.Object({ type: Type.String({ minLength: 1, maxLength: 255 }), timestamp: Type.Optional(Type.String({ format: 'date-time' })), data: Type.Optional(Type.Unknown()) }))
const PaidData = Compile(SignedOrder)

export const standardWebhooks: Checkout = {
  newSecret: () => `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`,

  verify ({ headers, body }, secrets, now) {
    const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headers[name])
    if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string') throw refused('send the headers webhook-id, webhook-timestamp and webhook-signature')
    if (!ID.test(id)) throw refused('webhook-id: must be 1 to 255 visible ASCII characters')
    if (!/^\d{1,12}$/.test(timestamp)) throw refused('webhook-timestamp: must be seconds since 1970')
    const sent_at = new Date(Number(timestamp) * 1000)
    if (!(Math.abs(now.getTime() - sent_at.getTime()) <= TOLERANCE_MS)) throw refused('webhook-timestamp: must be within five minutes of now; check the clock of the sender')
    const given = signature.split(' ').filter((part) => part.startsWith('v1,')).map((part) => digest(part.slice(3)))
    const made = secrets.map((secret) => digest(createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
      .update(`${id}.${timestamp}.`).update(body).digest('base64')))
    if (!made.some((one) => given.some((other) => timingSafeEqual(one, other)))) throw refused('webhook-signature: none of its signatures is made with a secret of this source over these bytes')
    return { event_key: id, sent_at }
  },

  translate (body, { sent_at }) {
    const { type, timestamp, data } = checked(Envelope, parseJson(body))
    const occurred_at = timestamp === undefined ? sent_at.toISOString() : readMoment('timestamp', timestamp)
    if (type !== 'order.paid') return { kind: 'ignored', type, occurred_at, reason: `type: an event "${type.slice(0, 100)}" changes nothing here` }
    return { kind: 'paid', type, occurred_at, order: () => checked(PaidData, data, 'data') }
  },
}

/** Both sides are hashed first: of equal length whatever was sent, so that neither the comparison throws nor its time tells. */
function digest (signature: string): Buffer {
  return createHash('sha256').update(signature).digest()
}

function refused (detail: string): Problem {
  return new Problem('signature-invalid', { detail, errors: [detail] })
}
