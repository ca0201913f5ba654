import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { readMoment } from '../orders/to-paid-order.js'
import { parseJson } from '../plugins/json-body.js'
import { checked } from './checked.js'
import type { Checkout, OrderChange, SourceOptions, StoredWebhook } from './checkout.js'
import { Currency, fault, Id, listOf, MaybeText, tiesOf } from './foreign.js'
import { ignored, type Meaning } from './meaning.js'
import { assertSigned, eventKeyOf, fieldsOf, freshMoment, headerOf, hmac } from './signatures.js'
import { amountOf, idOf, intentMeans, invoiceMeans, MaybeMetadata, MaybeReference, sessionMeans } from './stripe-orders.js'

// Stripe signs `t.body` with HMAC-SHA-256, and its key is the whole secret, whsec_ and all. Its libraries bound the age only one way.
const SIGNATURE = 'stripe-signature'
const TOLERANCE_MS = 300_000
const API_VERSION = '2026-10-28.endive' // whose answers the look-ups were written for

const Amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Envelope = Compile(Type.Object({
  type: Type.String({ minLength: 1, maxLength: 255 }),
  created: Type.Integer({ minimum: 0, maximum: 253_402_300_799 }),
  livemode: Type.Boolean(),
  data: Type.Object({ object: Type.Object({}) }),
}))
const Unpaid = Compile(Type.Object({ id: Id, payment_intent: MaybeReference, metadata: MaybeMetadata }))
const Charge = Compile(Type.Object({ id: Id, payment_intent: MaybeReference, currency: Currency, amount_refunded: Amount, refunded: Type.Boolean() }))
const Refund = Compile(Type.Object({
  id: Id, payment_intent: MaybeReference, charge: MaybeReference, currency: Currency, amount: Amount, status: MaybeText, metadata: MaybeMetadata,
}))
const Dispute = Compile(Type.Object({
  id: Id, payment_intent: MaybeReference, charge: MaybeReference, currency: Currency, amount: Amount, status: Type.String(),
}))

type Read = (object: unknown, told: Pick<StoredWebhook, 'answers'> & { options: SourceOptions }) => Meaning

/** What each type of event says; of all others there is nothing to do. */
const EVENTS: Readonly<Record<string, Read>> = {
  'checkout.session.completed': sessionMeans,
  'checkout.session.async_payment_succeeded': sessionMeans,
  'checkout.session.async_payment_failed': failedPayment,
  'checkout.session.expired': failedPayment,
  'payment_intent.succeeded': intentMeans,
  'payment_intent.canceled': failedPayment,
  'invoice.paid': invoiceMeans,
  'charge.refunded': refundedCharge,
  'refund.created': refund,
  'refund.updated': refund,
  'refund.failed': refund,
  'charge.refund.updated': refund,
  'charge.dispute.created': (object) => dispute('disputed', object),
  'charge.dispute.closed': closedDispute,
  'charge.dispute.funds_reinstated': (object) => dispute('dispute_won', object),
}

export const stripe: Checkout = {
  secret: { pattern: /^whsec_[\x21-\x7e]{16,200}$/, form: 'the signing secret of the webhook endpoint, whsec_…, as Stripe shows it' },
  tolerance_ms: TOLERANCE_MS,
  api: { url: 'https://api.stripe.com', headers: (key) => ({ authorization: `Bearer ${key}`, 'stripe-version': API_VERSION }) },

  verify (webhook, secrets, checking) {
    const fields = fieldsOf(headerOf(webhook, SIGNATURE), ',')
    const time = fields.get('t')?.[0]
    const sent_at = freshMoment(SIGNATURE, time, checking)
    assertSigned(SIGNATURE, fields.get('v1') ?? [], secrets.map((secret) => hmac(secret, [`${time}.`, webhook.body], 'hex')))
    return { event_key: eventKeyOf(webhook.body, 'id'), sent_at }
  },

  translate ({ body, answers }, options) {
    const { type, created, livemode, data } = checked(Envelope, parseJson(body))
    const read = Object.hasOwn(EVENTS, type) ? EVENTS[type] : undefined
    const frame = { type, occurred_at: readMoment('created', new Date(created * 1000).toISOString()), mode: livemode ? 'live' as const : 'test' as const }
    return { ...frame, ...(read === undefined ? ignored(`type: an event "${type.slice(0, 100)}" changes nothing here`) : read(data.object, { answers, options })) }
  },
}

/** The payment that a later event is about, or its charge. */
function ref (...names: Array<string | { id: string } | null | undefined>): string {
  const name = names.map(idOf).find((one) => one !== undefined)
  if (name === undefined) throw fault('data.object.payment_intent', 'is needed, or a charge: there is no telling which order this is of')
  return name
}

/** Of a session or a payment that will not be paid any more. */
function failedPayment (object: unknown): Meaning {
  const { id, payment_intent, metadata } = checked(Unpaid, object, 'data.object')
  return { kind: 'payment_failed', change: () => ({ ref: ref(payment_intent, String(id)), subject: '', hold_id: tiesOf(metadata ?? {}).hold_id }) }
}

/** All that was refunded of a charge so far: of several refunds the sum. */
function refundedCharge (object: unknown): Meaning {
  const { id, payment_intent, currency, amount_refunded, refunded } = checked(Charge, object, 'data.object')
  const amount = amountOf(currency, amount_refunded)
  return { kind: 'refunded', change: () => ({ ref: ref(payment_intent, String(id)), subject: String(id), amount, is_cumulative: true, is_full: refunded }) }
}

/** One refund. A pending one counts, as Stripe counts it in the charge; should it fail, that undoes it. */
function refund (object: unknown): Meaning {
  const { id, payment_intent, charge, currency, amount, status, metadata } = checked(Refund, object, 'data.object')
  if (status === 'requires_action') return ignored('data.object.status: the customer has to say first where the money goes')
  const change = (): OrderChange => ({
    ref: ref(payment_intent, charge),
    subject: String(id),
    amount: amountOf(currency, amount),
    lines: listOf('data.object.metadata.latchkey_lines', metadata?.['latchkey_lines'])?.map(({ name, quantity }) => ({ external_id: name, quantity })),
  })
  return { kind: status === 'failed' || status === 'canceled' ? 'refund_failed' : 'refunded', change }
}

function closedDispute (object: unknown): Meaning {
  const { status } = checked(Dispute, object, 'data.object')
  if (status === 'lost') return dispute('dispute_lost', object)
  if (['won', 'warning_closed', 'prevented'].includes(status)) return dispute('dispute_won', object)
  return ignored(`data.object.status: "${status.slice(0, 100)}" is no end of a dispute`)
}

function dispute (kind: 'disputed' | 'dispute_won' | 'dispute_lost', object: unknown): Meaning {
  const { id, payment_intent, charge, currency, amount } = checked(Dispute, object, 'data.object')
  return { kind, change: () => ({ ref: ref(payment_intent, charge), subject: String(id), amount: amountOf(currency, amount) }) }
}
