import { sql } from 'kysely'
import { Type } from 'typebox'
import { rqlFields } from '../plugins/rql/index.js'
import { Lenient, Moment, Nullable, OneOf } from '../plugins/schema.js'

const KEY_TAG = 'Must contain `{KEY}`, which stands for the license keys, one per line, unless all that the product hands over is a mail. docs/mail.md has all tags'
const subject = Type.String({ minLength: 1, maxLength: 255, examples: ['Your license for {PROGRAM_NAME}'] })
const text = Type.String({ minLength: 1, maxLength: 100_000, description: KEY_TAG, examples: ['Thank you for your purchase. Your key:\n\n{KEY}'] })
const html = Type.String({ minLength: 1, maxLength: 100_000, description: `The HTML form; made from the text if left out. ${KEY_TAG}`, examples: ['<p>Your key: <b>{KEY}</b></p>'] })
const name = Type.String({ minLength: 1, maxLength: 255, examples: ['Pro'] })

const family_name = Nullable(Type.String({ maxLength: 255, description: 'What the product is an edition of: mails call it by both names', examples: ['Photo Studio'] }))
const url = (description: string) => Nullable(Type.String({ maxLength: 2048, description, examples: ['https://example.com/start'] }))
const urls = { url_to_instructions: Type.Optional(url('`{URL}` of mails')), url_to_download: Type.Optional(url('`{URL_FULL}` of mails')) }

export const MailTemplate = Lenient({ subject, text, html: Type.Optional(html) }, { description: 'The words of the mail that hands over the keys; greeting, order details and signature are put around them' })
const localUrls = { url_to_instructions: Type.Optional(Type.String({ maxLength: 2048 })), url_to_download: Type.Optional(Type.String({ maxLength: 2048 })) }
const LocalTemplate = Lenient({ subject: Type.Optional(subject), text: Type.Optional(text), html: Type.Optional(html) })

const Locales = Type.Record(
  Type.String({ pattern: '^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,3}$' }),
  Lenient({
    name: Type.Optional(name), family_name: Type.Optional(Type.String({ maxLength: 255 })), ...localUrls, mail_template: Type.Optional(LocalTemplate),
  }),
  {
    additionalProperties: false,
    maxProperties: 200,
    description: 'By locale (`pt_BR`) or language (`pt`): what replaces names, addresses and words for an order of that locale',
    examples: [{ de: { mail_template: { subject: 'Ihre Lizenz', text: 'Ihr Schlüssel: {KEY}' } } }],
  })

const ExternalIds = Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
  maxItems: 100,
  uniqueItems: true,
  description: 'Names by which order lines may ask for the product, for example SKUs of shops; unique in the account',
  examples: [['sku-pro']],
})

/** A text that clients may send as null for none. */
export const text255 = (options: object = {}) => Nullable(Type.String({ maxLength: 255, ...options }))
export const longText = (options: object = {}) => Nullable(Type.String({ maxLength: 10_000, ...options }))

export const ON_RENEWALS = ['issue', 'keep', 'extend'] as const
export const AVAILABILITIES = ['exact', 'coarse'] as const
export const ORDER_PAGES = ['none', 'click', 'show'] as const
const STATUSES = ['draft', 'published', 'endofsale'] as const
export const Status = OneOf(STATUSES, { description: 'For people; nothing depends on it but what marketplaces show', examples: ['published'] })

const flag = Nullable(Type.Boolean())
const Capabilities = Nullable(Lenient({
  cart: Type.Optional(Nullable(Lenient({ validation: Type.Optional(flag) }))),
  inquiring: Type.Optional(Nullable(Lenient({ validation: Type.Optional(flag) }))),
  tiers: Type.Optional(Nullable(Lenient({
    configs: Type.Optional(Type.Unsafe<boolean | { level?: number } | null>({
      type: ['boolean', 'object', 'null'], properties: { level: { type: 'integer', enum: [1, 2] } }, description: 'Resellers are set up before a purchase, up to this level; true is level 1',
    })),
    updates: Type.Optional(flag),
  }))),
  subscription: Type.Optional(Nullable(Lenient({ hold: Type.Optional(flag), scheduling: Type.Optional(flag) }))),
}, {
  description: 'What requests may do: `cart.validation`, `inquiring.validation`, `subscription.change.validation`, `tiers.configs`, `tiers.updates`, ' +
    '`subscription.hold` (suspend and resume; on unless false), `subscription.scheduling` or `subscription.<type>.scheduling`. Replaced as a whole',
  examples: [{ subscription: { hold: true } }],
}))

const Category = Lenient({ id: Type.Optional(Type.String({ maxLength: 100 })), name: Type.Optional(Type.String({ maxLength: 255 })) }, { examples: [{ name: 'Photo' }] })

