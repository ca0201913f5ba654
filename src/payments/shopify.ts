import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { readMoment } from '../orders/to-paid-order.js'
import { parseJson } from '../plugins/json-body.js'
import { Nullable } from '../plugins/schema.js'
import { checked } from './checked.js'
import type { Checkout, Fact, OrderChange, RawWebhook, TranslatedOrder } from './checkout.js'
import { Currency, customerOf, factsOf, fault, Id, localeOf, MaybeId, MaybeText, namesOf, peek, Quantity, texts, tiesOf } from './foreign.js'
import { minorUnits } from './minor-units.js'
import { assertSigned, headerOf, hmac, refused } from './signatures.js'

// Signed is the raw body, in base64, with the client secret of the app; no time. The topic is in a header, which nothing signs: hence what a body
// says of itself is looked at too. Shopify's newer kind of webhooks has the same headers without `X-`.

const Address = Nullable(Type.Object(texts('first_name', 'last_name', 'company', 'phone', 'country_code', 'city', 'zip', 'address1')))
const Line = Type.Object({
  id: Id,
  sku: MaybeText,
  variant_id: MaybeId,
  product_id: MaybeId,
  quantity: Type.Integer({ minimum: 0, maximum: 10_000 }),
  current_quantity: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000 })),
  price: Type.Optional(Type.String()),
})
const Refund = Type.Object({
  id: Id,
  created_at: MaybeText,
  refund_line_items: Type.Optional(Type.Array(Type.Object({ line_item_id: Id, quantity: Quantity }))),
  transactions: Type.Optional(Type.Array(Type.Object({
    kind: Type.String(), status: Type.String(), amount: Type.String(), currency: Type.Optional(Currency),
  }))),
})
const Order = Type.Object({
  id: Id,
  currency: Currency,
  financial_status: MaybeText,
  total_price: Type.String(),
  ...texts('email', 'contact_email', 'phone', 'customer_locale'),
  customer: Type.Optional(Nullable(Type.Object(texts('first_name', 'last_name')))),
  billing_address: Type.Optional(Address),
  note_attributes: Type.Optional(Type.Array(Type.Object({ name: Type.String(), value: Type.Unknown() }))),
  line_items: Type.Array(Line),
  refunds: Type.Optional(Type.Array(Refund)),
})
const OrderBody = Compile(Order)
const CancelledBody = Compile(Type.Object({ id: Id }))
const RefundBody = Compile(Type.Object({ ...Refund.properties, order_id: Id }))
const Dispute = Type.Object({ id: Id, order_id: Id, status: Type.String(), amount: Type.String(), currency: Currency })
const DisputeBody = Compile(Dispute)

/** How a dispute stands by its status. `charge_refunded`: the merchant gave the money back, which a refund says by itself. */
const DISPUTES: Readonly<Record<string, 'disputed' | 'dispute_won' | 'dispute_lost'>> = {
  needs_response: 'disputed', under_review: 'disputed', won: 'dispute_won', charge_refunded: 'dispute_won', lost: 'dispute_lost', accepted: 'dispute_lost',
}
/** What `financial_status` says of an order whose money came. */
const PAID = ['paid', 'partially_refunded', 'refunded']

export const shopify: Checkout = {
  secret: { pattern: /^[\x21-\x7e]{16,255}$/, form: 'the client secret of the app, or the secret that the shop\'s webhook settings show' },

  verify (webhook, secrets, { now }) {
    const family = webhook.headers['shopify-hmac-sha256'] === undefined ? 'x-shopify-' : 'shopify-'
    const signature = headerOf(webhook, `${family}hmac-sha256`)
    assertSigned(`${family}hmac-sha256`, [signature], secrets.map((secret) => hmac(secret, [webhook.body], 'base64')))
    const topic = headerOf(webhook, `${family}topic`)
    const triggered_at = new Date(String(webhook.headers[`${family}triggered-at`] ?? ''))
    const sent_at = triggered_at.getTime() > 0 ? triggered_at : now
    return { event_key: eventKey(webhook, family, topic), sent_at, context: { topic } }
  },

  translate ({ body, sent_at, context }) {
    const topic = context['topic'] ?? ''
    const said = { type: topic, occurred_at: sent_at.toISOString() }
    return factsOf(said, () => {
      switch (topic) {
        case 'orders/paid': return paid({ ...said, mode: modeOf(peek(body)['test']) }, checked(OrderBody, parseJson(body)))
        case 'orders/cancelled': {
          const { id } = checked(CancelledBody, parseJson(body))
          return { ...said, mode: modeOf(peek(body)['test']), kind: 'cancelled', change: () => ({ ref: String(id), subject: '' }) }
        }
        case 'refunds/create': {
          const refund = checked(RefundBody, parseJson(body))
          return refunded(said, String(refund.order_id), refund)
        }
        case 'disputes/create':
        case 'disputes/update': return disputed(said, checked(DisputeBody, parseJson(body)))
        default: return { ...said, kind: 'ignored', reason: `topic: "${topic.slice(0, 100)}" changes nothing here` }
      }
    })
  },
}

type Said = Pick<Fact, 'type' | 'occurred_at' | 'mode'>

