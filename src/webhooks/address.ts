import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3') // all that is given out to anybody (RFC 4291 §2.4); what maps or translates IPv4 lies outside

/**
 * Whether an IP address may be called: a public one, or one of the `allowed` networks (CIDR). Everything else is refused: loopback, private,
 * link-local, shared, mapped, translated, tunnelled, multicast, reserved (IANA's special-purpose registries), and what is no address.
 */
export function mayBeCalled (address: string, allowed: readonly string[]): boolean {
  if (isIP(address) === 0) return false
  const parsed = ipaddr.parse(address)
  const isAllowed = allowed.map((network) => ipaddr.parseCIDR(network)).some((network) => network[0].kind() === parsed.kind() && parsed.match(network))
  if (isAllowed) return true
  return parsed.range() === 'unicast' && (parsed.kind() === 'ipv4' || parsed.match(GLOBAL_IPV6))
}

/** The host of a URL; an IPv6 address without its brackets. `new URL` has turned every spelling of an IPv4 address into the plain one. */
export function hostOf (url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1')
}

/** The addresses of a name; none: it has none, or nobody answered. */
export type Resolve = (hostname: string) => Promise<string[]>

/**
 * Asks DNS, not the system: its look-ups share four threads with all file access, and one endpoint's dead name server would hold up everything.
 * Hence no hosts file; `localhost` is known without asking (RFC 6761 §6.3).
 */
export const resolveName: Resolve = async (hostname) => {
  if (/^(.+\.)?localhost\.?$/i.test(hostname)) return ['127.0.0.1', '::1']
  const resolver = new Resolver({ timeout: 3000, tries: 2 })
  const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
  return answers.flatMap((answer) => answer.status === 'fulfilled' ? answer.value : [])
}
