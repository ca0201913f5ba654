import { createHash, randomBytes } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { readMoment } from '../orders/to-paid-order.js'
import { parseJson } from '../plugins/json-body.js'
import { checked } from './checked.js'
import type { Checkout, Fact, OrderChange, RawWebhook, TranslatedOrder } from './checkout.js'
import { Currency, customerOf, factsOf, fault, Id, localeOf, MaybeId, MaybeText, namesOf, peek, Quantity, texts, tiesOf } from './foreign.js'
import { minorUnits } from './minor-units.js'
import { assertSigned, headerOf, hmac } from './signatures.js'

// Signed is the raw body, in base64; no time. Every webhook of an order is the whole order as it is when it is sent, which may be later than what it is
// sent for, and it is sent once: so a body is taken for all that it says.

const Order = Type.Object({
  id: Id,
  status: Type.String(),
  currency: Currency,
  total: Type.String(),
  ...texts('date_modified_gmt', 'date_paid_gmt'),
  billing: Type.Object(texts('first_name', 'last_name', 'company', 'email', 'phone', 'country', 'city', 'postcode', 'address_1')),
  line_items: Type.Array(Type.Object({ id: Id, sku: MaybeText, variation_id: MaybeId, product_id: MaybeId, quantity: Quantity, subtotal: MaybeText })),
  refunds: Type.Optional(Type.Array(Type.Object({ id: Id, total: Type.String() }))),
  meta_data: Type.Optional(Type.Array(Type.Object({ key: Type.String(), value: Type.Unknown() }))),
})
const OrderBody = Compile(Order)

export const woocommerce: Checkout = {
  secret: {
    make: () => randomBytes(24).toString('base64url'), // without a character that WordPress would write as an entity
    pattern: /^\P{Cc}{8,255}$/u,
    form: 'the secret of the webhook, of 8 to 255 characters',
  },

  isPing ({ headers, body }) {
    return headers['x-wc-webhook-signature'] === undefined && /^webhook_id=\d+$/.test(body.toString('latin1').trim())
  },

  verify (webhook, secrets, { now }) {
    const signature = headerOf(webhook, 'x-wc-webhook-signature')
    assertSigned('x-wc-webhook-signature', [signature], secrets.map((secret) => hmac(decoded(secret), [webhook.body], 'base64')))
    const topic = headerOf(webhook, 'x-wc-webhook-topic')
    return { event_key: eventKey(webhook, topic), sent_at: now, context: { topic } }
  },

  translate ({ body, sent_at, context }) {
    const type = context['topic'] ?? ''
    const modified = peek(body)['date_modified_gmt']
    const said = { type, occurred_at: typeof modified === 'string' ? momentOf('date_modified_gmt', modified) : sent_at.toISOString() }
    if (type === 'order.deleted') return { ...said, kind: 'ignored', reason: 'topic: an order put into the bin is neither refunded nor cancelled' }
    if (!/^order\.(created|updated|restored)$/.test(type)) return { ...said, kind: 'ignored', reason: `topic: "${type.slice(0, 100)}" changes nothing here` }
    return factsOf(said, () => saidBy(checked(OrderBody, parseJson(body)), said))
  },
}

/** The entities that WordPress undoes before it signs (wp_specialchars_decode with both quotes), and no others, as a general decoder would. One pass. */
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', 38: '&', 60: '<', 62: '>', 34: '"', 39: '\'', x26: '&', x22: '"', x27: '\'' }

function decoded (secret: string): string {
  return secret.replace(/&(amp|lt|gt|quot|#0*(?:38|60|62|34|39)|#x0*(?:26|22|27));/gi, (entity, name: string) =>
    ENTITIES[name.toLowerCase().replace(/^#(x?)0*/, '$1')] ?? entity)
}

/**
 * The state of the order that it tells of. Not the delivery id: it is made of the webhook's id and the second, and two orders of one second share it.
 * Refunds are part of it, as several may come within the second that `date_modified` counts.
 */
function eventKey ({ body }: RawWebhook, topic: string): string {
  const { id, date_modified_gmt, status, total, refunds } = peek(body)
  const stated = id === undefined ? body : JSON.stringify([topic === 'order.deleted', id, date_modified_gmt, status, total, refunds])
  return createHash('sha256').update(stated).digest('hex')
}

/** GMT without saying so. */
function momentOf (field: string, text: string): string {
  return readMoment(field, /(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`)
}

type Said = Pick<Fact, 'type' | 'occurred_at'>

function saidBy (order: Static<typeof Order>, said: Said): Fact | Fact[] {
  const ref = String(order.id)
  const change = (more: Partial<OrderChange> = {}) => () => ({ ref, subject: '', ...more })
  const is_paid = Boolean(order.date_paid_gmt)
  const { hold_id } = tiesOf(metaOf(order))
  switch (order.status) {
    case 'processing':
    case 'completed': {
      if (!is_paid) return { ...said, kind: 'ignored', reason: 'date_paid_gmt: is empty, it is not paid yet' }
      const amount = refundedOf(order)
      const paid: Fact = { ...said, kind: 'paid', order: () => orderOf(order) } // said when it was changed: later than a cancellation that was undone
      return amount === 0 ? paid : [{ ...said, kind: 'refunded', change: change({ amount, is_cumulative: true }) }, paid]
    }
    case 'refunded': return { ...said, kind: 'refunded', change: change({ is_full: true }) }
    // never paid, it ends a purchase that did not come to be: shops cancel such orders by themselves
    case 'cancelled': return is_paid ? { ...said, kind: 'cancelled', change: change() } : { ...said, kind: 'payment_failed', change: change({ hold_id }) }
    case 'failed': return { ...said, kind: 'payment_failed', change: change({ hold_id }) }
    default: return { ...said, kind: 'ignored', reason: `status: "${order.status.slice(0, 100)}" is neither paid nor over` }
  }
}

/** All that was refunded so far, in minor units: the body has the amounts, and not which lines they are for. */
function refundedOf ({ refunds = [], currency }: Static<typeof Order>): number {
  return refunds.reduce((sum, { total }, index) => sum + Math.abs(minorUnits(`refunds.${index}.total`, total, currency.toUpperCase())), 0)
}

function metaOf ({ meta_data = [] }: Static<typeof Order>): Record<string, unknown> {
  return Object.fromEntries(meta_data.map(({ key, value }) => [key, value]))
}

function orderOf (order: Static<typeof Order>): TranslatedOrder {
  const currency = order.currency.toUpperCase()
  const { email, first_name, last_name, company, phone, country, city, postcode, address_1 } = order.billing
  const meta = metaOf(order)
  if (order.line_items.length === 0) throw fault('line_items', 'is empty')
  return {
    external_id: String(order.id),
    currency,
    locale: localeOf(typeof meta['latchkey_locale'] === 'string' ? meta['latchkey_locale'] : undefined),
    total_amount: minorUnits('total', order.total, currency),
    paid_at: momentOf('date_paid_gmt', order.date_paid_gmt ?? ''),
    ...tiesOf(meta),
    customer: customerOf('billing.email', email, { first_name, last_name, company, phone, country, city, zip: postcode, address: address_1 }),
    line_items: order.line_items.map(({ id, sku, variation_id, product_id, quantity, subtotal }, index) => ({
      external_id: String(id),
      product: namesOf(sku, variation_id, product_id),
      quantity,
      unit_amount: subtotal ? Math.round(minorUnits(`line_items.${index}.subtotal`, subtotal, currency) / quantity) : undefined,
    })),
  }
}
