import { parseJson } from '../plugins/json-body.js'
import { call, isSuccess, retryAfterMs, type Call, type Called, type Line } from '../webhooks/call.js'
import type { Checkout, Lookup } from './checkout.js'
import { checkouts } from './checkouts.js'
import type { Source } from './find-source.js'

export type LookedUp =
  | { outcome: 'answered', answers: Record<string, unknown> }
  /** it may go better later */
  | { outcome: 'put off', reason: string, retry_after_ms: number }
  /** it will not, unless somebody mends something */
  | { outcome: 'refused', reason: string }

type Api = NonNullable<Checkout['api']>

const BYTES_MAX = 1024 * 1024 // as much as a webhook may hold
/** What is no fault of the question: too slow, too early, too many, or the other side's own. */
const TEMPORARY = new Set([408, 425, 429])
const MEND = 'mend it by PUT /v1/payment-sources/{id} and replay the event'

type Keyed = Source & { api_key: string | undefined }

/** Why a call brought nothing. */
class Unanswered extends Error {
  readonly result: Exclude<LookedUp, { outcome: 'answered' }>

  constructor (result: Unanswered['result']) {
    super(result.reason)
    this.result = result
  }
}

const putOff = (reason: string, retry_after_ms = 0): Unanswered => new Unanswered({ outcome: 'put off', reason, retry_after_ms })
const refused = (reason: string): Unanswered => new Unanswered({ outcome: 'refused', reason })

/** What a refusal means, and what mends it. */
function whyRefused (status_code: number): string {
  switch (status_code) {
    case 401: return `it does not accept the api_key of the source; ${MEND}`
    case 403: return `the api_key of the source may not read it; ${MEND}`
    case 404: return `it knows no such thing; if the api_url or the api_key is another shop's, ${MEND}`
    default: return `it refuses the question; if the api_url is wrong, ${MEND}`
  }
}

/** Undefined: it is none, or holds what cannot be stored. */
function jsonOf (text: string): unknown {
  try {
    return parseJson(Buffer.from(text))
  } catch {
    return undefined
  }
}

/** The JSON of an answer. The key is blotted out, should the other side repeat it: answers are stored. @throws Unanswered */
function read (what: string, { status_code, body, error, retry_after }: Called, api_key: string): unknown {
  if (status_code === null) throw putOff(`${what}: ${error}`)
  if (status_code >= 500 || TEMPORARY.has(status_code)) throw putOff(`${what}: the checkout answered ${status_code}`, retryAfterMs(retry_after))
  if (!isSuccess({ status_code })) throw refused(`${what}: the checkout answered ${status_code}: ${whyRefused(status_code)}`)
  const value = jsonOf(body)
  if (value === undefined) throw putOff(`${what}: the checkout answered no JSON, or more than 1 MiB of it`)
  return JSON.parse(JSON.stringify(value).replaceAll(JSON.stringify(api_key).slice(1, -1), '[secret]')) // written anew, as the other side may escape more than is needed
}

/** What shows the vendor's key: the key itself, or the token it is exchanged for. @throws Unanswered */
async function authorized (ask: (asked: Call) => Promise<Called>, { token, headers }: Api, base: string, api_key: string): Promise<Record<string, string>> {
  if (token === undefined) return headers(api_key)
  const what = 'the token for its API'
  const answer = read(what, await ask({ url: `${base}${token.path}`, method: 'POST', headers: token.headers(api_key), body: token.body }), api_key)
  const access_token = (answer as { access_token?: unknown } | null | undefined)?.access_token
  if (typeof access_token !== 'string' || access_token === '') throw putOff(`${what}: the answer holds none`)
  return headers(access_token)
}

async function askAll (line: Line, { kind, options, api_key }: Keyed, lookups: readonly Lookup[], signal: AbortSignal): Promise<Record<string, unknown>> {
  const { api }: Checkout = checkouts[kind]
  if (api === undefined || api_key === undefined) throw refused(`api_key: the payment source has none to ask the checkout with; ${MEND}`)
  const base = (options.api_url ?? api.url).replace(/\/+$/, '')
  const ask = (asked: Call): Promise<Called> =>
    call(line, { ...asked, headers: { accept: 'application/json', 'user-agent': 'Latchkey', ...asked.headers } }, { signal, bytes_max: BYTES_MAX })
  const headers = await authorized(ask, api, base, api_key)
  const answers: Record<string, unknown> = {}
  for (const { name, path } of lookups) answers[name] = read(`the ${name}`, await ask({ url: `${base}${path}`, method: 'GET', headers }), api_key)
  return answers
}

/**
 * Asks the checkout's API with the vendor's key, one call after the other. Never within a transaction: the other side takes its time. Follows no
 * redirect, and connects only to addresses that may be called.
 */
export async function lookUp (line: Line, source: Keyed, lookups: readonly Lookup[], signal: AbortSignal): Promise<LookedUp> {
  try {
    return { outcome: 'answered', answers: await askAll(line, source, lookups, signal) }
  } catch (error) {
    if (error instanceof Unanswered) return error.result
    throw error
  }
}
