import { createHash } from 'node:crypto'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { readMoment } from '../orders/to-paid-order.js'
import { parseJson } from '../plugins/json-body.js'
import { checked } from './checked.js'
import type { Checkout, Fact, RawWebhook, TranslatedOrder } from './checkout.js'
import { Currency, customerOf, factsOf, Id, localeOf, MaybeText, namesOf, peek, Quantity, texts } from './foreign.js'
import { minorUnits } from './minor-units.js'
import { assertSigned, headerOf, refused } from './signatures.js'

// The signature is a digest of six fields with the secret before them (docs.noventiq.com, webhook examples): it covers neither product, quantity, amount
// nor status, and no time. So whoever has seen one webhook can alter it: docs/checkouts/noventiq.md says what to do about that.

const Product = Type.Object({ id: Id, sku: MaybeText, vendor_code: MaybeText, price: MaybeText, quantity: Quantity, amount: MaybeText })
const Body = Type.Object({
  event: Type.String({ minLength: 1, maxLength: 255 }),
  event_date: Type.String(),
  order_id: Id,
  pay_date: MaybeText,
  currency: Currency,
  locale: MaybeText,
  document_part: MaybeText,
  customer: Type.Object(texts('email', 'first_name', 'last_name', 'phone', 'country', 'company_name', 'company_billing_address')),
  product: Product,
})
const Notice = Compile(Body)
const Said = Compile(Type.Object({ event: Body.properties.event, event_date: Type.String() }))

export const noventiq: Checkout = {
  secret: { pattern: /^[^\p{Cc};]{8,255}$/u, form: 'the secret key of the endpoint, of 8 to 255 characters' },

  verify (webhook, secrets, { now }) {
    const signature = headerOf(webhook, 'signature').toLowerCase()
    const fields = signedFields(webhook)
    // else the same text could be cut into other fields; the last one, what a customer wrote, may have them
    if (fields.slice(0, -1).some((field) => field.includes(';'))) throw refused('signature: a signed field holds a semicolon')
    assertSigned('signature', [signature], secrets.map((secret) => createHash('sha512').update([secret, ...fields].join(';')).digest('hex')))
    return { event_key: eventKey(webhook), sent_at: now }
  },

  translate ({ body }) {
    const notice = parseJson(body)
    const { event, event_date } = checked(Said, notice)
    const said = { type: event, occurred_at: readMoment('event_date', event_date) }
    return factsOf(said, () => {
      switch (event) {
        case 'order.payment.succeeded': return { ...said, kind: 'paid', order: () => orderOf(checked(Notice, notice)) }
        case 'order.payment.failed': return { ...said, kind: 'payment_failed', change: () => ({ ref: String(checked(Notice, notice).order_id), subject: '' }) }
        case 'product.returned': return returned(said, checked(Notice, notice))
        default: return { ...said, kind: 'ignored', reason: `event: "${event.slice(0, 100)}" changes nothing here` }
      }
    })
  },
}

function textIn (value: unknown, ...path: string[]): string {
  const found = path.reduce<unknown>((object, name) => (object as Record<string, unknown> | null | undefined)?.[name], value)
  return typeof found === 'string' || typeof found === 'number' ? String(found) : ''
}

function signedFields ({ body }: RawWebhook): string[] {
  const notice = peek(body)
  return [['event'], ['order_id'], ['create_date'], ['payment', 'payment_method'], ['currency'], ['customer', 'email']].map((path) => textIn(notice, ...path))
}

/** No event has an id. One is told for each product of an order, which `document_part` counts. */
function eventKey ({ body }: RawWebhook): string {
  const notice = peek(body)
  const parts = [['event'], ['order_id'], ['product', 'id'], ['document_part']].map((path) => textIn(notice, ...path))
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** One product of an order: a line of its own, which joins those that were told before it. */
function orderOf ({ order_id, currency: code, locale, document_part, pay_date, customer, product }: Static<typeof Body>): TranslatedOrder {
  const currency = code.toUpperCase()
  const is_partial = document_part !== '1-of-1'
  return {
    external_id: String(order_id),
    currency,
    locale: localeOf(locale),
    paid_at: pay_date ? readMoment('pay_date', pay_date) : undefined,
    is_partial,
    total_amount: is_partial || !product.amount ? undefined : minorUnits('product.amount', product.amount, currency),
    customer: customerOf('customer.email', customer.email, {
      first_name: customer.first_name,
      last_name: customer.last_name,
      company: customer.company_name,
      phone: customer.phone,
      country: customer.country,
      address: customer.company_billing_address,
    }),
    line_items: [{
      external_id: String(product.id),
      product: namesOf(product.sku, product.vendor_code, product.id),
      quantity: product.quantity,
      unit_amount: product.price ? minorUnits('product.price', product.price, currency) : undefined,
    }],
  }
}

/** Noventiq takes back whole items, whatever the quantity; a chargeback is told as a return too. */
function returned (said: Pick<Fact, 'type' | 'occurred_at'>, { order_id, product, currency }: Static<typeof Body>): Fact {
  const id = String(product.id)
  const change = () => ({
    ref: String(order_id),
    subject: id,
    amount: product.amount ? Math.abs(minorUnits('product.amount', product.amount, currency.toUpperCase())) : undefined,
    lines: [{ external_id: id }],
  })
  return { ...said, kind: 'refunded', change }
}
