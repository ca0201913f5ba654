import { isIP } from 'node:net'
import type { Static } from 'typebox'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import { hostOf, mayBeCalled } from './address.js'
import { MASK, SHARED_CLASSES, type NewWebhook, type WebhookType } from './schema.js'
import { choiceOf } from './told.js'

/** Who asks: webhooks are of vendors and providers. */
export interface Owner { id: string, type: 'operator' | 'vendor' | 'provider', key_id: string }

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/ // RFC 9110 §5.6.2
const HEADER_VALUE = /^[\x20-\x7e\t]*$/
/** What we set, or what is between us and the next hop. */
const RESERVED = /^(host|content-.*|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|proxy-.*|user-agent|webhook-.*)$/i

function faultsOfUrl (text: string, allowed_networks: readonly string[]): string[] {
  if (!URL.canParse(text)) return ['external_url: must be a URL']
  const url = new URL(text)
  if (!['http:', 'https:'].includes(url.protocol)) return ['external_url: must start with http:// or https://']
  if (url.username !== '' || url.password !== '') return ['external_url: must not hold credentials; send them in headers']
  const host = hostOf(url)
  return isIP(host) !== 0 && !mayBeCalled(host, allowed_networks) ? ['external_url: its address is not one that may be called; see WEBHOOK_ALLOWED_NETWORKS'] : []
}

/** The header that says who calls; of type change it is reserved already. */
function signatureHeader (type: WebhookType): string | undefined {
  return type === 'change' ? undefined : type === 'noventiq' ? 'signature' : 'authorization'
}

function faultsOfHeaders (headers: Readonly<Record<string, string>>, type: WebhookType): string[] {
  return Object.entries(headers).flatMap(([name, value]) => {
    if (!HEADER_NAME.test(name)) return ['headers: has a name that is none of a header']
    if (RESERVED.test(name) || signatureHeader(type) === name.toLowerCase()) return [`headers.${name}: is set by the service; remove it`]
    return HEADER_VALUE.test(value) ? [] : [`headers.${name}: must be printable ASCII`]
  })
}

/** What a change of a webhook may give, with `type` that it has. */
export interface Given {
  type: WebhookType
  external_url?: string | undefined
  http_method?: 'POST' | 'GET' | undefined
  headers?: Readonly<Record<string, string>> | null | undefined
  object_class: string
  event_types?: readonly string[] | null | undefined
}

function faultsOfEventTypes ({ type, object_class, event_types }: Given): string[] {
  const choice = choiceOf(type, object_class)
  const unknown = (event_types ?? []).filter((event) => !choice.includes(event))
  if (unknown.length === 0) return []
  if (choice.length === 0) return [`event_types: cannot be chosen for type ${type} and object_class ${object_class}; leave it out`]
  return unknown.map((event) => `event_types: "${event}" is not told; choose of ${choice.join(', ')}`)
}

/** The faults of what is given for a webhook of the type, one sentence each. */
export function faultsOf (given: Given, allowed_networks: readonly string[]): string[] {
  const { type, external_url, http_method, headers } = given
  return [
    ...(external_url === undefined ? [] : faultsOfUrl(external_url, allowed_networks)),
    ...(http_method === 'GET' && type !== 'event' ? [`http_method: must be POST for type ${type}`] : []),
    ...faultsOfHeaders(headers ?? {}, type),
    ...faultsOfEventTypes(given),
  ]
}

type New = Static<typeof NewWebhook> & { type: WebhookType }

/** The faults of a new webhook for its owner. */
export function faultsOfNew (body: New, owner: Owner, allowed_networks: readonly string[]): string[] {
  const { type, object_class, product_id, jwt_secret } = body
  const shared = (SHARED_CLASSES as readonly string[]).includes(object_class)
  return [
    ...faultsOf(body, allowed_networks),
    ...(!shared && owner.type !== 'vendor' ? [`object_class: ${object_class} is for vendors`] : []),
    ...(!shared && type !== 'change' && type !== 'noventiq' ? [`type: must be change for object_class ${object_class}`] : []),
    ...(type === 'noventiq' && object_class !== 'order' ? ['object_class: must be order for type noventiq'] : []),
    ...(type !== 'change' && type !== 'noventiq' && (product_id ?? '') === '' ? ['product_id: is required'] : []),
    ...(type !== 'change' && ['', MASK].includes(jwt_secret ?? '') ? ['jwt_secret: is required'] : []),
    ...Object.entries(body.headers ?? {}).filter(([, value]) => value === MASK).map(([name]) => `headers.${name}: has no value to keep`),
  ]
}

/** @throws Problem validation-failed  if there are faults */
export function refuse (faults: readonly string[]): void {
  if (faults.length > 0) throw new Problem('validation-failed', { detail: faults.join('; '), errors: [...faults] })
}

/**
 * The vendor of a product that the owner may ask about: its own, or one that a provider is connected to.
 *
 * @throws Problem product-not-found
 */
export async function vendorOf (db: Reader, owner: Owner, product_id: string): Promise<string> {
  const found = owner.type === 'provider'
    ? await db.selectFrom('connections').select('account_id').where('provider_id', '=', owner.id).where('product_id', '=', product_id)
      .where('status', 'not in', ['rejected', 'revoked']).executeTakeFirst()
    : await db.selectFrom('products').select('account_id').where('account_id', '=', owner.id).where('id', '=', product_id).executeTakeFirst()
  if (found === undefined) throw new Problem('product-not-found', { detail: 'product_id: there is no such product', errors: ['product_id: there is no such product'] })
  return found.account_id
}
