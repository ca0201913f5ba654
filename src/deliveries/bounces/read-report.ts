import PostalMime, { type Email } from 'postal-mime'
import { invalid } from '../../problems.js'
import type { ACTIONS } from './schema.js'

/** What a mail server, ours or one beyond it, says of a mail. `recipient`: who it could not hand it to, as it says. */
export interface Report {
  delivery_id: string
  action: typeof ACTIONS[number]
  status: string
  diagnostic: string
  recipient?: string | undefined
}

const ID = String.raw`DE-[0-9a-f]{20,40}`
/** In the address that the mail was sent from: the report came back to it. */
const TAGGED = new RegExp(String.raw`\+(${ID})(\.copy)?@`, 'i')
/** In the mail, or its head, that the report brings back. */
const RETURNED = new RegExp(String.raw`^(?:X-)?(?:Original-)?Message-ID:\s*<(${ID})@`, 'im')
/** Where mail servers write down to whom a mail came. */
const TO_HEADERS = new Set(['to', 'delivered-to', 'x-original-to', 'envelope-to', 'x-envelope-to', 'x-forwarded-to'])

const idOf = (text: string): string => `DE-${text.slice(3).toLowerCase()}`

/** The delivery that a Message-ID of ours names. */
export function deliveryOfMessage (message_id: string): string | undefined {
  const [, id] = new RegExp(`^<?(${ID})@`, 'i').exec(message_id.trim()) ?? []
  return id === undefined ? undefined : idOf(id)
}

/** The fields of a delivery status part, by recipient: groups of lines, an empty one between them (RFC 3464 §2.1). The first is about the message. */
function groupsOf (part: string): Array<Map<string, string>> {
  return part.replace(/\r?\n[ \t]+/g, ' ').split(/(?:\r?\n[ \t]*){2,}/).map((group) => new Map(group.split(/\r?\n/).flatMap((line) => {
    const [, name, value] = /^([\w-]+):[ \t]*(.*)$/.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [[name.toLowerCase(), value.trim()] as const]
  })))
}

/** `smtp; 550 no such user` is `550 no such user`. */
const afterType = (value: string): string => value.replace(/^[\w-]+\s*;\s*/, '')

/** Whose mail the report is about: undefined, not one of ours. A report about the account's own copy is not about the customer. */
function deliveryOf ({ headers, attachments, text = '' }: Email): string | undefined {
  for (const { key, value } of headers) {
    const [, id, copy] = TO_HEADERS.has(key) ? TAGGED.exec(value) ?? [] : []
    if (id !== undefined) return copy === undefined ? idOf(id) : undefined
  }
  const returned = attachments.filter((part) => part.mimeType !== 'message/delivery-status').map((part) => contentOf(part)).join('\n')
  const [, id] = RETURNED.exec(`${returned}\n${text}`) ?? []
  return id === undefined ? undefined : idOf(id)
}

function contentOf ({ content }: Email['attachments'][number]): string {
  return typeof content === 'string' ? content : Buffer.from(content as ArrayBuffer).toString('latin1')
}

/**
 * Reads a message that reports how a mail went (RFC 3464). Undefined: it is about none of ours.
 *
 * @throws Problem validation-failed  it is no such message
 */
export async function readReport (raw: Buffer): Promise<Report | undefined> {
  const message = await PostalMime.parse(raw, { forceRfc822Attachments: true, maxNestingDepth: 20, maxHeadersSize: 200_000 })
    .catch(() => { throw invalid('body: is not a mail (RFC 5322)') })
  const part = message.attachments.find((each) => each.mimeType === 'message/delivery-status')
  const recipients = part === undefined ? [] : groupsOf(contentOf(part)).filter((group) => group.has('final-recipient') && group.has('action'))
  // our mails have one recipient; where a list made more of it, one who did not get it counts
  const [first] = [...recipients.filter((group) => group.get('action')?.toLowerCase() === 'failed'), ...recipients]
  if (first === undefined) throw invalid('body: is not a delivery status report (RFC 3464): a multipart/report with a part message/delivery-status that has Final-Recipient and Action')
  const action = (['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const).find((known) => known === first.get('action')?.toLowerCase())
  if (action === undefined) throw invalid(`body: Action is "${first.get('action')?.slice(0, 50) ?? ''}", which RFC 3464 does not have`)
  const delivery_id = deliveryOf(message)
  if (delivery_id === undefined) return undefined
  const [status] = /[245]\.\d{1,3}\.\d{1,3}/.exec(first.get('status') ?? '') ?? [action === 'failed' ? '5.0.0' : '4.0.0']
  return { delivery_id, action, status, diagnostic: afterType(first.get('diagnostic-code') ?? ''), recipient: afterType(first.get('final-recipient') ?? '') }
}
