import { Type } from 'typebox'
import { ORDER_STATUSES } from '../orders/schema.js'
import { Moment, Nullable, NullableMoment, OneOf, Strict } from '../plugins/schema.js'
import { ORDER_PAGES } from '../products/schema.js'

export const LINE_STATES = ['ready', 'partial', 'waiting', 'mailed', 'ended', 'unavailable'] as const

export const IdParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 100, examples: ['OR-19ab3c4d5e6f0a1b2c3d4e5f607'] }) })

// Without a rule for its form: what is no token is refused as a wrong one is.
export const TokenHeaders = Type.Object({
  'order-token': Type.Optional(Type.String({ description: 'What is behind the # of the link that the customer was mailed', examples: ['OP_AWm5…'] })),
})

const DAYS = { minimum: 1, maximum: 3650, description: 'How long a link opens the page: of a mail from its planning on', examples: [90] }
const ORIGINS = 'Storefronts whose pages may call `GET /v1/order-page` and its reveal in a browser, each exactly as browsers name it: `https://`, host, port if it is not 443. ' +
  '`http://` on localhost only'
const Origins = Type.Array(Type.String({ minLength: 1, maxLength: 255, examples: ['https://shop.example.com'] }), {
  maxItems: 50,
  uniqueItems: true,
  description: ORIGINS,
  examples: [['https://shop.example.com']],
})

export const NewOrderPageSettings = Strict({
  days: Type.Optional(Type.Integer({ ...DAYS, description: `${DAYS.description}. 90 if left out` })),
  allowed_origins: Type.Optional({ ...Origins, description: `${ORIGINS}. None if left out` }),
}, { $id: 'NewOrderPageSettings' })
export const OrderPageSettings = Type.Object({ days: Type.Integer(DAYS), allowed_origins: Origins }, { $id: 'OrderPageSettings' })

export const OrderPageLink = Type.Object({
  url: Type.String({ description: 'For the customer alone: whoever has it sees the licenses', examples: ['https://licenses.example.com/order#OP_AWm5…'] }),
  token: Type.String({ description: 'For a storefront: the header `Order-Token` of `GET /v1/order-page`', examples: ['OP_AWm5…'] }),
  expires_at: Moment(),
}, { $id: 'OrderPageLink' })

const license = {
  id: Type.String({ examples: ['LI-19ab3c4d5e6f0a1b2c3d4e5f607'] }),
  masked: Type.String({ description: 'Enough to recognise it', examples: ['ABCD-…-7F'] }),
  key: Nullable(Type.String({ description: 'Of a product whose keys are shown at once; else null until it is revealed' })),
  shown_at: NullableMoment({ description: 'When the page first showed the key; null: it has not' }),
}

const line = {
  id: Type.String({ examples: ['OR-19ab3c4d5e6f0a1b2c3d4e5f607-1'] }),
  product: Type.String({ description: 'Its name, in the language of the order', examples: ['Pro'] }),
  display: OneOf(ORDER_PAGES, { description: 'What the product says of this page: `none`, its licenses come by mail, `click`, shown by a reveal, `show`, at once' }),
  state: OneOf(LINE_STATES, {
    description: '`ready`: its licenses are there. `partial`: some are, the rest wait for stock. `waiting`: all wait. `mailed`: they come by mail alone. `ended`: all of it was ' +
      'refunded. `unavailable`: there is none',
  }),
  quantity: Type.Integer({ minimum: 0, maximum: 10_000, description: 'Without what was refunded' }),
  waiting: Type.Integer({ minimum: 0, maximum: 10_000, description: 'Licenses that it still waits for' }),
  license_count: Type.Integer({ minimum: 0, description: 'How many licenses it has; of a large order the page lists the first 1,000, and a reveal of the line all' }),
  licenses: Type.Array(Type.Object(license)),
}

export const OrderPage = Type.Object({
  external_id: Type.String({ examples: ['A-1001'] }),
  status: OneOf(ORDER_STATUSES),
  is_withheld: Type.Boolean({ description: 'Nothing is shown, for `status` is neither paid nor partially_refunded' }),
  locale: Nullable(Type.String({ examples: ['de_DE'] })),
  paid_at: Moment(),
  seller: Type.String({ examples: ['Example Software'] }),
  expires_at: Moment({ description: 'When the token ends' }),
  line_items: Type.Array(Type.Object(line)),
}, { $id: 'OrderPage' })

export const NewReveal = Strict({
  line_item_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'All licenses of the line', examples: ['OR-19ab3c4d5e6f0a1b2c3d4e5f607-1'] })),
  license_id: Type.Optional(Type.String({ minLength: 1, maxLength: 100, description: 'This license' })),
}, { $id: 'NewReveal', description: 'One of both' })

export const RevealedLicenses = Type.Object({
  licenses: Type.Array(Type.Object({ id: license.id, line_item_id: line.id, key: Type.String({ description: 'Byte for byte as loaded' }) })),
}, { $id: 'RevealedLicenses' })

export const orderPageSchemas = [NewOrderPageSettings, OrderPageSettings, OrderPageLink, OrderPage, NewReveal, RevealedLicenses]
