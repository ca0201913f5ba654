import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import type { ClaimedMessage } from './claim.js'
import type { NoventiqEvent } from './told.js'

// The body and signature of Noventiq's webhooks (docs.noventiq.com, webhook request and examples), for receivers that were written for them.

/** An order with one of its lines, and what is known of the customer: nothing after an erasure. */
interface Part {
  id: string
  external_id: string
  status: string
  currency: string
  locale: string | null
  customer: Partial<Record<string, string>>
  created_at: Date
  paid_at: Date
  payment_method: string
  product_id: string
  product_name: string
  sku: string
  quantity: number
  unit_amount: number | null
  digits: number
}

const NOT_PAID_ANY_MORE = ['refunded', 'charged_back', 'cancelled']

/** ISO 8601 with an offset, to the second, as Noventiq writes it. */
const momentOf = (at: Date): string => at.toISOString().replace(/\.\d{3}Z$/, '+00:00')

/** Money as a decimal text; '' where it is not known. */
function moneyOf (minor: number | null, digits: number): string {
  if (minor === null) return ''
  const text = String(minor).padStart(digits + 1, '0')
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`
}

/** Minor units of a currency: two digits unless ISO 4217 says otherwise, which Intl knows. */
const digitsOf = (currency: string): number => new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2

/**
 * The line that a message is about, with its order, as they are now.
 *
 * @throws Error if there is none
 */
async function readPart (db: Reader, account_id: string, line_item_id: string): Promise<Part> {
  const { rows: [part] } = await sql<Omit<Part, 'digits'>>`
    select o.id, o.external_id, o.status, o.currency, o.locale, o.customer, o.created_at, o.paid_at, coalesce(s.kind, 'api') as payment_method,
      l.product_id, p.name as product_name, l.quantity, l.unit_amount::float8 as unit_amount,
      coalesce((select min(r.ref) from product_refs r where r.account_id = l.account_id and r.product_id = l.product_id and r.ref <> l.product_id), '') as sku
    from line_items l
    join orders o on o.account_id = l.account_id and o.id = l.order_id
    join products p on p.account_id = l.account_id and p.id = l.product_id
    left join payment_sources s on s.account_id = o.account_id and s.id = o.source_id
    where l.account_id = ${account_id} and l.id = ${line_item_id}`.execute(db)
  if (part === undefined) throw new Error('the line of the message is not there')
  return { ...part, digits: digitsOf(part.currency) }
}

function productOf ({ product_id, product_name, sku, quantity, unit_amount, digits }: Part): Record<string, unknown> {
  const amount = unit_amount === null ? null : unit_amount * quantity
  return { id: product_id, vendor_code: '', sku, business_segment: '', name: product_name, price: moneyOf(unit_amount, digits), quantity, amount: moneyOf(amount, digits) }
}

function customerOf ({ customer }: Part): Record<string, string> {
  const { country = '', email = '', first_name = '', last_name = '', phone = '', company = '', address = '' } = customer
  return {
    country,
    type: company === '' ? 'physical' : 'juridical',
    email,
    first_name,
    last_name,
    phone,
    vat_number: '',
    company_name: company,
    company_billing_address: address,
    company_delivery_address: '',
  }
}

/** The body of a message of a webhook of type noventiq, rendered now from its order: nothing of the customer is in the message. */
export async function noventiqBody (db: Reader, public_url: string, { account_id, event, data, created_at }: ClaimedMessage): Promise<NoventiqBody> {
  const part = await readPart(db, account_id, String(data['line_item_id']))
  return {
    event: event as NoventiqEvent,
    event_date: momentOf(created_at),
    order_id: part.id,
    order_name: part.id,
    status: NOT_PAID_ANY_MORE.includes(part.status) ? 'deleted' : 'paid',
    external_id: part.external_id,
    create_date: momentOf(part.created_at),
    pay_date: momentOf(part.paid_at),
    currency: part.currency,
    locale: part.locale ?? '',
    order_detail_url: `${public_url}/v1/orders/${part.id}`,
    customer: customerOf(part) as NoventiqBody['customer'],
    product: productOf(part),
    payment: { payment_method: part.payment_method, payment_system_name: part.payment_method },
    document_part: String(data['document_part']),
  }
}

/** What is signed of a body, and the rest of it. */
export interface NoventiqBody {
  event: string
  order_id: string | number
  create_date: string
  currency: string
  customer: { email: string }
  payment: { payment_method: string, payment_system_name?: string }
  [more: string]: unknown
}

/** Noventiq's signature: SHA-512 in lower-case hex of the secret and six fields. It covers no more than these. */
export function noventiqSignature (secret: string, { event, order_id, create_date, currency, customer, payment }: NoventiqBody): string {
  return createHash('sha512').update([secret, event, order_id, create_date, payment.payment_method, currency, customer.email].join(';')).digest('hex')
}
