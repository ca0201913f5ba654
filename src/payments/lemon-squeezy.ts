import { createHash, randomBytes } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { readMoment } from '../orders/to-paid-order.js'
import { parseJson } from '../plugins/json-body.js'
import { Nullable } from '../plugins/schema.js'
import { checked } from './checked.js'
import type { Checkout, SourceOptions, StoredWebhook } from './checkout.js'
import { Currency, customerOf, fault, Id, MaybeId, MaybeText, namesOf, Quantity, tiesOf } from './foreign.js'
import { ignored, splitName, type Meaning } from './meaning.js'
import { assertSigned, headerOf, hmac } from './signatures.js'

// Lemon Squeezy signs the raw body with HMAC-SHA-256, and no time. It names no event: what an event is about, and its state then, stand for its id.
const SIGNATURE = 'x-signature'
const SECRET_BYTES = 20 // in hex 40 characters, the longest it takes

const Amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Custom = Type.Optional(Type.Unsafe<Record<string, unknown> | unknown[] | null | undefined>({ type: ['object', 'array', 'null'] })) // PHP writes an empty object as []
const EnvelopeShape = Type.Object({
  meta: Type.Object({ event_name: Type.String({ minLength: 1, maxLength: 255 }), test_mode: Type.Optional(Type.Boolean()), custom_data: Custom }),
  data: Type.Object({
    id: Id,
    attributes: Type.Object({ test_mode: Type.Optional(Type.Boolean()), created_at: MaybeText, updated_at: MaybeText }),
  }),
})
const Envelope = Compile(EnvelopeShape)
const ItemShape = Type.Object({
  id: MaybeId, product_id: MaybeId, variant_id: MaybeId, price: Type.Optional(Nullable(Amount)), quantity: Type.Optional(Nullable(Quantity)),
})
const paidFields = { currency: Currency, total: Amount, status: MaybeText, user_name: MaybeText, user_email: MaybeText }
const Order = Compile(Type.Object({ ...paidFields, identifier: MaybeText, first_order_item: Type.Optional(Nullable(ItemShape)) }))
const Refunded = Compile(Type.Object({ total: Amount, refunded: Type.Optional(Type.Boolean()), refunded_amount: Type.Optional(Nullable(Amount)) }))
const Invoice = Compile(Type.Object({ ...paidFields, billing_reason: Type.String(), subscription_id: Id }))
const Items = Compile(Type.Object({ data: Type.Array(Type.Object({ id: Id, attributes: ItemShape }), { minItems: 1 }) }))
const First = Type.Optional(Nullable(Type.Object({ quantity: Type.Optional(Nullable(Quantity)) })))
const Subscription = Compile(Type.Object({
  data: Type.Object({ attributes: Type.Object({ order_id: Id, product_id: MaybeId, variant_id: MaybeId, first_subscription_item: First }) }),
}))

type Event = Static<typeof EnvelopeShape>
type Told = Pick<StoredWebhook, 'answers'> & { options: SourceOptions }

/** What each event says; of all others there is nothing to do. `subscription_payment_recovered` always comes with a success. */
const EVENTS: Readonly<Record<string, (event: Event, told: Told) => Meaning>> = {
  order_created: orderMeans,
  order_refunded: ({ data }) => refundMeans(data.attributes, String(data.id)),
  subscription_payment_success: renewalMeans,
  subscription_payment_refunded: ({ data }) => refundMeans(data.attributes, renewalId(data.id)),
}

export const lemonSqueezy: Checkout = {
  secret: { make: () => randomBytes(SECRET_BYTES).toString('hex'), pattern: /^[\x21-\x7e]{6,40}$/, form: 'the signing secret of the webhook, 6 to 40 characters' },
  api: { url: 'https://api.lemonsqueezy.com', headers: (key) => ({ authorization: `Bearer ${key}`, accept: 'application/vnd.api+json' }) },
  kept_status: 200, // anything else it sends again three times, and shows as failed

  verify (webhook, secrets, { now }) {
    const signature = headerOf(webhook, SIGNATURE)
    assertSigned(SIGNATURE, [signature], secrets.map((secret) => hmac(secret, [webhook.body], 'hex')))
    return { event_key: createHash('sha256').update(identityOf(webhook.body)).digest('hex'), sent_at: now }
  },

  translate ({ body, sent_at, answers }, options) {
    const event = checked(Envelope, parseJson(body))
    const { meta: { event_name: type, test_mode }, data: { attributes } } = event
    const read = Object.hasOwn(EVENTS, type) ? EVENTS[type] : undefined
    const moment = type === 'order_created' ? attributes.created_at : attributes.updated_at ?? attributes.created_at
    const isTest = attributes.test_mode ?? test_mode
    return {
      type,
      occurred_at: typeof moment === 'string' ? readMoment('data.attributes.updated_at', moment) : sent_at.toISOString(),
      mode: isTest === undefined ? undefined : isTest ? 'test' : 'live',
      ...(read === undefined ? ignored(`meta.event_name: an event "${type.slice(0, 100)}" changes nothing here`) : read(event, { answers, options })),
    }
  },
}

