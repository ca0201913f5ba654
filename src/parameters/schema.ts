import { Type, type Static } from 'typebox'
import { Lenient, OneOf } from '../plugins/schema.js'

export const PHASES = ['ordering', 'fulfillment', 'configuration'] as const
export const SCOPES = ['asset', 'tier1', 'tier2', 'product', 'item', 'marketplace', 'item_marketplace'] as const
export const TYPES = [
  'text', 'password', 'email', 'url', 'domain', 'subdomain', 'dropdown', 'choice', 'checkbox', 'phone', 'address', 'object', 'heading', 'content',
] as const

/** PostgreSQL counts characters as JavaScript's iterator does: a column of 2048 holds what passes here. */
export const VALUE_MAX = 2048
export const VALUE_ERROR_MAX = 512

const word = (description: string, example: string) =>
  Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 255, description, examples: [example] }))
const Structured = Type.Unsafe<object>({ type: ['object', 'array'], additionalProperties: true }) // without it nothing inside is sent

/** What a client says of one parameter. Clients post whole parameters back, with what else they hold. */
export const ParamWriteSchema = Lenient({
  id: word('The name of the parameter; or its PRM id', 'license_key'),
  name: word('The name, where `id` is not it: whole product parameters may be posted', 'license_key'),
  scope: word('One of another scope than is written here is passed over', 'asset'),
  value: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], description: 'At most 2048 characters. Empty or null clears it', examples: ['ABCD-EFGH-0001'] })),
  structured_value: Type.Optional(Type.Unsafe<unknown>({ type: ['object', 'array', 'null'], description: 'Of the types checkbox, phone, address and object' })),
  value_error: Type.Optional(Type.Unsafe<string | null>({
    type: ['string', 'null'], description: 'What is wrong with the value, for who gave it, at most 512 characters. Empty or null clears it', examples: ['Unknown domain'],
  })),
  structured_error: Type.Optional(Type.Unsafe<unknown>({ type: ['object', 'array', 'null'] })),
}, { $id: 'ParamWrite' })
export type ParamWrite = Static<typeof ParamWriteSchema>

export const ParamSchema = Type.Object({
  id: Type.String({ description: 'The name of the parameter, as templates have it', examples: ['license_key'] }),
  name: Type.String({ examples: ['license_key'] }),
  title: Type.String({ examples: ['License key'] }),
  description: Type.String(),
  hint: Type.String(),
  placeholder: Type.String(),
  type: OneOf(TYPES),
  scope: OneOf(SCOPES),
  phase: OneOf(PHASES),
  value: Type.String({ description: 'Empty: none', examples: ['ABCD-EFGH-0001'] }),
  value_error: Type.String({ description: 'Empty: none' }),
  structured_value: Type.Optional(Structured),
  structured_error: Type.Optional(Structured),
  value_choices: Type.Array(Type.Object({ value: Type.String(), label: Type.String(), default: Type.Optional(Type.Boolean()) })),
  constraints: Type.Unsafe<object>({ type: 'object', additionalProperties: true }),
  reconciliation: Type.Boolean(),
}, { $id: 'Param', description: 'A parameter with its value' })
export type Param = Static<typeof ParamSchema>
