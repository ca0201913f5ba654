import type { Place } from './html-places.js'
import { isOfKeys, readTemplate, type Part, type Tag } from './template.js'

/** What the tags of a vendor's text stand for, but those of licenses. */
export type Tags = ReadonlyMap<string, string>

/** A license in clear. `expires_at` null: it is good for ever. */
export interface MailedLicense { key: string, expires_at: Date | null }

/** What a text is filled in with. */
export interface Values { tags: Tags, licenses: readonly MailedLicense[], parent_keys: readonly string[] }

// Mail servers refuse mails of more than 10 to 50 MB, and {KEY} may be written often and stand for thousands of keys.
const LENGTH_MAX = 10_000_000
/** What a tag, or a part of a block, counts for beside its text, so that a hundred thousand empty ones end too. */
const TAG_LENGTH = 32

/** The text would be too long to be mailed. */
export class TextTooLong extends Error {
  override readonly name = 'TextTooLong'
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

export function escapeHtml (text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string)
}

/**
 * One line: a value that a customer typed can neither add a line to a text nor a header to a mail; nor turn around what stands beside it, which the
 * controls of bidirectional text do (UAX 9, 2.1 to 2.5). Names in Arabic or Hebrew need none.
 */
export function oneLine (text: string): string {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, '').replace(/[\s\p{Cc}]+/gu, ' ').trim()
}

/** One line of a header: what would be read as an encoded word (RFC 2047, 2), and shown as what it encodes, is taken apart. */
export function headerLine (text: string): string {
  return oneLine(text).replaceAll('=?', '= ?')
}

/** The day of a moment, in UTC. */
export const dayOf = (moment: Date): string => moment.toISOString().slice(0, 10)

/** What a tag stands for, one text for each key; undefined: it means nothing here. `nth`: within a block, of which license, from 0. */
function valuesOf (name: string, { tags, licenses, parent_keys }: Values, nth: number | undefined): readonly string[] | undefined {
  if (name === 'PARENT_KEY') return parent_keys
  const license = nth === undefined ? undefined : licenses[nth]
  if (nth === undefined || license === undefined) {
    if (name === 'KEY') return licenses.map(({ key }) => key)
    if (name === 'EXPIRES') return [[...new Set(licenses.flatMap(({ expires_at }) => expires_at === null ? [] : [dayOf(expires_at)]))].sort().join(', ')]
  } else {
    if (name === 'KEY') return [license.key]
    if (name === 'N') return [String(nth + 1)]
    if (name === 'EXPIRES') return [license.expires_at === null ? '' : dayOf(license.expires_at)]
  }
  const value = tags.get(name)
  return value === undefined ? undefined : [value]
}

/** How what a tag stands for is written. `nth`: within a block, of which license. */
type Show = (shown: readonly string[], tag: Tag, nth: number | undefined) => string

/** Writes the parts one after the other, blocks once for each license. */
function fill (parts: readonly Part[], values: Values, show: Show): string {
  const written: string[] = []
  const known = new Map<string, string>() // what stands outside of blocks is the same each time, and may be thousands of keys
  let length = 0
  const add = (text: string, counted = text.length): void => {
    length += counted
    if (length > LENGTH_MAX) throw new TextTooLong()
    written.push(text)
  }
  const addTag = (tag: Tag, nth?: number): void => {
    const id = nth === undefined ? `${tag.name} ${tag.place}` : ''
    const before = known.get(id)
    if (before !== undefined) return add(before, before.length + TAG_LENGTH)
    const shown = valuesOf(tag.name, values, nth)
    const text = shown === undefined ? tag.written : show(shown, tag, nth)
    if (nth === undefined) known.set(id, text)
    add(text, text.length + TAG_LENGTH + (shown ?? []).reduce((sum, value) => sum + value.length, 0))
  }
  for (const part of parts) {
    if (typeof part === 'string') add(part)
    else if ('name' in part) addTag(part)
    else values.licenses.forEach((_, nth) => { for (const inner of part.each) typeof inner === 'string' ? add(inner, inner.length + TAG_LENGTH) : addTag(inner, nth) })
  }
  return written.join('')
}