const writable = {
  external_ids: Type.Optional(ExternalIds),
  family_name: Type.Optional(family_name),
  ...urls,
  mail_template: Type.Optional(MailTemplate),
  locales: Type.Optional(Locales),
  mail_on_request: Type.Optional(Type.Boolean({ description: 'The customer of a purchase request is mailed the keys like the one of an order; not if left out' })),
  availability: Type.Optional(OneOf(AVAILABILITIES, { description: 'What storefronts are told of the stock: numbers, or only whether there is any. `exact` if left out' })),
  on_renewal: Type.Optional(OneOf(ON_RENEWALS, {
    description: 'What an order that renews another gets: `issue` the next license, `keep` none, as the customer\'s own stays, `extend` the same, and more time for it. `issue` if left out',
  })),
  order_page: Type.Optional(OneOf(ORDER_PAGES, {
    description: 'What the page of an order shows of its licenses: `none`, they come by mail, `click`, the keys after a click, `show`, the keys at once. `click` if left out',
  })),
  status: Type.Optional(Status),
  icon: Type.Optional(Nullable(Type.String({ maxLength: 2048, description: 'URL of a picture' }))),
  category: Type.Optional(Nullable(Category)),
  short_description: Type.Optional(longText()),
  detailed_description: Type.Optional(Nullable(Type.String({ maxLength: 100_000 }))),
  capabilities: Type.Optional(Capabilities),
}

export const NewProduct = Lenient({ name, ...writable }, { description: 'Without a mail template it has a plain one' })

export const ProductChange = Lenient({ name: Type.Optional(name), ...writable }, { description: 'What is given replaces what was; the rest stays' })

/** Connect's `events` of a resource: when it was made and changed. */
export const Events = Type.Object({ created: Type.Object({ at: Moment() }), updated: Type.Object({ at: Moment() }) })

export const productMembers = {
  id: Type.String({ examples: ['PRD-123-456-789'] }),
  name,
  status: Status,
  icon: Type.String(),
  version: Type.Integer({ description: 'The last one that was published', examples: [1] }),
  owner: Type.Object({ id: Type.String({ examples: ['VA-123-456'] }), name: Type.String() }),
  category: Type.Unsafe<unknown>({ type: 'object', properties: { id: { type: 'string' }, name: { type: 'string' } } }),
  short_description: Type.String(),
  detailed_description: Type.String(),
  capabilities: Type.Unsafe<unknown>({ type: 'object', additionalProperties: true, examples: [{ subscription: { hold: true } }] }),
}

export const Product = Type.Object({
  ...productMembers,
  configurations: Type.Object({ suspend_resume_supported: Type.Boolean(), requires_reseller_information: Type.Boolean() }),
  visibility: Type.Object({ owner: Type.Boolean(), listing: Type.Boolean() }),
  stats: Type.Object({ listings: Type.Integer(), connections: Type.Integer() }, { description: 'Of those that you may see' }),
  events: Events,
  created_at: Moment(),
  updated_at: Moment(),
  external_ids: Type.Optional(Type.Array(Type.String(), { description: 'Only the vendor sees it, and what follows', examples: [['sku-pro']] })),
  family_name: Type.Optional(family_name),
  ...urls,
  mail_template: Type.Optional(Type.Unsafe<unknown>({ type: 'object', properties: { subject, text, html }, required: ['subject', 'text'] })),
  locales: Type.Optional(Type.Unsafe<unknown>({ type: 'object', additionalProperties: true, examples: [{}] })),
  mail_on_request: Type.Optional(Type.Boolean()),
  availability: Type.Optional(OneOf(AVAILABILITIES)),
  on_renewal: Type.Optional(OneOf(ON_RENEWALS)),
  order_page: Type.Optional(OneOf(ORDER_PAGES)),
}, { $id: 'Product' })

/** Fields that the lists of everything below a product have. */
export const momentFields = (table: string) => ({
  created_at: { type: 'timestamp', column: `${table}.created_at`, aliases: ['created', 'events.created.at'], ordering: true },
  updated_at: { type: 'timestamp', column: `${table}.updated_at`, aliases: ['updated', 'events.updated.at'], ordering: true },
} as const)

export const productFields = rqlFields({
  id: { type: 'text', column: 'products.id', example: 'PRD-123-456-789', search: true },
  name: { type: 'text', column: 'products.name', example: 'Pro', ordering: true, search: true },
  status: { type: 'text', column: 'products.status', values: STATUSES, ordering: true },
  version: { type: 'integer', column: 'products.version', ordering: true },
  'owner.id': { type: 'text', column: 'products.account_id', example: 'VA-123-456' },
  'owner.name': { type: 'text', column: sql`(select name from accounts where accounts.id = products.account_id)`, example: 'Example Software' },
  'category.id': { type: 'text', column: sql`products.category ->> 'id'` },
  'category.name': { type: 'text', column: sql`products.category ->> 'name'`, example: 'Photo' },
  ...momentFields('products'),
})
