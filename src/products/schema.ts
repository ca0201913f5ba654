import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Lenient, Moment } from '../plugins/schema.js'

const KEY_TAG = 'Must contain `{KEY}`, which stands for the license keys, one per line'
const subject = Type.String({ minLength: 1, maxLength: 255, examples: ['Your license for {PROGRAM_NAME}'] })
const text = Type.String({ minLength: 1, maxLength: 100_000, description: KEY_TAG, examples: ['Thank you for your purchase. Your key:\n\n{KEY}'] })
const html = Type.String({ minLength: 1, maxLength: 100_000, description: `The HTML form; made from the text if left out. ${KEY_TAG}`, examples: ['<p>Your key: <b>{KEY}</b></p>'] })
const name = Type.String({ minLength: 1, maxLength: 255, examples: ['Pro'] })

const MailTemplate = Lenient({ subject, text, html: Type.Optional(html) }, { description: 'The words of the mail that hands over the keys; greeting, order details and signature are put around them' })
const LocalTemplate = Lenient({ subject: Type.Optional(subject), text: Type.Optional(text), html: Type.Optional(html) })

const Locales = Type.Record(
  Type.String({ pattern: '^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,3}$' }),
  Lenient({ name: Type.Optional(name), mail_template: Type.Optional(LocalTemplate) }),
  {
    additionalProperties: false,
    maxProperties: 200,
    description: 'By locale (`pt_BR`) or language (`pt`): what replaces name and words for an order of that locale',
    examples: [{ de: { mail_template: { subject: 'Ihre Lizenz', text: 'Ihr Schlüssel: {KEY}' } } }],
  })

const ExternalIds = Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
  maxItems: 100,
  uniqueItems: true,
  description: 'Names by which order lines may ask for the product, for example SKUs of shops; unique in the account',
  examples: [['sku-pro']],
})

export const NewProduct = Lenient({ name, external_ids: Type.Optional(ExternalIds), mail_template: MailTemplate, locales: Type.Optional(Locales) })

export const ProductChange = Lenient({
  name: Type.Optional(name),
  external_ids: Type.Optional(ExternalIds),
  mail_template: Type.Optional(MailTemplate),
  locales: Type.Optional(Locales),
}, { description: 'What is given replaces what was; the rest stays' })

export const Product = Type.Object({
  id: Type.String({ examples: ['PRD-123-456-789'] }),
  name,
  external_ids: Type.Array(Type.String(), { examples: [['sku-pro']] }),
  mail_template: Type.Unsafe<unknown>({ type: 'object', properties: { subject, text, html }, required: ['subject', 'text'] }),
  locales: Type.Unsafe<unknown>({ type: 'object', additionalProperties: true, examples: [{}] }),
  created_at: Moment(),
  updated_at: Moment(),
}, { $id: 'Product' })

export const productFields = rqlFields({
  id: { type: 'text', example: 'PRD-123-456-789', search: true },
  name: { type: 'text', example: 'Pro', ordering: true, search: true },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  updated_at: { type: 'timestamp', aliases: ['updated'], ordering: true },
})