/**
 * The event, its topic and what it is about: one doing of a merchant (a cancellation with its refund) has one event id under several topics, and two
 * subscriptions to one topic tell it twice. Older versions have no event id: the webhook id is the same when it is sent again.
 */
function eventKey ({ headers, body }: RawWebhook, family: string, topic: string): string {
  const event = headers[`${family}event-id`] ?? headers[`${family}webhook-id`]
  const key = `${String(event)}/${topic}/${String(peek(body)['id'])}`
  if (typeof event === 'string' && /^[\x20-\x7e]{1,255}$/.test(key)) return key
  throw refused(`${family}event-id: send this header, or ${family}webhook-id`)
}

function modeOf (test: unknown): 'live' | 'test' | undefined {
  return typeof test === 'boolean' ? (test ? 'test' : 'live') : undefined
}

/** The order, after what was refunded of it before it was paid: its lines count the units that those refunds end. */
function paid (said: Said, order: Static<typeof Order>): Fact | Fact[] {
  const status = order.financial_status ?? 'paid'
  if (!PAID.includes(status)) return { ...said, kind: 'ignored', reason: `financial_status: is "${status.slice(0, 100)}", not paid` }
  const refunds = (order.refunds ?? []).map((refund) => refunded(said, String(order.id), refund, order.currency))
  return [...refunds, { ...said, kind: 'paid', order: () => orderOf(order) }]
}

function orderOf (order: Static<typeof Order>): TranslatedOrder {
  const currency = order.currency.toUpperCase()
  const { customer, billing_address: billing } = order
  return {
    external_id: String(order.id),
    currency,
    locale: localeOf(order.customer_locale),
    total_amount: minorUnits('total_price', order.total_price, currency),
    ...tiesOf(Object.fromEntries((order.note_attributes ?? []).map(({ name, value }) => [name, value]))),
    customer: customerOf('email', order.email || order.contact_email, {
      first_name: customer?.first_name ?? billing?.first_name,
      last_name: customer?.last_name ?? billing?.last_name,
      company: billing?.company,
      phone: order.phone ?? billing?.phone,
      country: billing?.country_code,
      city: billing?.city,
      zip: billing?.zip,
      address: billing?.address1,
    }),
    line_items: linesOf(order, currency),
  }
}

/**
 * The lines with units that were paid: what is left of each (less what an edit of the order took away), and what refunds took, which are facts of
 * their own.
 */
function linesOf ({ line_items, refunds = [] }: Static<typeof Order>, currency: string): TranslatedOrder['line_items'] {
  const taken = refunds.flatMap(({ refund_line_items = [] }) => refund_line_items)
  const lines = line_items.map(({ id, sku, variant_id, product_id, quantity, current_quantity = quantity, price }, index) => {
    const returned = taken.filter(({ line_item_id }) => String(line_item_id) === String(id)).reduce((sum, line) => sum + line.quantity, 0)
    return {
      external_id: String(id),
      product: namesOf(sku, variant_id, product_id),
      quantity: Math.min(quantity, current_quantity + returned),
      unit_amount: price === undefined ? undefined : minorUnits(`line_items.${index}.price`, price, currency),
    }
  }).filter((line) => line.quantity > 0)
  if (lines.length === 0) throw fault('line_items', 'no line has a unit left')
  return lines
}

/** A refund of lines, or of an amount: what Shopify gave back by the time it says so. One that no bank carried out is no refund. */
function refunded (said: Said, ref: string, refund: Static<typeof Refund>, currency?: string): Fact {
  const subject = String(refund.id)
  const occurred_at = refund.created_at ? readMoment('created_at', refund.created_at) : said.occurred_at
  const payments = (refund.transactions ?? []).filter(({ kind }) => kind === 'refund')
  if (payments.length > 0 && payments.every(({ status }) => status === 'failure' || status === 'error')) {
    return { ...said, occurred_at, kind: 'refund_failed', change: () => ({ ref, subject }) }
  }
  const lines = (refund.refund_line_items ?? []).map(({ line_item_id, quantity }) => ({ external_id: String(line_item_id), quantity }))
  const given = payments.filter(({ status }) => status === 'success' || status === 'pending')
  if (lines.length === 0 && given.length === 0) return { ...said, kind: 'ignored', reason: 'refund_line_items: is empty, and no money was given back' }
  const change = (): OrderChange => {
    const amount = given.reduce((sum, payment) => sum + minorUnits('transactions.amount', payment.amount, (payment.currency ?? currency ?? '').toUpperCase()), 0)
    return { ref, subject, ...(amount === 0 ? {} : { amount }), ...(lines.length === 0 ? {} : { lines }) }
  }
  return { ...said, occurred_at, kind: 'refunded', change }
}

function disputed (said: Said, { id, order_id, status, amount, currency }: Static<typeof Dispute>): Fact {
  const kind = DISPUTES[status]
  if (kind === undefined) throw fault('status', `"${status.slice(0, 100)}" is not a status of a dispute that is known here`)
  return { ...said, kind, change: () => ({ ref: String(order_id), subject: String(id), amount: minorUnits('amount', amount, currency.toUpperCase()) }) }
}
