import type { Letter } from './render.js'
import { dayOf, oneLine, type Values } from './tags.js'

const digitsOf = new Map<string, number>() // by currency, of which there are few: asking Intl takes as long as a tenth of a mail

/** How many digits the minor units of a currency are (ISO 4217). */
function minorDigits (currency: string): number {
  const known = digitsOf.get(currency)
  if (known !== undefined) return known
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  digitsOf.set(currency, digits)
  return digits
}

/** `4900` EUR is `49.00 EUR`, `500` JPY is `500 JPY` (ISO 4217 minor units). */
function money (amount: bigint | null, currency: string): string {
  if (amount === null) return ''
  const digits = minorDigits(currency)
  const text = `${amount < 0n ? -amount : amount}`.padStart(digits + 1, '0')
  const point = text.length - digits
  return `${amount < 0n ? '-' : ''}${text.slice(0, point)}${digits === 0 ? '' : `.${text.slice(point)}`} ${currency}`
}

type Facts = Readonly<Record<string, unknown>>

const factsOf = (from: Facts) => (field: string): string => typeof from[field] === 'string' ? oneLine(from[field]) : ''
const joined = (separator: string, ...parts: string[]): string => parts.filter((part) => part !== '').join(separator)

/** Who will own the product: the buyer, unless the order names somebody. */
function ownerOf (customer: Facts, buyer: string): string {
  const { licensee } = customer
  const written = (from: Facts): string => joined(', ', ...['name', 'company', 'email', 'phone'].map(factsOf(from)))
  return (typeof licensee === 'object' && licensee !== null ? written(licensee as Facts) : '') || written({ ...customer, name: buyer })
}

/** What the tags of a mail stand for; the product is in the words of the customer. What a customer typed is one line each. */
export function valuesOf ({ product, order, quantity, unit_amount, total_amount, now, sender, order_page_url, licenses, parent_keys = [] }: Letter): Values {
  const of = factsOf(order.customer)
  const name = joined(' ', of('first_name'), of('last_name'))
  const { family_name = '' } = product
  const tags = new Map(Object.entries({
    ORDER_ID: oneLine(order.external_id),
    PRICEGROUP_ID: product.id,
    PROGRAM_NAME: joined(' ', oneLine(family_name), oneLine(product.name)),
    PROGRAM_SHORT: oneLine(family_name) || oneLine(product.name),
    QUANTITY: String(quantity),
    PRICE_ONE_DUPLICATE: money(unit_amount, order.currency),
    PRICE_ALL_DUPLICATES: money(total_amount, order.currency),
    FULLNAME: name,
    FNAME: of('first_name'),
    LNAME: of('last_name'),
    EMAIL: of('email'),
    PHONE: of('phone'),
    COMPANY: of('company'),
    LICENSE_FOR: ownerOf(order.customer, name),
    COUNTRY: of('country'),
    CITY: of('city'),
    ZIP: of('zip'),
    ADDRESS: of('address'),
    URL: product.url_to_instructions ?? '',
    URL_FULL: product.url_to_download ?? '',
    DATE: dayOf(now),
    ADDINFO_TEXT: of('additional_info'),
    ORDER_PAGE: order_page_url ?? '',
    SENDER: oneLine(sender),
  }))
  return { tags, licenses, parent_keys }
}
