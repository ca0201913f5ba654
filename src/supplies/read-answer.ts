import { isBlank, toLoadLine } from '../licenses/key-rules.js'
import { isSuccess, REFUSED_ADDRESS, type Called } from '../webhooks/call.js'

/** How a call ended. `temporary`: to be tried again. `fatal`: the supply cannot help. An error is a sentence of ours, with no word of the answer. */
export type Answer =
  | { outcome: 'licenses', keys: Buffer[] }
  | { outcome: 'temporary', error: string, retry_after?: string | undefined }
  | { outcome: 'fatal', error: string }

/** 10,000 keys of 100 bytes; an answer that is longer is none that was asked for. */
export const ANSWER_BYTES_MAX = 1024 * 1024

/** Statuses of "not now", beside 5xx (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4). */
const TEMPORARY = new Set([408, 425, 429])

const fatal = (error: string): Answer => ({ outcome: 'fatal', error })

/** The texts of a JSON answer; a sentence: why there are none. */
function fromJson (body: string): string[] | string {
  let answer: unknown
  try {
    answer = JSON.parse(body)
  } catch {
    return 'the answer is no JSON'
  }
  const { key, keys } = (typeof answer === 'object' && answer !== null ? answer : {}) as { key?: unknown, keys?: unknown }
  if (key !== undefined && keys !== undefined) return 'the answer has both key and keys'
  const found = keys ?? [key]
  if (!Array.isArray(found) || !found.every((text) => typeof text === 'string' && text !== '')) return 'the answer has neither key, a text, nor keys, a list of texts'
  return found as string[]
}

/** The texts of a plain answer: one a line, empty lines left out. */
const fromText = (body: string): string[] => body.split(/\r?\n/).filter((line) => !isBlank(Buffer.from(line)))

/** Reads what a service answered to a demand for so many licenses: exactly as many, under the rules of a load, each once. */
export function readAnswer (called: Called, { quantity, temporary_pattern }: { quantity: number, temporary_pattern?: string | undefined }): Answer {
  const { status_code, body, retry_after } = called
  if (status_code === null) return called.error === REFUSED_ADDRESS ? fatal(called.error) : { outcome: 'temporary', error: called.error ?? 'no answer' }
  if (temporary_pattern !== undefined && body.includes(temporary_pattern)) return { outcome: 'temporary', error: 'the service answered a temporary error', retry_after }
  if (status_code >= 500 || TEMPORARY.has(status_code)) return { outcome: 'temporary', error: `the service answered ${status_code}`, retry_after }
  if (!isSuccess(called)) return fatal(`the service answered ${status_code}`)
  if (Buffer.byteLength(body) >= ANSWER_BYTES_MAX) return fatal(`the answer is longer than ${ANSWER_BYTES_MAX} bytes`)
  if (!called.is_complete) return { outcome: 'temporary', error: 'the answer broke off' } // half a key must not pass for one
  return readKeys(called, quantity)
}

function readKeys ({ body, content_type }: Called, quantity: number): Answer {
  const type = (content_type ?? 'text/plain').split(';')[0]?.trim().toLowerCase()
  if (type !== 'text/plain' && type !== 'application/json') return fatal('the answer is neither text/plain nor application/json')
  if (body.includes('\ufffd')) return fatal('the answer is not valid UTF-8')
  const text = body.replace(/^\ufeff/, '')
  const texts = type === 'text/plain' ? fromText(text) : fromJson(text)
  if (typeof texts === 'string') return fatal(texts)
  const lines = texts.map((line, i) => toLoadLine(i + 1, Buffer.from(line)))
  for (const line of lines) if ('reason' in line) return fatal(`license ${line.line} of the answer: ${line.reason}`)
  if (texts.some((line) => isBlank(Buffer.from(line)))) return fatal('a license of the answer is blank')
  if (texts.length !== quantity) return fatal(`the answer has ${texts.length} of ${quantity} licenses`)
  if (new Set(texts).size < texts.length) return fatal('the answer has the same license twice')
  return { outcome: 'licenses', keys: texts.map((line) => Buffer.from(line)) }
}
