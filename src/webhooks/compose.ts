import { connectTime } from '../connect-time.js'
import { apiUrl } from './find.js'
import type { Call } from './call.js'
import type { ClaimedMessage } from './claim.js'
import type { Target } from './find-target.js'
import { noventiqSignature, type NoventiqBody } from './noventiq.js'
import { bearerToken, standardHeaders } from './sign.js'

const USER_AGENT = 'Latchkey-Webhooks'
const PROCESSING_TIMEOUT_S = 600 // Connect's figure

/** A call signed by the webhook's jwt_secret, as Connect signs it. */
export async function connectCall ({ id, external_url, http_method, headers, jwt_secret }: Target, public_url: string, json: string): Promise<Call> {
  const authorization = await bearerToken(jwt_secret ?? '', id, public_url)
  const body = http_method === 'GET' ? {} : { body: json }
  return { url: external_url, method: http_method, headers: { ...headers, ...standing(http_method === 'GET' ? '' : json), authorization }, ...body }
}

function standing (json: string): Record<string, string> {
  if (json === '') return { 'user-agent': USER_AGENT, accept: 'application/json' }
  return { 'user-agent': USER_AGENT, accept: 'application/json', 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(json)) }
}

/** Connect's signal: that something of a kind has changed, and where to look. */
export async function signalCall (target: Target, public_url: string): Promise<Call> {
  return connectCall(target, public_url, JSON.stringify({
    webhook_id: target.id,
    webhook_name: target.label,
    object_class: target.object_class,
    account_id: target.account_id,
    product_id: target.product_id,
    api_url: apiUrl(public_url, target.object_class),
    triggered_at: connectTime(new Date()),
    last_success_at: target.last_success?.time ?? null,
    last_failure_at: target.last_failure?.time ?? null,
    processing_timeout: PROCESSING_TIMEOUT_S,
    data: target.data,
  }))
}

/** One change, signed by Standard Webhooks with each secret. The body is the same on every try. */
export function changeCall (target: Target, { id, event, created_at, data }: ClaimedMessage, secrets: readonly string[]): Call {
  const body = JSON.stringify({ type: event, timestamp: created_at.toISOString(), data })
  return { url: target.external_url, method: 'POST', headers: { ...target.headers, ...standing(body), ...standardHeaders(secrets, id, body) }, body }
}

/** One message in the words of Noventiq, signed as it signs. */
export function noventiqCall ({ external_url, headers, jwt_secret }: Target, said: NoventiqBody): Call {
  const body = JSON.stringify(said)
  return { url: external_url, method: 'POST', headers: { ...headers, ...standing(body), signature: noventiqSignature(jwt_secret ?? '', said) }, body }
}
