import { Type, type Static, type TProperties } from 'typebox'
import { Compile } from 'typebox/compile'
import { Nullable } from '../plugins/schema.js'
import { checked } from './checked.js'
import type { Lookup, SourceOptions, StoredWebhook, TranslatedOrder } from './checkout.js'
import { Currency, customerOf, fault, Id, listOf, localeOf, MaybeText, namesOf, Quantity, tiesOf } from './foreign.js'
import { ignored, splitName, type Meaning } from './meaning.js'
import { exponentOf } from './minor-units.js'

// Stripe's amounts are in minor units, with two places for currencies that had them once, and none for Malagasy ariary (docs.stripe.com/currencies)
const EXPONENTS = new Map([['ISK', 2], ['UGX', 2], ['MGA', 0]])
const LINES_MAX = 100

/** An id, or the whole object where the event has it expanded. */
type Reference = string | { id: string }
const reference = { type: ['string', 'object', 'null'], properties: { id: { type: 'string' } }, required: ['id'] }
export const MaybeReference = Type.Optional(Type.Unsafe<Reference | null>(reference))
export const MaybeMetadata = Type.Optional(Type.Unsafe<Record<string, unknown> | null>({ type: ['object', 'null'] }))
const Amount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

const Maybe = <P extends TProperties>(properties: P) => Type.Optional(Nullable(Type.Object(properties)))
const Line = Type.Object({
  id: Id,
  quantity: Type.Optional(Nullable(Quantity)),
  amount_total: Type.Optional(Amount),
  amount: Type.Optional(Type.Integer()),
  price: Maybe({ id: MaybeText, product: MaybeReference, lookup_key: MaybeText }),
  pricing: Maybe({ price_details: Maybe({ price: MaybeReference, product: MaybeText }) }),
})
const LinesShape = Type.Object({ data: Type.Array(Line), has_more: Type.Optional(Type.Boolean()) })
const Lines = Compile(LinesShape)

const Address = Maybe({ city: MaybeText, country: MaybeText, line1: MaybeText, line2: MaybeText, postal_code: MaybeText })
const Details = Maybe({ email: MaybeText, name: MaybeText, phone: MaybeText, business_name: MaybeText, address: Address })

const SessionShape = Type.Object({
  id: Id,
  mode: MaybeText,
  payment_status: MaybeText,
  currency: Currency,
  amount_total: Type.Optional(Nullable(Amount)),
  payment_intent: MaybeReference,
  invoice: MaybeReference,
  subscription: MaybeReference,
  locale: MaybeText,
  customer_details: Details,
  customer_email: MaybeText,
  metadata: MaybeMetadata,
  line_items: Type.Optional(LinesShape),
})
const Session = Compile(SessionShape)
const Intent = Compile(Type.Object({
  id: Id, currency: Currency, amount_received: Amount, receipt_email: MaybeText, latest_charge: MaybeReference, shipping: Details, metadata: MaybeMetadata,
}))
const Invoice = Compile(Type.Object({
  id: Id,
  billing_reason: MaybeText,
  currency: Currency,
  total: Type.Integer(),
  customer_email: MaybeText,
  customer_name: MaybeText,
  customer_phone: MaybeText,
  customer_address: Address,
  metadata: MaybeMetadata,
  lines: LinesShape,
  parent: Maybe({ subscription_details: Maybe({ subscription: MaybeReference, metadata: MaybeMetadata }) }),
}))
const Payment = Type.Object({ payment: Type.Object({ payment_intent: MaybeReference }) })
const PaidInvoice = Compile(Type.Object({ payments: Type.Object({ data: Type.Array(Payment) }) }))

type Told = Pick<StoredWebhook, 'answers'> & { options: SourceOptions }

export function idOf (reference: Reference | null | undefined): string | undefined {
  return typeof reference === 'string' ? reference : reference?.id
}

/** An amount of Stripe's in minor units as ISO 4217 has them. */
export function amountOf (currency: string, amount: number): number {
  const iso = currency.toUpperCase()
  return Math.round(amount * 10 ** (exponentOf(iso) - (EXPONENTS.get(iso) ?? exponentOf(iso))))
}

/** A checkout session that is complete. Its lines are in its metadata, or have to be asked for. */
export function sessionMeans (object: unknown, { answers = {}, options }: Told): Meaning {
  const session = checked(Session, object, 'data.object')
  if (session.mode === 'setup') return ignored('data.object.mode: a session that only saves a way to pay sells nothing')
  if (session.payment_status === 'unpaid') return ignored('data.object.payment_status: is not paid yet; waits for checkout.session.async_payment_succeeded')
  const isNamed = (session.metadata?.['latchkey_products'] ?? '') !== '' || session.line_items !== undefined
  const invoice_id = session.payment_intent === null || session.payment_intent === undefined ? idOf(session.invoice) : undefined
  const lines: Lookup = { name: 'line_items', path: `/v1/checkout/sessions/${encodeURIComponent(session.id)}/line_items?limit=${LINES_MAX}` }
  const lookups = isNamed ? [] : [lines]
  if (invoice_id !== undefined) lookups.push(paymentsOf(invoice_id))
  const open = lookups.filter(({ name }) => !Object.hasOwn(answers, name))
  if (options.has_api_key === true && open.length > 0) return { kind: 'unanswered', lookups: open }
  return { kind: 'paid', order: () => orderOfSession(session, answers) }
}

/** Which payments paid an invoice: a refund or dispute names only those. */
function paymentsOf (invoice_id: string): Lookup {
  return { name: 'invoice', path: `/v1/invoices/${encodeURIComponent(invoice_id)}?expand[]=payments` }
}

