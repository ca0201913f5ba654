import { Problem } from '../problems.js'
import { call, isSuccess, type Line } from '../webhooks/call.js'
import { refused } from './signatures.js'

const FRESH_MS = 12 * 3_600_000 // certificates are named by their URL, and live for months
const TEXTS_MAX = 100
const UNDER_WAY_MAX = 8 // whoever posts a webhook that is not signed can make us call: not many times at once
const BYTES_MAX = 64 * 1024

/** GETs a text that a signature is checked with. Which URL may be asked is for the caller to judge. */
export function textFetcher (line: Line): (url: string) => Promise<string> {
  const known = new Map<string, { until: number, text: Promise<string> }>()
  let under_way = 0

  const fetch = async (url: string): Promise<string> => {
    if (under_way >= UNDER_WAY_MAX) throw new Problem('unavailable', 'too many certificates are being fetched; send it again')
    under_way++
    const called = await call(line, { url, method: 'GET', headers: { accept: '*/*' } }, { bytes_max: BYTES_MAX }).finally(() => { under_way-- })
    if (isSuccess(called)) return called.body
    if (called.status_code !== null && called.status_code < 500) throw refused(`what it is to be checked with was not found: ${called.status_code}`)
    throw new Problem('unavailable', `what it is to be checked with could not be fetched: ${called.error ?? called.status_code}`)
  }

  return (url) => {
    const hit = known.get(url)
    if (hit !== undefined && hit.until > performance.now()) return hit.text
    if (known.size >= TEXTS_MAX) known.clear()
    const text = fetch(url)
    known.set(url, { until: performance.now() + FRESH_MS, text })
    text.catch(() => { known.delete(url) })
    return text
  }
}
