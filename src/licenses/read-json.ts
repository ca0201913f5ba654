import { isUtf8 } from 'node:buffer'
import { Problem } from '../problems.js'
import { expiryOfLine } from './expiry.js'
import { isBlank, toLoadLine, type LoadLine } from './key-rules.js'

/** A JSON document has to be held whole; larger loads go as text. */
const JSON_BYTES_MAX = 16 * 1024 * 1024
const LINES_PER_YIELD = 500
// Half of a surrogate pair, which JSON can write as \ud800: made into UTF-8 two such keys would become one.
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * The licenses of `{"licenses": ["…", {"key": "…", "expires_at": "…"}, …]}`; the place in the list, from 1, is the line.
 *
 * @throws Problem payload-too-large, malformed-json, validation-failed
 */
export async function * readJson (bytes: AsyncIterable<Buffer>): AsyncGenerator<LoadLine[]> {
  const licenses = licensesOf(parseJson(await collect(bytes)))
  const now = new Date()
  for (let start = 0; start < licenses.length; start += LINES_PER_YIELD) {
    yield licenses.slice(start, start + LINES_PER_YIELD).map((license, i) => readLicense(start + i + 1, license, now))
  }
}

async function collect (bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of bytes) {
    length += chunk.length
    if (length > JSON_BYTES_MAX) throw new Problem('payload-too-large', `a JSON load holds at most ${JSON_BYTES_MAX} bytes; send text/plain, one license per line`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The parser's own message quotes the document: it stays here. */
function parseJson (document: Buffer): unknown {
  if (!isUtf8(document)) throw new Problem('malformed-json')
  try {
    return JSON.parse(document.toString())
  } catch {
    throw new Problem('malformed-json')
  }
}

function licensesOf (document: unknown): unknown[] {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new Problem('validation-failed', { errors: ['body: must be an object with "licenses"'] })
  }
  const { licenses, ...others } = document as Record<string, unknown>
  const errors = Object.keys(others).map((name) => `body.${name.slice(0, 100)}: is not a known field`)
  if (!Array.isArray(licenses)) errors.unshift('body.licenses: must be a list of texts, or of objects with "key" and "expires_at"')
  if (errors.length > 0) throw new Problem('validation-failed', { errors: errors.slice(0, 20) })
  return licenses as unknown[]
}

function readLicense (line: number, license: unknown, now: Date): LoadLine {
  if (typeof license === 'object' && license !== null && !Array.isArray(license)) return readDated(line, license, now)
  return typeof license === 'string' ? readKey(line, license) : { line, reason: 'it is neither a text nor an object with "key"' }
}

function readDated (line: number, license: object, now: Date): LoadLine {
  const { key, expires_at = null, ...others } = license as Record<string, unknown>
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) return { line, reason: `its field ${unknown.slice(0, 100)} is not known` }
  if (typeof key !== 'string') return { line, reason: 'its key is not a text' }
  if (expires_at !== null && typeof expires_at !== 'string') return { line, reason: 'its expires_at is not a text' }
  return readKey(line, key, expiryOfLine(expires_at ?? undefined, now))
}

function readKey (line: number, text: string, expiry: ReturnType<typeof expiryOfLine> = {}): LoadLine {
  if (LONE_SURROGATE.test(text)) return { line, reason: 'it holds half of a surrogate pair' }
  const key = Buffer.from(text)
  return isBlank(key) ? { line, reason: 'it is empty' } : toLoadLine(line, key, expiry)
}
