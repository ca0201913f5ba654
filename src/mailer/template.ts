import { HtmlPlaces, type Place } from './html-places.js'

/** The 24 tags of the trade. */
const OF_THE_TRADE = [
  'KEY', 'PARENT_KEY', 'ORDER_ID', 'PRICEGROUP_ID', 'PROGRAM_NAME', 'PROGRAM_SHORT', 'QUANTITY', 'PRICE_ONE_DUPLICATE', 'PRICE_ALL_DUPLICATES',
  'FULLNAME', 'FNAME', 'LNAME', 'EMAIL', 'PHONE', 'COMPANY', 'LICENSE_FOR', 'COUNTRY', 'CITY', 'ZIP', 'ADDRESS', 'URL', 'URL_FULL', 'DATE', 'ADDINFO_TEXT',
] as const
/** Every tag; `{N}` only within a block. */
export const TAGS: readonly string[] = [...OF_THE_TRADE, 'EXPIRES', 'ORDER_PAGE', 'SENDER', 'N']
const OF_KEYS = new Set(['KEY', 'PARENT_KEY'])

/** A tag in a text. `written`: as it stands there. */
export interface Tag { name: string, place: Place, written: string }
/** What stands between {#KEYS} and {/KEYS}: written once for each license. */
export interface Block { each: ReadonlyArray<string | Tag> }
export type Part = string | Tag | Block

/** What is wrong with a text. `at`: where in it, in UTF-16 units. */
export interface Fault { at: number, message: string }
export interface Template { parts: Part[], faults: Fault[] }

/** Who wrote so many faults has to read them one after the other. Bounds what telling them costs. */
const FAULTS_MAX = 20
const MARK = /\{([#/]?)([A-Z][A-Z0-9_]{0,31})\}/g

/** In how few steps of one character a word becomes another. */
function distance (one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[other.length] ?? 0
}

const nearestTo = (name: string): string => TAGS.toSorted((a, b) => distance(name, a) - distance(name, b))[0] ?? ''

/** Reads a text into what is written as it stands, tags and blocks. */
class TemplateReader {
  readonly parts: Part[] = []
  readonly faults: Fault[] = []
  readonly #html: HtmlPlaces | undefined
  #block: { at: number, each: Array<string | Tag> } | undefined

  constructor (format: 'text' | 'html') {
    this.#html = format === 'html' ? new HtmlPlaces() : undefined
  }

  literal (text: string): void {
    if (text === '') return
    this.#html?.read(text)
    this.#add(text)
  }

  tag (written: string, name: string, at: number): void {
    if (!TAGS.includes(name)) return this.#asWritten(written, at, this.#isFull() ? '' : `${written} is no tag; did you mean {${nearestTo(name)}}?`)
    if (name === 'N' && this.#block === undefined) return this.#asWritten(written, at, '{N} stands only between {#KEYS} and {/KEYS}')
    const { place, name: where } = this.#html?.placeTag() ?? { place: 'text', name: 'text' }
    if (place === 'nowhere' || place.startsWith('unquoted')) this.#fault(at, `${written} must not stand in ${where}`)
    this.#add({ name, place, written })
  }

  open (written: string, name: string, at: number): void {
    const fault = name !== 'KEYS'
      ? `${written} is no block; the only one is {#KEYS}…{/KEYS}`
      : this.#block !== undefined ? `${written} stands within another block, and blocks do not nest` : this.#notInText('begin')
    if (fault !== undefined) return this.#asWritten(written, at, fault)
    this.#block = { at, each: [] }
  }

  close (written: string, name: string, at: number): void {
    const fault = name !== 'KEYS'
      ? `${written} is no block; the only one is {#KEYS}…{/KEYS}`
      : this.#block === undefined ? `${written} ends a block that was not begun` : this.#notInText('end')
    if (fault !== undefined || this.#block === undefined) return this.#asWritten(written, at, fault ?? '')
    if (this.#block.each.length > 0) this.parts.push({ each: this.#block.each })
    this.#block = undefined
  }

  end (): Template {
    if (this.#block !== undefined) {
      this.#fault(this.#block.at, '{#KEYS} begins a block that is not ended: {/KEYS} is missing')
      this.parts.push('{#KEYS}', ...this.#block.each)
    }
    return { parts: this.parts, faults: this.faults }
  }

  #isFull (): boolean {
    return this.faults.length >= FAULTS_MAX
  }

  #fault (at: number, message: string): void {
    if (!this.#isFull()) this.faults.push({ at, message })
  }

  #add (part: string | Tag): void {
    (this.#block?.each ?? this.parts).push(part)
  }

  /** What is no tag stands in the mail as in the text. */
  #asWritten (written: string, at: number, message: string): void {
    this.#fault(at, message)
    this.literal(written)
  }

  /** A block may be written any number of times, so it must leave the markup as it finds it. */
  #notInText (what: 'begin' | 'end'): string | undefined {
    const place = this.#html?.placeTag().place ?? 'text'
    return place === 'text' || place === 'link' ? undefined : `a block must ${what} in text, not inside an HTML tag, a comment or a style`
  }
}

/** The length of the line break after what begins or ends a block, if that is all that stands in its line: it would be an empty line in the mail. */
function ownLine (text: string, begin: number, end: number): number {
  if (begin > 0 && text[begin - 1] !== '\n') return 0
  return text[end] === '\n' ? 1 : text.startsWith('\r\n', end) ? 2 : 0
}

/**
 * Reads a vendor's text. Only {UPPER_CASE} is a tag, {#KEYS} and {/KEYS} make a block; all else is text, and so is what has a fault. In one pass: nothing
 * is run, and what a tag stands for is not looked at.
 */
export function readTemplate (text: string, format: 'text' | 'html'): Template {
  const reader = new TemplateReader(format)
  let end = 0
  for (const { 0: written, 1: sign, 2: name = '', index } of text.matchAll(MARK)) {
    reader.literal(text.slice(end, index))
    if (sign === '#') reader.open(written, name, index)
    else if (sign === '/') reader.close(written, name, index)
    else reader.tag(written, name, index)
    end = index + written.length
    if (sign !== '') end += ownLine(text, index, end)
  }
  reader.literal(text.slice(end))
  return reader.end()
}

/** The tags of a text, those within blocks too. */
export function tagsIn ({ parts }: Template): Tag[] {
  return parts.flatMap((part) => typeof part === 'string' ? [] : 'each' in part ? part.each.filter((inner) => typeof inner !== 'string') : [part])
}

/** Whether the keys of licenses stand there: a tag that may be in no subject. */
export const isOfKeys = ({ name }: Tag): boolean => OF_KEYS.has(name)
