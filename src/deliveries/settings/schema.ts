import { Type, type Static } from 'typebox'
import { Nullable, Strict } from '../../plugins/schema.js'

export const RATE_MIN = 0.01
export const RATE_MAX = 1000

const address = (description: string, example: string) => Type.String({ minLength: 3, maxLength: 254, description, examples: [example] })
// eslint-disable-next-line no-control-regex
const name = Type.String({ maxLength: 100, pattern: /^[^\x00-\x1f\x7f]*$/.source, description: 'Shown in place of the address', examples: ['Acme Software'] })
const from = Strict({ name: Type.Optional(name), address: address('One plain address of yours', 'licenses@example.com') }, { description: 'Who mails come from' })
const reply_to = address('Where answers go; else to who it is from', 'support@example.com')
const bcc = address('Gets a copy of each mail, with its keys, once the customer\'s was accepted', 'archive@example.com')
const rate_per_second = Type.Number({ minimum: RATE_MIN, maximum: RATE_MAX, description: 'Mails of the account, all workers together, evenly', examples: [5] })

const DkimRecord = Type.Object({
  name: Type.String({ examples: ['s1._domainkey.example.com'] }),
  type: Type.Literal('TXT'),
  value: Type.String({ examples: ['v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A…'] }),
}, { description: 'What to publish in DNS (RFC 6376 §3.6)' })

export const MailDkim = Type.Object({
  domain: Type.String({ examples: ['example.com'] }),
  selector: Type.String({ examples: ['s1'] }),
  record: DkimRecord,
}, { $id: 'MailDkim', description: 'Signs the mails that are from the domain. The private key stays here, sealed' })

export const MailSettings = Type.Object({
  from: Type.Object({ name: Type.String(), address: Type.String() }, { description: 'Who mails come from; where nothing was set, the service\'s own sender', examples: [{ name: 'Acme Software', address: 'licenses@example.com' }] }),
  reply_to: Nullable(reply_to),
  bcc: Nullable(bcc),
  rate_per_second: Nullable(rate_per_second),
  dkim: Type.Unsafe<Static<typeof MailDkim> | null>({ anyOf: [{ $ref: 'MailDkim#' }, { type: 'null' }] }),
}, { $id: 'MailSettings', description: 'How the mails of the account are sent' })

export const NewMailSettings = Strict({
  from: Type.Optional(Nullable(from)),
  reply_to: Type.Optional(Nullable(reply_to)),
  bcc: Type.Optional(Nullable(bcc)),
  rate_per_second: Type.Optional(Nullable(rate_per_second)),
}, { description: 'Left out or null: the service\'s sender, no other address, no limit', examples: [{ from: { name: 'Acme Software', address: 'licenses@example.com' }, rate_per_second: 5 }] })

export const NewMailDkim = Strict({
  domain: Type.String({ minLength: 1, maxLength: 253, description: 'Of `from`', examples: ['example.com'] }),
  selector: Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$', description: 'Names the key in DNS; take a new one for a new key', examples: ['s1'] }),
})