/** What tells one event from another: a repeat says the same; of a body that says none of it, its bytes. */
function identityOf (body: Buffer): string | Buffer {
  try {
    const { meta, data } = checked(Envelope, JSON.parse(body.toString()))
    const { updated_at, refunded_amount, refunded, status } = data.attributes as Record<string, unknown>
    return JSON.stringify([meta.event_name, data.id, updated_at, refunded_amount, refunded, status])
  } catch {
    return body // it is kept, and translate says what is wrong with it
  }
}

/** An order shows its first item only; of the others Lemon Squeezy has to be asked. */
function orderMeans ({ meta, data }: Event, { answers = {}, options }: Told): Meaning {
  const order = checked(Order, data.attributes, 'data.attributes')
  const { status } = order
  if (status === 'failed') return { kind: 'payment_failed', change: () => ({ ref: String(data.id), subject: '', hold_id: tiesOf(customOf(meta)).hold_id }) }
  if (status === 'pending' || status === 'fraudulent') return ignored(`data.attributes.status: is ${status}`)
  if (options.has_api_key === true && !Object.hasOwn(answers, 'items')) {
    return { kind: 'unanswered', lookups: [{ name: 'items', path: `/v1/order-items?filter[order_id]=${encodeURIComponent(data.id)}&page[size]=100` }] }
  }
  return {
    kind: 'paid',
    order: () => {
      const items = answers['items'] === undefined ? [order.first_order_item] : checked(Items, answers['items'], 'items').data.map(({ id, attributes }) => ({ ...attributes, id }))
      return {
        external_id: String(data.id),
        currency: order.currency.toUpperCase(),
        total_amount: order.total,
        refs: namesOf(order.identifier),
        ...tiesOf(customOf(meta)),
        customer: customerOf('data.attributes.user_email', order.user_email, splitName(order.user_name)),
        line_items: items.map((item, index) => {
          const product = namesOf(item?.variant_id, item?.product_id)
          if (product.length === 0) throw fault('data.attributes.first_order_item', 'names no variant and no product')
          return { external_id: namesOf(item?.id)[0] ?? String(index + 1), product, quantity: item?.quantity ?? 1, unit_amount: item?.price ?? undefined }
        }),
      }
    },
  }
}

/** A later payment of a subscription. It names the subscription only: which order that began with, and what it is of, has to be asked for. */
function renewalMeans ({ meta, data }: Event, { answers = {}, options }: Told): Meaning {
  const invoice = checked(Invoice, data.attributes, 'data.attributes')
  if (invoice.billing_reason !== 'renewal') return ignored(`data.attributes.billing_reason: is ${invoice.billing_reason.slice(0, 100)}; what a subscription begins with is said by its order`)
  if (options.has_api_key !== true) return ignored('data.attributes.subscription_id: a renewal is taken in only where the payment source has an api_key to ask what it is of')
  if (!Object.hasOwn(answers, 'subscription')) {
    return { kind: 'unanswered', lookups: [{ name: 'subscription', path: `/v1/subscriptions/${encodeURIComponent(invoice.subscription_id)}` }] }
  }
  return {
    kind: 'paid',
    order: () => {
      const ties = tiesOf(customOf(meta))
      const { order_id, product_id, variant_id, first_subscription_item } = checked(Subscription, answers['subscription'], 'subscription').data.attributes
      return {
        external_id: renewalId(data.id),
        currency: invoice.currency.toUpperCase(),
        total_amount: invoice.total,
        ...ties,
        parent: ties.parent ?? String(order_id),
        customer: customerOf('data.attributes.user_email', invoice.user_email, splitName(invoice.user_name)),
        line_items: [{ external_id: '1', product: namesOf(variant_id, product_id), quantity: first_subscription_item?.quantity ?? 1 }],
      }
    },
  }
}

/** Orders and invoices of subscriptions are numbered apart. */
function renewalId (id: string | number): string {
  return `subscription-invoice-${id}`
}

/** All that was refunded so far. */
function refundMeans (attributes: unknown, ref: string): Meaning {
  const { total, refunded = false, refunded_amount } = checked(Refunded, attributes, 'data.attributes')
  const amount = refunded_amount ?? (refunded ? total : 0)
  return { kind: 'refunded', change: () => ({ ref, subject: '', amount, is_cumulative: true, is_full: amount >= total }) }
}

function customOf ({ custom_data }: Event['meta']): Record<string, unknown> {
  return custom_data === null || custom_data === undefined || Array.isArray(custom_data) ? {} : custom_data
}
