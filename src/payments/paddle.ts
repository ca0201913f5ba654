import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { readMoment } from '../orders/to-paid-order.js'
import { parseJson } from '../plugins/json-body.js'
import { Nullable } from '../plugins/schema.js'
import { checked } from './checked.js'
import type { Checkout, OrderChange, SourceOptions, StoredWebhook, TranslatedOrder } from './checkout.js'
import { Currency, customerOf, fault, Id, localeOf, MaybeId, MaybeText, namesOf, Quantity, tiesOf } from './foreign.js'
import { ignored, splitName, type Meaning } from './meaning.js'
import { assertSigned, eventKeyOf, fieldsOf, freshMoment, headerOf, hmac } from './signatures.js'

// Paddle signs `ts:body` with HMAC-SHA-256 and the whole secret of the notification destination. Its own library allows 5 seconds, which a
// queue or a clock outlasts, and reads the last h1 only.
const SIGNATURE = 'paddle-signature'
const TOLERANCE_MS = 300_000

const Custom = Type.Optional(Type.Unsafe<Record<string, unknown> | null | undefined>({ type: ['object', 'null'] }))
const Minor = Type.String({ pattern: '^-?[0-9]{1,15}$' }) // minor units, as a text
const Totals = Type.Optional(Nullable(Type.Object({ total: Minor })))
const NamedShape = Type.Object({ id: Id, custom_data: Custom })
const Envelope = Compile(Type.Object({
  event_type: Type.String({ minLength: 1, maxLength: 255 }), occurred_at: Type.String({ format: 'date-time' }), data: NamedShape,
}))
const TransactionShape = Type.Object({
  id: Id,
  origin: MaybeText,
  customer_id: MaybeId,
  subscription_id: MaybeId,
  currency_code: Currency,
  custom_data: Custom,
  items: Type.Optional(Type.Array(Type.Object({ price: Type.Optional(Nullable(Type.Object({ id: MaybeId, custom_data: Custom }))) }))),
  details: Type.Object({
    totals: Type.Optional(Nullable(Type.Object({ total: Minor, grand_total: Type.Optional(Minor) }))),
    line_items: Type.Array(Type.Object({
      id: Id, price_id: MaybeId, quantity: Quantity, unit_totals: Totals, product: Type.Optional(Nullable(Type.Object({ id: Id, custom_data: Custom }))),
    })),
  }),
})
const Transaction = Compile(TransactionShape)
const Looked = {
  customer: Compile(Type.Object({ data: Type.Object({ email: MaybeText, name: MaybeText, locale: MaybeText }) })),
  transaction: Compile(Type.Object({ data: TransactionShape })),
}
const AdjustmentShape = Type.Object({
  id: Id,
  transaction_id: Id,
  action: Type.String(),
  type: MaybeText,
  status: Type.String(),
  items: Type.Optional(Type.Array(Type.Object({ item_id: Id, type: MaybeText, amount: Type.Optional(Nullable(Minor)), totals: Totals }))),
  totals: Totals,
})
const Adjustment = Compile(AdjustmentShape)

type Told = Pick<StoredWebhook, 'answers'> & { options: SourceOptions }

/** What each type of event says; of all others there is nothing to do. `transaction.paid` comes before `completed`, and not yet with all there is. */
const EVENTS: Readonly<Record<string, (data: Static<typeof NamedShape>, told: Told) => Meaning>> = {
  'transaction.completed': transactionMeans,
  'transaction.canceled': (data) => unpaid(data, true),
  'transaction.payment_failed': (data) => unpaid(data, false),
  'adjustment.created': adjustmentMeans,
  'adjustment.updated': adjustmentMeans,
}

/** What an adjustment that is approved says; a credit to the balance of a subscription says nothing of licenses. */
const ACTIONS = {
  refund: 'refunded',
  chargeback: 'dispute_lost',
  chargeback_reverse: 'dispute_won',
  chargeback_warning: 'disputed',
  chargeback_warning_reverse: 'dispute_won',
} as const

