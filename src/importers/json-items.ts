import { isUtf8 } from 'node:buffer'
import { Problem } from '../problems.js'

/** One license with all that is said about it, or one page of them in an array of pages. */
const ITEM_BYTES_MAX = 4 * 1024 * 1024
const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]

/** What is open around a byte: an object (with the member that is being read) or an array (with the member that it is). */
interface Frame { opened: number, member: string }

/**
 * The objects in the list `data` of a JSON document, in the lists `data` of several documents one after another or in one array (the pages of
 * an API), or in an array that is the document itself. One at a time: a document may be larger than memory. What else it holds is not looked at.
 *
 * @throws Problem validation-failed  it is not JSON, or it ends in the middle
 */
export async function * jsonItems (bytes: AsyncIterable<Buffer>): AsyncGenerator<unknown> {
  const scanner = new Scanner()
  for await (const chunk of bytes) {
    for (const item of scanner.scan(chunk)) {
      const parsed = parseItem(item) as { data?: unknown }
      if (Array.isArray(parsed.data)) yield * parsed.data as unknown[]
      else yield parsed
    }
  }
  scanner.end()
}

class Scanner {
  readonly #open: Frame[] = []
  /** the item that is being read, from chunks before this one */
  #item: Buffer[] = []
  #item_bytes = 0
  /** how many were open when it began; 0: none is being read */
  #item_depth = 0
  #in_string = false
  #escaped = false
  /** the string that is being read where it may be the name of a member, and the last one that was */
  #text: number[] = []
  #name = ''
  #began = false

  end (): void {
    if (!this.#began) throw notJson()
    if (this.#open.length > 0 || this.#in_string) throw new Problem('validation-failed', 'The file ends in the middle of its JSON: it was cut off. Export it again.')
  }

  * scan (chunk: Buffer): Generator<Buffer> {
    let start = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number
      if (this.#in_string) {
        this.#readString(byte)
      } else if (byte === QUOTE) {
        this.#in_string = true
        this.#text = []
      } else if (byte === COLON) {
        const frame = this.#open.at(-1)
        if (frame?.opened === OPEN_BRACE) frame.member = this.#name
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (this.#item_depth === 0 && byte === OPEN_BRACE && this.#isItems()) {
          this.#item_depth = this.#open.length + 1
          start = i
        }
        this.#open.push({ opened: byte, member: this.#open.at(-1)?.member ?? '' })
        this.#began = true
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (this.#open.pop()?.opened !== (byte === CLOSE_BRACE ? OPEN_BRACE : OPEN_BRACKET)) throw notJson()
        if (this.#item_depth === this.#open.length + 1) {
          yield this.#take(chunk.subarray(start, i + 1))
          this.#item_depth = 0
        }
      } else if (this.#open.length === 0 && !isSpace(byte) && byte !== COMMA) {
        throw notJson()
      }
    }
    if (this.#item_depth > 0) this.#keep(chunk.subarray(start))
  }

  #readString (byte: number): void {
    if (this.#escaped) this.#escaped = false
    else if (byte === BACKSLASH) this.#escaped = true
    else if (byte === QUOTE) {
      this.#in_string = false
      this.#name = String.fromCharCode(...this.#text)
    } else if (this.#text.length < 8) this.#text.push(byte) // enough to know `data`, and that a longer name is another
  }

  /** The document itself is a list, or this is the list `data` of a page. */
  #isItems (): boolean {
    const frame = this.#open.at(-1)
    return frame?.opened === OPEN_BRACKET && (this.#open.length === 1 || (this.#open.length === 2 && frame.member === 'data'))
  }

  #keep (part: Buffer): void {
    this.#item_bytes += part.length
    if (this.#item_bytes > ITEM_BYTES_MAX) throw new Problem('validation-failed', `One object of the file is larger than ${ITEM_BYTES_MAX} bytes: this is not a list of licenses.`)
    this.#item.push(Buffer.from(part))
  }

  #take (last: Buffer): Buffer {
    this.#keep(last)
    const item = Buffer.concat(this.#item)
    this.#item = []
    this.#item_bytes = 0
    return item
  }
}

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

const notJson = (): Problem => new Problem('validation-failed', 'The file is not JSON.')

/** The parser's own message quotes the document: it stays here. */
function parseItem (item: Buffer): unknown {
  try {
    if (isUtf8(item)) return JSON.parse(item.toString())
  } catch { /* said below */ }
  throw notJson()
}
