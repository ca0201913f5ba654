import { createHmac, createPublicKey, randomBytes, verify as verifyEd25519 } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { MODES, SignedOrder } from '../orders/schema.js'
import type { FactKind } from '../orders/standing.js'
import { readMoment } from '../orders/to-paid-order.js'
import { parseJson } from '../plugins/json-body.js'
import { checked } from './checked.js'
import type { Checkout, OrderChange } from './checkout.js'
import { assertSigned, freshMoment, headerOf, refused } from './signatures.js'

// Standard Webhooks 1.0.0: signed are `id.timestamp.body`; v1 with HMAC-SHA-256 and the bytes after `whsec_`, v1a with Ed25519 and the
// public key after `whpk_`. An age of up to five minutes either way is what its libraries accept.
const TOLERANCE_MS = 300_000
const SECRET_BYTES = 32
const ID = /^[\x21-\x7e]{1,255}$/
const SECRET = /^(whsec_([A-Za-z0-9+/]{4}){8,21}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?|whpk_[A-Za-z0-9+/]{43}=)$/

/** Our own vocabulary: what an event may say of an order. */
const CHANGES: Readonly<Record<string, Exclude<FactKind, 'paid'>>> = {
  'order.payment_failed': 'payment_failed',
  'order.cancelled': 'cancelled',
  'order.refunded': 'refunded',
  'order.refund_failed': 'refund_failed',
  'dispute.opened': 'disputed',
  'dispute.won': 'dispute_won',
  'dispute.lost': 'dispute_lost',
}

const name = Type.String({ minLength: 1, maxLength: 255 })
const amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Envelope = Compile(Type.Object({ type: name, timestamp: Type.Optional(Type.String({ format: 'date-time' })), data: Type.Optional(Type.Unknown()) }))
const PaidData = Compile(Type.Object({
  ...SignedOrder.properties,
  total_amount: Type.Optional(amount),
  refs: Type.Optional(Type.Array(name, { maxItems: 20 })),
  same_as: Type.Optional(Type.Object({ source_id: name, external_id: name })),
}))
const RefundedLine = Type.Object({ external_id: name, quantity: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })) })
const ChangeShape = Type.Object({
  external_id: name,
  mode: SignedOrder.properties.mode,
  refund_id: Type.Optional(name),
  dispute_id: Type.Optional(name),
  hold_id: Type.Optional(name),
  amount: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
  line_items: Type.Optional(Type.Array(RefundedLine, { minItems: 1, maxItems: 100 })),
})
const ChangeData = Compile(ChangeShape)
const RefundFailedData = Compile(Type.Object({ ...ChangeShape.properties, refund_id: name }))

export const standardWebhooks: Checkout = {
  secret: {
    make: () => `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`,
    pattern: SECRET,
    form: '24 to 64 bytes in base64 after whsec_, or an Ed25519 public key in base64 after whpk_',
  },
  tolerance_ms: TOLERANCE_MS,

  verify (webhook, secrets, checking) {
    const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((header) => headerOf(webhook, header)) as [string, string, string]
    if (!ID.test(id)) throw refused('webhook-id: must be 1 to 255 visible ASCII characters')
    const sent_at = freshMoment('webhook-timestamp', timestamp, checking)
    const given = signature.split(' ')
    const signed = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), webhook.body])
    if (!secrets.some((secret) => isSignedBy(secret, given, signed))) assertSigned('webhook-signature', given, secrets.flatMap((secret) => signatureOf(secret, signed)))
    return { event_key: id, sent_at, context: { id } }
  },

  translate ({ body, sent_at, context }) {
    const { type, timestamp, data } = checked(Envelope, parseJson(body))
    const occurred_at = timestamp === undefined ? sent_at.toISOString() : readMoment('timestamp', timestamp)
    const said = { type, occurred_at, mode: modeOf(data) }
    if (type === 'order.paid') return { ...said, kind: 'paid', order: () => checked(PaidData, data, 'data') }
    const kind = Object.hasOwn(CHANGES, type) ? CHANGES[type] : undefined
    if (kind === undefined) return { ...said, kind: 'ignored', reason: `type: an event "${type.slice(0, 100)}" changes nothing here` }
    return { ...said, kind, change: () => changeOf(kind, checked(kind === 'refund_failed' ? RefundFailedData : ChangeData, data, 'data'), context['id'] ?? '') }
  },
}

/** The v1 signature that the secret makes, as a list; none of a public key. */
function signatureOf (secret: string, signed: Buffer): string[] {
  if (!secret.startsWith('whsec_')) return []
  return [`v1,${createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64')).update(signed).digest('base64')}`]
}

/** Whether one of the v1a signatures is made with the private half of the secret, a public key. */
function isSignedBy (secret: string, given: readonly string[], signed: Buffer): boolean {
  if (!secret.startsWith('whpk_')) return false
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(secret.slice('whpk_'.length), 'base64').toString('base64url') } })
  return given.some((part) => part.startsWith('v1a,') && verifyEd25519(null, signed, key, Buffer.from(part.slice('v1a,'.length), 'base64')))
}

/** What the data says of the mode, if it says one; a word that is none is refused when the data is read. */
function modeOf (data: unknown): 'live' | 'test' | undefined {
  const mode = typeof data === 'object' && data !== null && 'mode' in data ? data.mode : undefined
  return MODES.find((known) => known === mode)
}

/** `webhook_id` stands for the id of a refund that has none. A refund that names neither lines nor an amount is of the whole order. */
function changeOf (kind: Exclude<FactKind, 'paid'>, data: Static<typeof ChangeShape>, webhook_id: string): OrderChange {
  const { external_id: ref, refund_id, dispute_id, hold_id, amount, line_items: lines } = data
  if (kind === 'refunded') return { ref, subject: refund_id ?? webhook_id, amount, lines, is_full: amount === undefined && lines === undefined }
  if (kind === 'payment_failed') return { ref, subject: '', amount, hold_id }
  if (kind === 'refund_failed') return { ref, subject: refund_id ?? '' }
  return { ref, subject: kind.startsWith('dispute') ? dispute_id ?? '' : '', amount }
}