export const paddle: Checkout = {
  secret: { pattern: /^pdl_ntfset_[\x21-\x7e]{16,200}$/, form: 'the secret key of the notification destination, pdl_ntfset_…, as Paddle shows it' },
  tolerance_ms: TOLERANCE_MS,
  api: { url: 'https://api.paddle.com', headers: (key) => ({ authorization: `Bearer ${key}`, 'paddle-version': '1' }) },

  verify (webhook, secrets, checking) {
    const fields = fieldsOf(headerOf(webhook, SIGNATURE), ';')
    const time = fields.get('ts')?.[0]
    const sent_at = freshMoment(SIGNATURE, time, checking)
    assertSigned(SIGNATURE, fields.get('h1') ?? [], secrets.map((secret) => hmac(secret, [`${time}:`, webhook.body], 'hex')))
    return { event_key: eventKeyOf(webhook.body, 'event_id'), sent_at }
  },

  translate ({ body, answers }, options) {
    const { event_type: type, occurred_at, data } = checked(Envelope, parseJson(body))
    const read = Object.hasOwn(EVENTS, type) ? EVENTS[type] : undefined
    const meaning = read === undefined ? ignored(`event_type: an event "${type.slice(0, 100)}" changes nothing here`) : read(data, { answers, options })
    return { type, occurred_at: readMoment('occurred_at', occurred_at), ...meaning }
  },
}

/** A transaction that is paid. Whose it is, Paddle says only when it is asked, unless the shop passed the address on in `custom_data.email`. */
function transactionMeans (data: unknown, { answers = {}, options }: Told): Meaning {
  const transaction = checked(Transaction, data, 'data')
  const { origin, customer_id, custom_data } = transaction
  if (origin === 'subscription_payment_method_change') return ignored('data.origin: a change of the way to pay sells nothing')
  const isTold = typeof custom_data?.['email'] === 'string' || Object.hasOwn(answers, 'customer')
  if (!isTold && options.has_api_key === true && customer_id !== null && customer_id !== undefined) {
    return { kind: 'unanswered', lookups: [{ name: 'customer', path: `/customers/${encodeURIComponent(customer_id)}` }] }
  }
  return { kind: 'paid', order: () => orderOf(transaction, answers) }
}

function orderOf (transaction: Static<typeof TransactionShape>, answers: Readonly<Record<string, unknown>>): TranslatedOrder {
  const { id, origin, currency_code, custom_data, details, subscription_id } = transaction
  if (origin === 'subscription_update') {
    throw fault('data.origin', 'bills the difference of a changed subscription, which says not what licenses are due: give them by POST /v1/orders')
  }
  const isRenewal = origin === 'subscription_recurring' || origin === 'subscription_charge'
  const customer = answers['customer'] === undefined ? undefined : checked(Looked.customer, answers['customer'], 'customer').data
  const email = custom_data?.['email'] ?? customer?.email
  if (typeof email !== 'string') {
    throw fault('data.custom_data.email', 'Paddle\'s events have no address: pass it on in custom_data.email at the checkout, or give the payment source an api_key')
  }
  const [subscription] = namesOf(subscription_id)
  const ties = tiesOf(custom_data ?? {})
  const total = details.totals?.grand_total ?? details.totals?.total
  return {
    external_id: String(id),
    currency: currency_code.toUpperCase(),
    locale: localeOf(customer?.locale),
    total_amount: total === undefined ? undefined : Math.max(Number(total), 0),
    refs: isRenewal || subscription === undefined ? [] : [subscription],
    ...ties,
    parent: ties.parent ?? (isRenewal ? subscription : undefined),
    customer: customerOf('data.custom_data.email', email, splitName(customer?.name)),
    line_items: details.line_items.map((line, index) => {
      const price = transaction.items?.find((item) => item.price?.id === line.price_id)?.price
      const product = namesOf(nameIn(price?.custom_data), line.price_id, nameIn(line.product?.custom_data), line.product?.id)
      if (product.length === 0) throw fault(`data.details.line_items.${index}`, 'names no price and no product')
      const unit = line.unit_totals?.total
      return { external_id: String(line.id), product, quantity: line.quantity, unit_amount: unit === undefined ? undefined : Math.max(Number(unit), 0) }
    }),
  }
}

