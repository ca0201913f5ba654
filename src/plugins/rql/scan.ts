import { Problem } from '../../problems.js'
import type { Value } from './query.js'

// Node reads at most 16 KiB of request line and headers; this and the bounds of the parser limit what one query may cost.
const QUERY_CHARACTERS_MAX = 8000
const VALUES_MAX = 500

/**
 * The query string of a raw URL, percent-decoded as a whole, since quoted values may hold `&` and `=`.
 * A bad escape stays as it is, and so does `+`.
 *
 * @throws Problem query-invalid
 */
export function queryText (url: string): string {
  const start = url.indexOf('?')
  const raw = start === -1 ? '' : url.slice(start + 1)
  if (raw.length > QUERY_CHARACTERS_MAX) throw new Problem('query-invalid', `the query is longer than ${QUERY_CHARACTERS_MAX} characters`)
  const text = decodePercents(decodeBytes(raw))
  if (/\0|\p{Surrogate}/u.test(text)) throw new Problem('query-invalid', 'the query holds a character that is not text: NUL or half a surrogate pair')
  return text
}

/** Node hands over the bytes of a URL as Latin-1, and some clients (curl) send UTF-8 without escaping it. */
function decodeBytes (raw: string): string {
  if (!/[\x80-\xff]/.test(raw)) return raw
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(raw, 'latin1'))
  } catch {
    throw new Problem('query-invalid', 'the query is not UTF-8')
  }
}

/** One well-formed UTF-8 character at a time, so that a bad escape spoils nothing around it. */
function decodePercents (raw: string): string {
  return raw.replace(/%[0-7][\da-f]|%[cd][\da-f]%[89ab][\da-f]|%e[\da-f](?:%[89ab][\da-f]){2}|%f[0-7](?:%[89ab][\da-f]){3}/gi, (escape) => {
    try { return decodeURIComponent(escape) } catch { return escape }
  })
}

/** Walks a query from left to right. Every pattern is sticky and none backtracks, so the time is linear. */
export class Scanner {
  readonly #text: string
  #at = 0
  #values = 0

  constructor (text: string) { this.#text = text }

  ahead (pattern: RegExp): boolean {
    pattern.lastIndex = this.#at
    return pattern.test(this.#text)
  }

  take (pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match !== null) this.#at += match[0].length
    return match
  }

  expect (pattern: RegExp): void {
    if (this.take(pattern) === null) throw this.unexpected()
  }

  name (): string {
    const name = this.take(/ *([A-Za-z][\w.-]*)/y)?.[1]
    if (name === undefined) throw this.refusal('a name is expected')
    return name
  }

  /** A value that may be left out, which is the empty text. */
  valueOrNothing (): Value {
    return this.ahead(/$|[,)&|;]/y) ? '' : this.value()
  }

  value (): Value {
    if (++this.#values > VALUES_MAX) throw new Problem('query-invalid', `the query has more than ${VALUES_MAX} values`)
    this.take(/ */y)
    const constant = this.take(/(null|empty)\(\)/y)
    if (constant !== null) return constant[1] === 'null' ? null : ''
    const quoted = this.take(/(?:"([^"]*)"|'([^']*)') */y)
    if (quoted !== null) return quoted[1] ?? quoted[2] ?? ''
    const text = this.ahead(/["']/y) ? '' : this.take(/[^,()&|;]+/y)?.[0].trim() ?? ''
    if (text === '') throw this.refusal('a value is expected (in quotes, if it is empty or holds one of , ( ) & | ;)')
    return text
  }

  /** `a,b` */
  values (comma: RegExp): Value[] {
    const values = [this.value()]
    while (this.take(comma)) values.push(this.value())
    return values
  }

  unexpected (): Problem {
    const found = this.#text.slice(this.#at).match(/./su)?.[0]
    return this.refusal(found === undefined ? 'the query ends too early' : `"${found}" is not expected`)
  }

  refusal (what: string): Problem {
    return new Problem('query-invalid', `${what}, at character ${this.#at + 1} of the decoded query`)
  }
}