function orderOfSession (session: Static<typeof SessionShape>, answers: Readonly<Record<string, unknown>>): TranslatedOrder {
  const { id, metadata, customer_details, currency, amount_total } = session
  const external_id = idOf(session.payment_intent) ?? String(id)
  const lines = linesOf(metadata, session.line_items ?? answers['line_items'], currency)
  if (lines === undefined) {
    throw fault('data.object.line_items', 'Stripe leaves them out: name the products in the session\'s metadata.latchkey_products, or give the payment source an api_key')
  }
  return {
    external_id,
    currency: currency.toUpperCase(),
    locale: session.locale === 'auto' ? undefined : localeOf(session.locale),
    total_amount: amount_total === null || amount_total === undefined ? undefined : amountOf(currency, amount_total),
    refs: otherNames(external_id, id, idOf(session.invoice), idOf(session.subscription), ...intentsOf(answers)),
    ...tiesOf(metadata ?? {}),
    customer: customerOf('data.object.customer_details.email', customer_details?.email ?? session.customer_email, {
      ...splitName(customer_details?.name), company: customer_details?.business_name, phone: customer_details?.phone, ...placeOf(customer_details?.address),
    }),
    line_items: lines,
  }
}

/** A payment without a checkout session, which names its products itself. */
export function intentMeans (object: unknown): Meaning {
  const { id, currency, amount_received, receipt_email, latest_charge, shipping, metadata } = checked(Intent, object, 'data.object')
  if (metadata?.['latchkey_products'] === undefined) return ignored('data.object.metadata: names no latchkey_products; what was bought is said by the checkout session or invoice')
  return {
    kind: 'paid',
    order: () => ({
      external_id: String(id),
      currency: currency.toUpperCase(),
      total_amount: amountOf(currency, amount_received),
      refs: otherNames(id, idOf(latest_charge)),
      ...tiesOf(metadata),
      customer: customerOf('data.object.receipt_email', receipt_email, { ...splitName(shipping?.name), phone: shipping?.phone, ...placeOf(shipping?.address) }),
      line_items: linesOf(metadata, undefined, currency) ?? [],
    }),
  }
}

/** The invoice of a later period of a subscription; the first one is paid by a session. */
export function invoiceMeans (object: unknown, { answers = {}, options }: Told): Meaning {
  const invoice = checked(Invoice, object, 'data.object')
  const details = invoice.parent?.subscription_details
  const metadata = { ...details?.metadata, ...invoice.metadata }
  if (invoice.billing_reason === 'subscription_create') return ignored('data.object.billing_reason: what a subscription begins with is said by its checkout session')
  if (invoice.billing_reason === 'subscription_update' && metadata['latchkey_products'] === undefined) return { kind: 'paid', order: refuseDifference }
  if (invoice.billing_reason !== 'subscription_cycle' && metadata['latchkey_products'] === undefined) {
    return ignored('data.object.billing_reason: is no renewal, and its metadata names no latchkey_products')
  }
  if (options.has_api_key === true && !Object.hasOwn(answers, 'invoice')) return { kind: 'unanswered', lookups: [paymentsOf(String(invoice.id))] }
  const { id, currency, total } = invoice
  const ties = tiesOf(metadata)
  return {
    kind: 'paid',
    order: () => ({
      external_id: String(id),
      currency: currency.toUpperCase(),
      total_amount: amountOf(currency, Math.max(total, 0)),
      refs: otherNames(id, ...intentsOf(answers)),
      ...ties,
      parent: ties.parent ?? idOf(details?.subscription),
      customer: customerOf('data.object.customer_email', invoice.customer_email, {
        ...splitName(invoice.customer_name), phone: invoice.customer_phone, ...placeOf(invoice.customer_address),
      }),
      line_items: linesOf(metadata, invoice.lines, currency) ?? [],
    }),
  }
}

function refuseDifference (): never {
  throw fault('data.object.billing_reason', 'bills the difference of a changed subscription, which says not what licenses are due: give them by POST /v1/orders')
}

/** From the metadata, where it names products; else from Stripe's list, where there is one. */
function linesOf (metadata: Record<string, unknown> | null | undefined, list: unknown, currency: string): TranslatedOrder['line_items'] | undefined {
  const named = listOf('data.object.metadata.latchkey_products', metadata?.['latchkey_products'])
  if (named !== undefined) return named.map(({ name, quantity = 1 }, index) => ({ external_id: String(index + 1), product: name, quantity }))
  if (list === undefined) return undefined
  const { data, has_more } = checked(Lines, list, 'line_items')
  if (has_more === true) throw fault('line_items', `has more than ${data.length} lines`)
  return data.map((line, index) => {
    const quantity = line.quantity ?? 1
    const unit = (line.amount_total ?? Math.max(line.amount ?? 0, 0)) / quantity
    const details = line.pricing?.price_details
    const product = namesOf(line.price?.id, line.price?.lookup_key, idOf(line.price?.product), idOf(details?.price), details?.product)
    if (product.length === 0) throw fault(`line_items.data.${index}.price`, 'names no price and no product')
    return { external_id: String(line.id), product, quantity, unit_amount: Number.isInteger(unit) ? amountOf(currency, unit) : undefined }
  })
}

function intentsOf (answers: Readonly<Record<string, unknown>>): Array<string | undefined> {
  if (answers['invoice'] === undefined) return []
  return checked(PaidInvoice, answers['invoice'], 'invoice').payments.data.map(({ payment }) => idOf(payment.payment_intent))
}

function otherNames (external_id: string | number, ...names: Array<string | number | undefined>): string[] {
  return [...new Set(namesOf(...names))].filter((name) => name !== external_id)
}

function placeOf (address: Static<typeof Address> | undefined) {
  return { country: address?.country, city: address?.city, zip: address?.postal_code, address: [address?.line1, address?.line2].filter(Boolean).join(', ') }
}