/** A subject: no key stands there. */
export function fillSubject (text: string, tags: Tags): string {
  const { parts } = readTemplate(text, 'text')
  const values = { tags, licenses: [], parent_keys: [] }
  const line = headerLine(fill(parts, values, (shown, tag) => isOfKeys(tag) ? '' : shown.join(' ')))
  return Array.from(line).slice(0, 255).join('')
}

/** Plain text: one key per line. */
export function fillText (text: string, values: Values): string {
  return fill(readTemplate(text, 'text').parts, values, (shown) => shown.join('\n'))
}

export function isLink (text: string): boolean {
  return /^https?:\/\/[^\s]+$/i.test(text) && URL.canParse(text)
}

const linked = (url: string, shown: string): string => isLink(url) ? `<a href="${escapeHtml(url)}">${shown}</a>` : shown

/** Values as text of HTML, one per line; a key is set off, and a web address can be clicked, unless a link is around it. */
function asText (shown: readonly string[], tag: Tag): string {
  return shown.map((value) => {
    const html = isOfKeys(tag) ? `<code style="font-family:monospace;white-space:pre-wrap">${escapeHtml(value)}</code>` : escapeHtml(value)
    return tag.place === 'text' && (isOfKeys(tag) || tag.name.startsWith('URL') || tag.name === 'ORDER_PAGE') ? linked(value, html) : html
  }).join('<br>\n')
}

/** The whole of a URL: no other kinds than these lead to a page or a mail. What is anything else is left out. */
const asUrl = (value: string): string => isLink(value) || /^mailto:[^\s]+$/i.test(value) ? escapeHtml(value) : ''
const asUrlPart = (value: string): string => escapeHtml(encodeURIComponent(value.replace(/\p{Surrogate}/gu, '\ufffd')).replaceAll('%40', '@'))
/** Of texts from before there was a check: without quotes every sign could end the value. */
const unquoted = (html: string): string => html.replace(/[^\p{L}\p{N}&;#]/gu, (sign) => `&#${sign.codePointAt(0) ?? 0};`)

const WRITERS: Readonly<Record<Exclude<Place, 'text' | 'link'>, (value: string) => string>> = {
  plain: escapeHtml,
  attribute: escapeHtml,
  url: asUrl,
  'url part': asUrlPart,
  unquoted: (value) => unquoted(escapeHtml(value)),
  'unquoted url': (value) => unquoted(asUrl(value)),
  nowhere: () => '',
}

/**
 * A vendor's own HTML: it is taken as it is, and what tags stand for is written as their places ask for. `has_keys`: every key can be read there;
 * it cannot where its only place was one for web addresses, and it is none.
 */
export function fillHtml (html: string, values: Values): { html: string, has_keys: boolean } {
  const told = new Set<number | undefined>()
  const filled = fill(readTemplate(html, 'html').parts, values, (shown, tag, nth) => {
    const text = tag.place === 'text' || tag.place === 'link' ? asText(shown, tag) : WRITERS[tag.place](shown.join('\n'))
    if (tag.name === 'KEY' && text !== '') told.add(nth)
    return text
  })
  return { html: filled, has_keys: told.has(undefined) || values.licenses.every((_, nth) => told.has(nth)) }
}

const linesAsHtml = (text: string): string => escapeHtml(text).replace(/\r?\n/g, '<br>\n')
const partsAsHtml = <P extends Part>(parts: readonly P[]): P[] => parts.map((part) => (typeof part === 'string' ? linesAsHtml(part) : part) as P)

/** A vendor's plain text as HTML: the same words, lines kept. */
export function textToHtml (text: string, values: Values): string {
  const parts = partsAsHtml(readTemplate(text, 'text').parts.map((part) => typeof part === 'string' || 'name' in part ? part : { each: partsAsHtml(part.each) }))
  return fill(parts, values, asText)
}
