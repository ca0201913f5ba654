import { domainToASCII } from 'node:url'

/** A name to show and the address to send to. */
export interface Mailbox { name: string, address: string }

const LOCAL = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/ // RFC 5321 §4.1.2 Dot-string
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i
const INTERNATIONAL = /^[\p{L}\p{M}\p{N}.-]+$/u

/** The domain in the letters that DNS has (`müller.de` is `xn--mller-kva.de`), or undefined when it is none. */
function plainDomain (domain: string): string | undefined {
  if (!INTERNATIONAL.test(domain)) return undefined
  const ascii = /^[\x21-\x7e]+$/.test(domain) ? domain : domainToASCII(domain)
  const labels = ascii.split('.')
  const isName = ascii.length <= 253 && labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1) ?? '')
  return isName ? ascii : undefined
}

/**
 * The address as the mail server is told it, or undefined when the text is anything but exactly one plain `local@domain`:
 * no list, group, comment, quoted part, display name, address literal or non-ASCII local part. Mail libraries read
 * `buyer@x, evil@y` and `buyer@x<evil@y>` as mail to evil; this is what keeps such text from reaching one.
 */
export function plainAddress (address: string): string | undefined {
  const at = address.indexOf('@')
  const local = address.slice(0, Math.max(at, 0))
  const domain = plainDomain(address.slice(at + 1))
  if (domain === undefined || local.length > 64 || !LOCAL.test(local)) return undefined // RFC 5321 §4.5.3.1.1
  return local.length + 1 + domain.length > 254 ? undefined : `${local}@${domain}`
}

/** Whether the text is exactly one address that mail can be sent to. */
export function isPlainAddress (address: string): boolean {
  return plainAddress(address) !== undefined
}

/** Whether the text is the name of a domain, or of a part of one; in any script. */
export function isDomain (text: string): boolean {
  return plainDomain(text) !== undefined
}

/**
 * Reads `Name <local@domain>` or `local@domain`, as MAIL_FROM is written.
 *
 * @throws Error with a sentence that names the fault
 */
export function readMailbox (text: string): Mailbox {
  const [, name = '', bracketed] = /^([^<>]*)<([^<>]*)>$/.exec(text.trim()) ?? []
  const address = plainAddress((bracketed ?? text).trim())
  if (address === undefined) throw new Error(`"${text}" is not one mail address, written as local@domain or Name <local@domain>`)
  return { name: name.trim().replace(/^"(.*)"$/, '$1'), address }
}
