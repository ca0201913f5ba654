import { isIP } from 'node:net'
import { Problem } from '../problems.js'
import { hostOf, mayBeCalled } from '../webhooks/address.js'
import type { Checkout, SourceOptions } from './checkout.js'
import { checkouts, type CheckoutKind } from './checkouts.js'

type Option = Exclude<keyof SourceOptions, 'has_api_key'>

/** What a vendor sets for a source; null takes it back, absent leaves it. */
export type Settings = { [name in Option]?: SourceOptions[name] | null | undefined } & {
  /** sealed at rest, shown never */
  api_key?: string | null | undefined
}

const OPTIONS = ['product_map', 'api_url', 'tolerance_s', 'on_dispute', 'allowed_networks'] as const satisfies readonly Option[]

/** The options of a source after a change. */
export function optionsAfter (before: SourceOptions, settings: Settings): SourceOptions {
  const entries = OPTIONS.map((name) => [name, settings[name] === undefined ? before[name] : settings[name] ?? undefined] as const)
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

/**
 * What a schema cannot say of the settings of a source of the kind.
 *
 * @throws Problem validation-failed
 */
export function checkSettings (kind: CheckoutKind, { api_url, api_key, tolerance_s, allowed_networks }: Settings, callable: readonly string[]): void {
  const checkout: Checkout = checkouts[kind]
  const faults = [
    ...(api_url == null ? [] : faultsOfUrl(api_url, callable)),
    ...(api_key == null || checkout.api !== undefined ? [] : [`api_key: a source of kind ${kind} asks its checkout for nothing; leave it out`]),
    ...(tolerance_s == null || checkout.tolerance_ms !== undefined ? [] : [`tolerance_s: a source of kind ${kind} has no signed time to compare; leave it out`]),
    ...(allowed_networks ?? []).flatMap((network, index) => isNetwork(network) ? [] : [`allowed_networks.${index}: must be a network like 203.0.113.0/24`]),
  ]
  if (faults.length > 0) throw new Problem('validation-failed', { detail: faults.join('; '), errors: faults })
}

/** The vendor's key is sent there: in clear only to an address that the operator named as one that may be called though it is not public. */
function faultsOfUrl (text: string, callable: readonly string[]): string[] {
  if (!URL.canParse(text)) return ['api_url: must be a URL']
  const url = new URL(text)
  const host = hostOf(url)
  const [isAddress, isPublic, isCallable] = [isIP(host) !== 0, mayBeCalled(host, []), mayBeCalled(host, callable)]
  if (isAddress && !isCallable) return ['api_url: its address is not one that may be called; see WEBHOOK_ALLOWED_NETWORKS']
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isCallable && !isPublic)) return ['api_url: must start with https://']
  return url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '' ? ['api_url: must have no credentials, query or fragment'] : []
}

function isNetwork (text: string): boolean {
  const [, address = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? []
  return isIP(address) !== 0 && Number(bits) <= (isIP(address) === 4 ? 32 : 128)
}
