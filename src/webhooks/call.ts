import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { isIP, isIPv6, type LookupFunction } from 'node:net'
import { hostOf, mayBeCalled, resolveName, type Resolve } from './address.js'

/** How calls go out. */
export interface Line {
  /** for all of a call, from the look-up of the name to the end of the answer */
  timeout_ms: number
  /** CIDR networks that may be called though they are not public */
  allowed_networks: readonly string[]
  resolve?: Resolve
}

export interface Call { url: string, method: 'GET' | 'POST', headers: Record<string, string>, body?: string }

/** How a call went. Without a status code there was no answer, and `error` says why. */
export interface Called {
  status_code: number | null
  body: string
  content_type: string | undefined
  /** the answer came to its end; otherwise the body may be cut */
  is_complete: boolean
  retry_after: string | undefined
  error: string | null
  duration_ms: number
}

/** The error of a call to an address that may not be called. */
export const REFUSED_ADDRESS = 'the address is not one that may be called'

const ANSWER_BYTES_MAX = 64 * 1024
const HEADER_BYTES_MAX = 16 * 1024
const REFUSED = 'ADDRESS_REFUSED'

const refusal = (): Error => Object.assign(new Error('the address may not be called'), { code: REFUSED })

/** Looks a name up and passes on only addresses that may be called: what is judged is what is connected to, so no second look-up can differ. */
function guardedLookup ({ allowed_networks, resolve = resolveName }: Line): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then((found) => {
      const [first, ...others] = found.filter((address) => mayBeCalled(address, allowed_networks))
        .map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }))
      if (first === undefined) callback(found.length > 0 ? refusal() : Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), '')
      else if (options.all === true) callback(null, [first, ...others])
      else callback(null, first.address, first.family)
    }).catch((error: unknown) => { callback(error as Error, '') })
  }
}

function reasonOf (error: unknown, { timeout_ms }: Line, deadline: AbortSignal): string {
  if (deadline.aborted) return `no answer within ${timeout_ms} ms`
  const { code, name } = error as { code?: string, name?: string } // its sentence might quote what was sent
  return code === REFUSED ? REFUSED_ADDRESS : `no answer: ${code ?? name ?? 'unknown'}`
}

/** Opens the connection and sends. Rejects where there is no answer. */
function send (line: Line, { url, method, headers, body }: Call, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const target = new URL(url)
    const host = hostOf(target)
    if (isIP(host) !== 0 && !mayBeCalled(host, line.allowed_networks)) throw refusal() // node looks up names only
    const request = (target.protocol === 'https:' ? https : http).request(target, {
      method, headers, signal, agent: false, lookup: guardedLookup(line), maxHeaderSize: HEADER_BYTES_MAX,
    })
    request.once('socket', (socket) => {
      socket.once('connect', () => { if (!mayBeCalled(socket.remoteAddress ?? '', line.allowed_networks)) socket.destroy(refusal()) })
    })
    // a redirect or a change of protocol is an answer like any other, and none of success
    request.once('upgrade', (response, socket) => { socket.destroy(); resolve(response) })
    request.once('response', resolve)
    request.on('error', reject)
    request.end(body)
  })
}

/** Reads the beginning of an answer, and cuts the connection where it goes on. What was read before a failure counts. */
function read (response: IncomingMessage, bytes_max: number): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let room = bytes_max
    const end = (): void => { resolve(Buffer.concat(chunks).toString()) }
    response.on('data', (chunk: Buffer) => {
      if (room > 0) chunks.push(chunk.subarray(0, room))
      room -= chunk.length
      if (room < 0) response.destroy()
    })
    response.once('end', end).once('close', end).on('error', end)
  })
}

/**
 * Calls a URL that somebody gave us, on a connection of its own; follows nothing, and never throws. Whatever the other side does, it is over
 * after `timeout_ms`, and no more than `bytes_max` of its answer is kept. Of webhooks, only this opens a socket.
 */
export async function call (
  line: Line, asked: Call, { signal, bytes_max = ANSWER_BYTES_MAX }: { signal?: AbortSignal, bytes_max?: number } = {}
): Promise<Called> {
  const started = performance.now()
  const deadline = AbortSignal.timeout(line.timeout_ms)
  const spent = (): number => Math.round(performance.now() - started)
  try {
    const response = await send(line, asked, signal === undefined ? deadline : AbortSignal.any([deadline, signal]))
    const body = response.statusCode === 101 ? '' : await read(response, bytes_max)
    const { statusCode: status_code = null, headers, complete: is_complete } = response
    return { status_code, body, content_type: headers['content-type'], is_complete, retry_after: headers['retry-after'], error: null, duration_ms: spent() }
  } catch (error) {
    return { status_code: null, body: '', content_type: undefined, is_complete: false, retry_after: undefined, error: reasonOf(error, line, deadline), duration_ms: spent() }
  }
}

const RETRY_AFTER_MAX_MS = 86_400_000 // a day: no longer than the longest wait of our own

/** The header Retry-After (RFC 9110 §10.2.3), seconds or a date, in milliseconds from now; what is neither is 0. */
export function retryAfterMs (header = ''): number {
  const ms = /^\d{1,9}$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS)
}

/** Only 2xx is success. */
export function isSuccess ({ status_code }: Pick<Called, 'status_code'>): boolean {
  return status_code !== null && status_code >= 200 && status_code < 300
}