/** What the shop calls the article: `custom_data.latchkey_product` of a price or product at Paddle. */
function nameIn (custom_data: Record<string, unknown> | null | undefined): string | undefined {
  const name = custom_data?.['latchkey_product']
  return typeof name === 'string' ? name : undefined
}

/** A transaction that was not paid. A payment that failed may be tried again, so that only a cancelled transaction gives its hold back. */
function unpaid ({ id, custom_data }: Static<typeof NamedShape>, isFinal: boolean): Meaning {
  return { kind: 'payment_failed', change: () => ({ ref: String(id), subject: '', hold_id: isFinal ? tiesOf(custom_data ?? {}).hold_id : undefined }) }
}

/**
 * A refund or chargeback. All chargebacks of a transaction are one dispute here: each step is an adjustment of its own, with an id that no other names.
 * Of a refund of a part of a line Paddle has to be asked what a unit cost.
 */
function adjustmentMeans (data: unknown, { answers = {}, options }: Told): Meaning {
  const adjustment = checked(Adjustment, data, 'data')
  const { id, action, status, transaction_id, items = [] } = adjustment
  const kind = Object.hasOwn(ACTIONS, action) ? ACTIONS[action as keyof typeof ACTIONS] : undefined
  if (kind === undefined) return ignored(`data.action: "${action.slice(0, 100)}" takes and gives no license`)
  const amount = adjustment.totals === null || adjustment.totals === undefined ? undefined : Math.abs(Number(adjustment.totals.total))
  const subject = String(kind === 'refunded' ? id : transaction_id)
  const change = { ref: String(transaction_id), subject, amount }
  if (status === 'reversed') return { kind: kind === 'refunded' ? 'refund_failed' : 'dispute_won', change: () => change }
  if (status !== 'approved') return ignored(`data.status: is ${status.slice(0, 100)}; it counts once it is approved`)
  if (kind !== 'refunded') return { kind, change: () => change }
  const isFull = adjustment.type === 'full'
  if (!isFull && options.has_api_key === true && items.some(({ type }) => type === 'partial') && !Object.hasOwn(answers, 'transaction')) {
    return { kind: 'unanswered', lookups: [{ name: 'transaction', path: `/transactions/${encodeURIComponent(transaction_id)}` }] }
  }
  return { kind, change: () => isFull ? { ...change, is_full: true } : { ...change, lines: linesOf(items, answers['transaction']) } }
}

/** The lines that are refunded whole, and of others the units where the amount is that of whole ones. What is neither changes the amount only. */
function linesOf (items: NonNullable<Static<typeof AdjustmentShape>['items']>, transaction: unknown): OrderChange['lines'] {
  const sold = transaction === undefined ? [] : checked(Looked.transaction, transaction, 'transaction').data.details.line_items
  return items.flatMap(({ item_id, type, amount, totals }) => {
    if (type === 'full') return [{ external_id: String(item_id) }]
    const unit = Number(sold.find(({ id }) => id === item_id)?.unit_totals?.total ?? 0)
    const refunded = Math.abs(Number(totals?.total ?? amount ?? 0))
    const quantity = unit > 0 ? Math.round(refunded / unit) : 0
    const isWhole = type === 'partial' && quantity > 0 && Math.abs(refunded - quantity * unit) < quantity // tax is rounded by line: less than one minor unit a unit
    return isWhole ? [{ external_id: String(item_id), quantity }] : []
  })
}
