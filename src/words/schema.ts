import { Type } from 'typebox'
import { MailTemplate } from '../products/schema.js'
import { rqlFields } from '../plugins/rql/index.js'
import { Moment, Nullable, NullableMoment, Strict } from '../plugins/schema.js'

const part = (description: string, example: string) => Type.Optional(Type.String({ maxLength: 10_000, description, examples: [example] }))

const Texts = Type.Record(
  Type.String({ pattern: '^(default|[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,3})$' }),
  Strict({
    greeting: part('Before the words of the product', 'Dear {FULLNAME},'),
    details: part('After them', 'Your order {ORDER_ID}: {QUANTITY} × {PROGRAM_NAME}'),
    signature: part('At the end', 'Yours,\n{SENDER}'),
  }),
  {
    additionalProperties: false,
    maxProperties: 200,
    description: 'By locale (`pt_BR`) or language (`pt`); `default` is for all others. Plain text with the tags of mails but those of keys. What is left out is in the service\'s ' +
      'own words; an empty text leaves its part out of the mail',
    examples: [{ default: { signature: 'Yours,\n{SENDER}' }, de: { greeting: 'Guten Tag {FULLNAME},' } }],
  })

export const NewWrapper = Strict({ texts: Texts }, { $id: 'NewMailWrapper' })

export const MailWrapper = Type.Object({
  version: Type.Integer({ minimum: 0, maximum: 2147483647, description: '0: none was written yet; each other text is the next one', examples: [3] }),
  texts: Texts,
  created_at: NullableMoment({ description: 'When it was written' }),
}, { $id: 'MailWrapper', description: 'What stands around the words of products in all mails of an account' })

const words = (schema: object) => Type.Unsafe<unknown>(schema)

export const MailVersion = Type.Object({
  version: Type.Integer({ minimum: 1, maximum: 2147483647, examples: [2] }),
  name: Type.String({ examples: ['Pro'] }),
  family_name: Nullable(Type.String()),
  url_to_instructions: Nullable(Type.String()),
  url_to_download: Nullable(Type.String()),
  mail_template: words({ type: 'object', additionalProperties: true, examples: [{ subject: 'Your license', text: 'Your key: {KEY}' }] }),
  locales: words({ type: 'object', additionalProperties: true, examples: [{}] }),
  created_at: Moment(),
  created_by: Nullable(Type.String({ description: 'The API key', examples: ['SU-123-456-789'] })),
}, { $id: 'MailVersion', description: 'What the mails of a product said from one change to the next' })

export const mailVersionFields = rqlFields({
  id: { type: 'integer', column: 'mail_words.version', aliases: ['version'], ordering: true },
  created_at: { type: 'timestamp', aliases: ['created'], ordering: true },
  created_by: { type: 'text', example: 'SU-123-456-789' },
})

export const NewPreview = Strict({
  mail_template: Type.Optional(Strict({ ...MailTemplate.properties }, { description: 'Words to try, in place of the product\'s' })),
  locale: Type.Optional(Type.String({ pattern: '^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,3}$', description: 'Left out: the one of the order', examples: ['pt_BR'] })),
  order_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'An order with a line of the product; without one with made-up data. Needs `orders:read`', examples: ['OR-19ab3c4d5e6f0a1b2c3d4e5f607'] })),
  quantity: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'Of made-up data: how many licenses; 1 if left out', examples: [2] })),
  reveal: Type.Optional(Type.Boolean({ description: 'With an order: its keys in clear, who asked is recorded, and they count as seen. Needs `licenses:reveal`' })),
}, { $id: 'NewMailPreview' })

const WordsProblem = Type.Object({
  field: Type.String({ examples: ['locales.de.mail_template.text'] }),
  line: Type.Integer({ minimum: 1 }),
  column: Type.Integer({ minimum: 1 }),
  message: Type.String({ examples: ['{KEYY} is no tag; did you mean {KEY}?'] }),
})

export const previewFields = {
  subject: Type.String(),
  text: Type.String({ description: 'The mail as plain text' }),
  html: Type.String({ description: 'The same as HTML' }),
  locale_used: Nullable(Type.String({ description: 'Of the words of the product; null: its own', examples: ['pt'] })),
  problems: Type.Array(WordsProblem, { description: 'What is wrong with the words: saving them would be refused for it' }),
}
export const MailPreview = Type.Object(previewFields, { $id: 'MailPreview', description: 'A mail as it would be sent' })

export const wordsSchemas = [NewWrapper, MailWrapper, MailVersion, NewPreview, MailPreview]
