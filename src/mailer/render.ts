import { escapeHtml, fillHtml, fillSubject, fillText, keysAsHtml, oneLine, textToHtml, type Tags } from './tags.js'
import { wordingFor, type Wording } from './wording.js'

/** A vendor's words. `html` absent: made from the text. */
export interface MailTemplate { subject: string, text: string, html?: string }

/** A product as far as a mail needs it; `locales` replaces its name and words, by locale (`pt_BR`) or language (`pt`). */
export interface MailedProduct {
  id: string
  name: string
  mail_template: MailTemplate
  locales: Readonly<Record<string, { name?: string, mail_template?: Partial<MailTemplate> }>>
}

/** A license in clear. `expires_at` null: it is good for ever. */
export interface MailedLicense { key: string, expires_at: Date | null }

/** What one mail is about. `amount`s are in the minor units of the currency, and null where they are not known. */
export interface Letter {
  sender: string
  product: MailedProduct
  order: { external_id: string, currency: string, locale: string | null, customer: Readonly<Record<string, unknown>> }
  quantity: number
  unit_amount: bigint | null
  total_amount: bigint | null
  /** what it hands over, one for each unit or line */
  licenses: readonly MailedLicense[]
  /** of a renewal: those that the customer had before */
  parent_keys?: readonly string[]
  /** where the customer sees the order; null: there is no such page */
  order_page_url: string | null
  now: Date
}

export interface Rendered { subject: string, text: string, html: string, recipient_name: string }

const locale = (text: string): string => text.replaceAll('-', '_').toLowerCase()

/** The product in the words of a locale: those of `pt_BR`, else of `pt`, else its own; name, subject and text each on its own. */
export function localized (product: MailedProduct, wanted: string | null): MailedProduct {
  const entries = new Map(Object.entries(product.locales).map(([name, entry]) => [locale(name), entry]))
  const full = locale(wanted ?? '')
  let { name, mail_template: words } = product
  for (const candidate of new Set([full.split('_')[0] ?? '', full])) {
    const entry = entries.get(candidate)
    if (entry === undefined) continue
    name = entry.name ?? name
    const { text, html, subject } = entry.mail_template ?? {}
    // a text of another language must not come with the HTML of this one
    if (text !== undefined || html !== undefined) {
      words = { subject: words.subject, text: text ?? words.text, ...(html === undefined ? {} : { html }) }
    }
    if (subject !== undefined) words = { ...words, subject }
  }
  return { ...product, name, mail_template: words }
}

/** `4900` EUR is `49.00 EUR`, `500` JPY is `500 JPY` (ISO 4217 minor units). */
function money (amount: bigint | null, currency: string): string {
  if (amount === null) return ''
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
  const text = `${amount < 0n ? -amount : amount}`.padStart(digits + 1, '0')
  const point = text.length - digits
  return `${amount < 0n ? '-' : ''}${text.slice(0, point)}${digits === 0 ? '' : `.${text.slice(point)}`} ${currency}`
}

/** The tags that orders have the facts for; the others of the vocabulary stay as written. */
function tagsOf ({ product, order, quantity, unit_amount, total_amount, now }: Letter): Tags {
  const of = (field: string): string => typeof order.customer[field] === 'string' ? oneLine(order.customer[field]) : ''
  const joined = (separator: string, ...parts: string[]): string => parts.filter((part) => part !== '').join(separator)
  const [first, last, email, phone, company] = [of('first_name'), of('last_name'), of('email'), of('phone'), of('company')]
  const name = joined(' ', first, last)
  return new Map(Object.entries({
    ORDER_ID: oneLine(order.external_id),
    PRICEGROUP_ID: product.id,
    PROGRAM_NAME: oneLine(product.name),
    PROGRAM_SHORT: oneLine(product.name),
    QUANTITY: String(quantity),
    PRICE_ONE_DUPLICATE: money(unit_amount, order.currency),
    PRICE_ALL_DUPLICATES: money(total_amount, order.currency),
    FULLNAME: name,
    FNAME: first,
    LNAME: last,
    EMAIL: email,
    PHONE: phone,
    COMPANY: company,
    LICENSE_FOR: joined(', ', name, company, email, phone),
    COUNTRY: of('country'),
    CITY: of('city'),
    ZIP: of('zip'),
    ADDRESS: of('address'),
    DATE: now.toISOString().slice(0, 10),
  }))
}

/** Facts about the order, in the order they are shown. */
function details (words: Wording, tags: Tags): Array<[string, string]> {
  return [[words.order, tags.get('ORDER_ID') ?? ''], [words.product, tags.get('PROGRAM_NAME') ?? ''], [words.quantity, tags.get('QUANTITY') ?? '']]
}

function wrapText (body: string, words: Wording, tags: Tags, sender: string): string {
  const facts = details(words, tags).map(([name, value]) => `${name}: ${value}`).join('\n')
  return `${words.greeting(tags.get('FULLNAME') ?? '')}\n\n${body}\n\n${facts}\n\n${words.regards}\n${sender}\n`
}

function wrapHtml (body: string, words: Wording, tags: Tags, sender: string): string {
  const facts = details(words, tags).map(([name, value]) => `${escapeHtml(name)}: ${escapeHtml(value)}`).join('<br>\n')
  return `<!doctype html>
<html><head><meta charset="utf-8"></head>
<body style="font-family:sans-serif">
<p>${escapeHtml(words.greeting(tags.get('FULLNAME') ?? ''))}</p>
<div>${body}</div>
<p>${facts}</p>
<p>${escapeHtml(words.regards)}<br>
${escapeHtml(sender)}</p>
</body></html>
`
}

/**
 * Writes a mail: the vendor's text with its tags filled in, between a greeting, the facts of the order and a signature.
 * The text is data and nothing in it is run. A text that forgot {KEY} gets the keys below it; a subject never has one.
 *
 * @throws TextTooLong
 */
export function render (letter: Letter): Rendered {
  const product = localized(letter.product, letter.order.locale)
  const { subject, text, html } = product.mail_template
  const words = wordingFor(locale(letter.order.locale ?? '').split('_')[0] ?? '')
  const tags = tagsOf({ ...letter, product })
  const keys = letter.licenses.map((license) => license.key)
  const values = { tags, keys, parent_keys: letter.parent_keys }
  const sender = oneLine(letter.sender)
  const lacksKey = (words: string): boolean => keys.length > 0 && !words.includes('{KEY}')
  const ownText = lacksKey(text) ? `${text}\n\n{KEY}` : text
  const htmlBody = html === undefined
    ? textToHtml(ownText, values)
    : `${fillHtml(html, values)}${lacksKey(html) ? `<p>${keysAsHtml(keys)}</p>` : ''}`
  return {
    subject: fillSubject(subject, tags) || fillSubject(words.subject('{PROGRAM_NAME}'), tags),
    text: wrapText(fillText(ownText, values), words, tags, sender),
    html: wrapHtml(htmlBody, words, tags, sender),
    recipient_name: tags.get('FULLNAME') ?? '',
  }
}
