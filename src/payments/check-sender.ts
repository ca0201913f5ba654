import { BlockList, isIPv6 } from 'node:net'
import { refused } from './signatures.js'

/**
 * That a webhook comes from one of the networks (CIDR), where there are any: for checkouts whose signature leaves much unsaid.
 *
 * @throws Problem signature-invalid
 */
export function checkSender (address: string, networks: readonly string[] = []): void {
  if (networks.length === 0) return
  const allowed = new BlockList()
  for (const network of networks) {
    const [base = '', bits = ''] = network.split('/')
    allowed.addSubnet(base, Number(bits), familyOf(base))
  }
  if (!allowed.check(address, familyOf(address))) throw refused('it comes from an address outside the allowed_networks of the source')
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => isIPv6(address) ? 'ipv6' : 'ipv4'
