import { entriesFor, plainLocale } from './localized.js'
import { escapeHtml, fillHtml, fillSubject, fillText, headerLine, textToHtml, type MailedLicense, type Values } from './tags.js'
import { readTemplate, tagsIn } from './template.js'
import { valuesOf } from './values.js'
import { isRightToLeft, wordingFor, type Wrapper } from './wording.js'

export type { MailedLicense } from './tags.js'

/** A vendor's words. `html` absent: made from the text. */
export interface MailTemplate { subject: string, text: string, html?: string }

/** What a product is called, and where it is found, in mails. */
export interface ProductNames { name: string, family_name?: string, url_to_instructions?: string, url_to_download?: string }

/** What replaces names and words for the customers of a locale. */
export type LocalWords = Partial<ProductNames> & { mail_template?: Partial<MailTemplate> }

/** A product as far as a mail needs it; `locales` replaces its names and words, by locale (`pt_BR`) or language (`pt`). */
export interface MailedProduct extends ProductNames {
  id: string
  mail_template: MailTemplate
  locales: Readonly<Record<string, LocalWords>>
}

/** What an account says around its words, by locale; `default`: in all others. */
export type WrapperTexts = Readonly<Record<string, Partial<Wrapper>>>

/** What one mail is about. `amount`s are in the minor units of the currency, and null where they are not known. */
export interface Letter {
  sender: string
  product: MailedProduct
  /** absent: the service's own words */
  wrapper?: WrapperTexts
  /** `customer` may hold the `licensee` and the `additional_info` of the order too */
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
  /** when it was first written */
  now: Date
}

/** `locale_used`: of the words of the product; null: its own. */
export interface Rendered { subject: string, text: string, html: string, recipient_name: string, locale_used: string | null }

/**
 * The product in the words of a locale: those of `pt_BR`, else of `pt`, else its own; each name, address, subject and text on its own. `locale_used`: the most
 * exact that had a part; null: none.
 */
export function localized (product: MailedProduct, wanted: string | null): MailedProduct & { locale_used: string | null } {
  let { mail_template: words, ...names } = product
  let locale_used: string | null = null
  for (const [locale, { mail_template, ...own }] of entriesFor(product.locales, wanted)) {
    const { text, html, subject } = mail_template ?? {}
    // a text of another language must not come with the HTML of this one
    if (text !== undefined || html !== undefined) {
      words = { subject: words.subject, text: text ?? words.text, ...(html === undefined ? {} : { html }) }
    }
    if (subject !== undefined) words = { ...words, subject }
    names = { ...names, ...own }
    locale_used = locale
  }
  return { ...names, mail_template: words, locale_used }
}

/** What stands around the words for a locale: the account's for `pt_BR`, else for `pt`, else for all, else the service's own in the language. */
function wrapperFor (texts: WrapperTexts, wanted: string | null): Wrapper & { language: string } {
  const { default: for_all = {}, ...local } = texts
  const own = wordingFor(plainLocale(wanted ?? ''))
  const entries = entriesFor(local, wanted)
  const language = entries.at(-1)?.[0] ?? own.language
  return Object.assign({}, own, for_all, ...entries.map(([, entry]) => entry), { language }) as Wrapper & { language: string }
}

interface Written { text: string, html: string }

const filled = (parts: readonly string[]): string[] => parts.filter((part) => part.trim() !== '')

function documentOf (parts: readonly string[], locale: string): string {
  const direction = isRightToLeft(plainLocale(locale)) ? ' dir="rtl"' : ''
  return `<!doctype html>
<html lang="${escapeHtml(locale.replaceAll('_', '-'))}"${direction}><head><meta charset="utf-8"></head>
<body style="font-family:sans-serif">
${filled(parts).join('\n')}
</body></html>
`
}

/** The words of the product as text and as HTML, with all keys in each. */
function bodyOf ({ text, html }: MailTemplate, values: Values): Written {
  const lacks_key = values.licenses.length > 0 && !tagsIn(readTemplate(text, 'text')).some((tag) => tag.name === 'KEY')
  const whole = lacks_key ? `${text}\n\n{KEY}` : text
  if (html === undefined) return { text: fillText(whole, values), html: textToHtml(whole, values) }
  const own = fillHtml(html, values)
  return { text: fillText(whole, values), html: own.has_keys ? own.html : `${own.html}<p>${textToHtml('{KEY}', values)}</p>` }
}

/**
 * Writes a mail: the vendor's text with its tags filled in, between a greeting, the facts of the order and a signature.
 * The text is data and nothing in it is run. A text that forgot {KEY} gets the keys below it; a subject never has one.
 *
 * @throws TextTooLong
 */
export function render (letter: Letter): Rendered {
  const { locale_used, ...product } = localized(letter.product, letter.order.locale)
  const wrapper = wrapperFor(letter.wrapper ?? {}, letter.order.locale)
  const values = valuesOf({ ...letter, product })
  const body = bodyOf(product.mail_template, values)
  const around = [wrapper.greeting, wrapper.details, wrapper.signature].map((text) => ({ text: fillText(text, values), html: textToHtml(text, values) }))
  const [greeting, details, signature] = around.map(({ text, html }) => ({
    text: text.replaceAll(' ,', ','), // without a name `Hello {FULLNAME},` would be `Hello ,`
    html: text.trim() === '' ? '' : `<p>${html.replaceAll(' ,', ',')}</p>`,
  })) as [Written, Written, Written]
  return {
    subject: fillSubject(product.mail_template.subject, values.tags) || fillSubject(wordingFor(plainLocale(letter.order.locale ?? '')).subject, values.tags),
    text: `${filled([greeting.text, body.text, details.text, signature.text]).join('\n\n')}\n`,
    html: documentOf([greeting.html, `<div>${body.html}</div>`, details.html, signature.html], locale_used ?? wrapper.language),
    recipient_name: headerLine(values.tags.get('FULLNAME') ?? ''),
    locale_used,
  }
}
