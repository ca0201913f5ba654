import { sql } from 'kysely'
import { Type } from 'typebox'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, Nullable, OneOf } from '../../plugins/schema.js'
import { Events, momentFields } from '../schema.js'

const SCOPES = ['asset', 'tier1', 'tier2'] as const
const TYPES = ['fulfillment', 'inquire', 'pending'] as const

const title = Type.String({ minLength: 1, maxLength: 255, examples: ['Welcome'] })
const body = Type.String({
  maxLength: 65_536,
  description: 'Markdown, with `{{ name }}` for the value of a parameter and `{{ activation_form_url }}` for the inquiry form; a name that means nothing leaves nothing',
  examples: ['Your license: {{ license_key }}'],
})
const scope = OneOf(SCOPES, { description: 'Whose parameters it can name', examples: ['asset'] })
const type = Nullable(OneOf(TYPES, { description: 'Shown once approved, with the inquiry, or while waiting', examples: ['fulfillment'] }))
const name = Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'The title if left out' }))
const position = Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 }))

export const NewTemplate = Lenient({ title, name, body, scope: Type.Optional(scope), type: Type.Optional(type), position }, { description: 'For the fulfillment of an asset if scope and type are left out' })
export const TemplateChange = Lenient({
  title: Type.Optional(title), name, body: Type.Optional(body), scope: Type.Optional(scope), type: Type.Optional(type), position,
}, { description: 'What is given replaces what was; the rest stays' })

export const Template = Type.Object({
  id: Type.String({ examples: ['TL-123-456-789'] }),
  title,
  name: Type.String(),
  body,
  scope,
  type,
  position: Type.Integer(),
  events: Events,
}, { $id: 'Template' })

export const templateFields = rqlFields({
  id: { type: 'text', example: 'TL-123-456-789' },
  title: { type: 'text', ordering: true, search: true, example: 'Welcome' },
  name: { type: 'text', ordering: true, search: true },
  scope: { type: 'text', values: SCOPES },
  type: { type: 'text', column: sql`product_templates.type`, values: TYPES },
  position: { type: 'integer', ordering: true },
  ...momentFields('product_templates'),
})
