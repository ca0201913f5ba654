import t from 'tap'
import { ANSWER_BYTES_MAX, readAnswer } from '../../src/supplies/read-answer.js'
import { ATTEMPTS_MAX, RETRY_DELAYS_MS, retryDelayMs } from '../../src/supplies/schedule.js'
import { withTwoDecimals } from '../../src/supplies/compose.js'
import type { Called } from '../../src/webhooks/call.js'

const called = (body: string, more: Partial<Called> = {}): Called =>
  ({ status_code: 200, body, content_type: 'text/plain', is_complete: true, retry_after: undefined, error: null, duration_ms: 1, ...more })
const json = { content_type: 'application/json; charset=utf-8' }

// Guarantee: what is a license and what is not is exactly as docs/supplies.md says; a key that is cut, doubled or spoilt is never taken for one, and no error
// quotes the answer.
t.test('reading an answer', async (t) => {
  const keysOf = (body: string, quantity: number, more: Partial<Called> = {}) => {
    const answer = readAnswer(called(body, more), { quantity, temporary_pattern: 'BUSY (1' })
    return answer.outcome === 'licenses' ? answer.keys.map(String) : `${answer.outcome}: ${answer.error}`
  }
  t.same(keysOf('KEY-1', 1), ['KEY-1'])
  t.same(keysOf('\ufeffKEY-1\r\n\r\n KEY 2 \n\n', 2), ['KEY-1', ' KEY 2 '], 'a byte order mark and empty lines do not count, spaces do')
  t.same(keysOf('{KEY-1}', 1, { content_type: undefined }), ['{KEY-1}'], 'without a type it is plain text')
  t.same(keysOf('{"key": "Zürich", "more": 1}', 1, json), ['Zürich'])
  t.same(keysOf('{"keys": ["KEY-1", "KEY-2"]}', 2, json), ['KEY-1', 'KEY-2'])
  const bad: Array<[body: string, quantity: number, more: Partial<Called>, error: string]> = [
    ['', 1, {}, 'the answer has 0 of 1 licenses'],
    ['SECRET-1', 2, {}, 'the answer has 1 of 2 licenses'],
    ['SECRET-1\nSECRET-2', 1, {}, 'the answer has 2 of 1 licenses'],
    ['SECRET-1\nSECRET-1', 2, {}, 'the answer has the same license twice'],
    ['SECRET\u0007', 1, {}, 'license 1 of the answer: it holds the control character U+0007'],
    ['SECRET\ufffd', 1, {}, 'the answer is not valid UTF-8'],
    ['SECRET'.repeat(1000), 1, {}, 'license 1 of the answer: it is longer than 4096 bytes'],
    ['x'.repeat(ANSWER_BYTES_MAX), 1, { is_complete: false }, `the answer is longer than ${ANSWER_BYTES_MAX} bytes`],
    ['<html>SECRET</html>', 1, { content_type: 'text/html' }, 'the answer is neither text/plain nor application/json'],
    ['SECRET', 1, json, 'the answer is no JSON'],
    ['null', 1, json, 'the answer has neither key, a text, nor keys, a list of texts'],
    ['{"key": 5}', 1, json, 'the answer has neither key, a text, nor keys, a list of texts'],
    ['{"keys": "SECRET"}', 1, json, 'the answer has neither key, a text, nor keys, a list of texts'],
    ['{"keys": ["SECRET", ""]}', 2, json, 'the answer has neither key, a text, nor keys, a list of texts'],
    ['{"key": "SECRET", "keys": ["SECRET"]}', 1, json, 'the answer has both key and keys'],
    ['{"key": "a\\u0000b"}', 1, json, 'license 1 of the answer: it holds a NUL character'],
    ['{"key": "  "}', 1, json, 'a license of the answer is blank'],
    ['SECRET', 1, { status_code: 400 }, 'the service answered 400'],
    ['SECRET', 1, { status_code: 302 }, 'the service answered 302'],
  ]
  for (const [body, quantity, more, error] of bad) t.equal(keysOf(body, quantity, more), `fatal: ${error}`)
  const later: Array<[body: string, more: Partial<Called>, error: string]> = [
    ['SECRET', { is_complete: false }, 'the answer broke off'],
    ['wait, BUSY (1)', {}, 'the service answered a temporary error'],
    ['wait, BUSY (1)', { status_code: 400 }, 'the service answered a temporary error'],
    ...[500, 503, 599, 408, 425, 429].map((status_code): [string, Partial<Called>, string] => ['SECRET', { status_code }, `the service answered ${status_code}`]),
    ['', { status_code: null, error: 'no answer: ECONNREFUSED' }, 'no answer: ECONNREFUSED'],
  ]
  for (const [body, more, error] of later) t.equal(keysOf(body, 1, more), `temporary: ${error}`)
  t.equal(keysOf('', 1, { status_code: null, error: 'the address is not one that may be called' }), 'fatal: the address is not one that may be called')
})

// Guarantee: a service that is down from Friday evening to Monday noon is asked again, more and more slowly, and Retry-After is honoured within bounds.
t.test('the schedule', async (t) => {
  t.ok(RETRY_DELAYS_MS.reduce((sum, delay) => sum + delay) >= 72 * 3600_000)
  RETRY_DELAYS_MS.forEach((delay, i) => {
    const wait = retryDelayMs(i + 1) ?? 0
    t.ok(wait >= delay && wait <= delay * 1.2 && delay >= (RETRY_DELAYS_MS[i - 1] ?? 0))
  })
  t.equal(retryDelayMs(ATTEMPTS_MAX), undefined)
  const wait = retryDelayMs(1, '120') ?? 0
  t.ok(wait >= 120_000 && wait <= 144_000)
  t.ok((retryDelayMs(1, '999999') ?? 0) <= 4 * 3600_000 * 1.2)
})

// Guarantee: a sum has two decimals in every currency, rounded half up where the currency has three.
t.test('sums', async (t) => {
  for (const [minor, currency, text] of [['4900', 'EUR', '49.00'], ['5', 'EUR', '0.05'], ['500', 'JPY', '500.00'], ['12345', 'KWD', '12.35'], ['0', 'USD', '0.00'], ['9007199254740993', 'EUR', '90071992547409.93']] as const) {
    t.equal(withTwoDecimals(minor, currency), text)
  }
})
