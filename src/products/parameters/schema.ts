import { sql } from 'kysely'
import { Type } from 'typebox'
import { PHASES, SCOPES, TYPES, VALUE_MAX } from '../../parameters/schema.js'
import { rqlFields } from '../../plugins/rql/index.js'
import { Lenient, Nullable, OneOf } from '../../plugins/schema.js'
import { Events, longText, momentFields } from '../schema.js'

const NAME_PATTERN = '^[A-Za-z_][A-Za-z0-9_.-]*$' // what templates can name
const name = Type.String({ minLength: 1, maxLength: 64, pattern: NAME_PATTERN, description: 'What requests and templates call it; unique in the product', examples: ['license_key'] })
const title = Type.String({ minLength: 1, maxLength: 255, description: 'What people read; the name if left out', examples: ['License key'] })
const type = OneOf(TYPES, { examples: ['text'] })
const scope = OneOf(SCOPES, { description: 'What has a value of it', examples: ['asset'] })
const phase = OneOf(PHASES, { description: 'Who gives the value: the buyer with the order, the vendor while fulfilling, or the vendor beforehand', examples: ['fulfillment'] })
const secret = Type.Boolean({ description: 'Its values are sealed at rest, in no log or event, and cannot be filtered by. A password, and what is filled from a pool, always is' })
const pool_id = Type.String({ maxLength: 100, description: 'The live pool that fills it, for fulfillment parameters of an asset', examples: ['PL-0199f3c2a7b41f0c9d8e7a6b5c4d'] })
const test_pool_id = Type.String({ maxLength: 100, description: 'The test pool that fills it in purchases over a test connection' })
const flag = Type.Optional(Nullable(Type.Boolean()))
const length = Type.Optional(Nullable(Type.Integer({ minimum: 0, maximum: VALUE_MAX })))
const words = Type.Optional(longText())

const Choices = Type.Optional(Nullable(Type.Array(Lenient({
  value: Type.String({ minLength: 1, maxLength: 255 }),
  label: Type.Optional(Nullable(Type.String({ maxLength: 255 }))),
  default: flag,
}), { maxItems: 1000, description: 'Of dropdown, choice and checkbox', examples: [[{ value: 'eu', label: 'Europe' }]] })))
const Default = Type.Optional(Type.Unsafe<string | object | null>({ type: ['string', 'object', 'array', 'null'], maxLength: VALUE_MAX }))

const ConstraintsWrite = Lenient({
  required: flag,
  hidden: flag,
  readonly: flag,
  unique: flag,
  reconciliation: flag,
  shared: Type.Optional(Nullable(OneOf(['view', 'edit', 'none'], { description: 'What the other side may do with it' }))),
  min_length: length,
  max_length: length,
  choices: Choices,
  hint: words,
  placeholder: words,
  default: Default,
  meta: Type.Optional(Nullable(Lenient({ choices: Choices }))),
  dependency: Type.Optional(Type.Unsafe<object | null>({ type: ['object', 'null'] })),
}, { examples: [{ required: true }] })

const writable = {
  title: Type.Optional(Nullable(title)),
  description: words,
  type: Type.Optional(type),
  scope: Type.Optional(scope),
  hint: words,
  placeholder: words,
  default: Default,
  constraints: Type.Optional(Nullable(ConstraintsWrite)),
  position: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  secret: Type.Optional(secret),
  pool_id: Type.Optional(Nullable(pool_id)),
  test_pool_id: Type.Optional(Nullable(test_pool_id)),
}
export const NewParameter = Lenient({ name, phase, ...writable }, { description: 'A text of the asset if type and scope are left out' })
export const ParameterChange = Lenient({ name: Type.Optional(name), phase: Type.Optional(phase), ...writable }, { description: 'What is given replaces what was, the constraints as a whole; the rest stays' })

const answeredFlag = Type.Boolean()
const AnsweredChoices = Type.Array(Type.Object({ value: Type.String(), label: Type.String(), default: Type.Boolean() }))
const AnsweredDefault = Type.Unsafe<unknown>({ type: ['string', 'object', 'array', 'null'], additionalProperties: true })
const AnsweredLength = Nullable(Type.Integer())

export const ProductParameter = Type.Object({
  id: Type.String({ examples: ['PRM-123-456-789-0001'] }),
  name,
  title,
  description: Type.String(),
  type,
  scope,
  phase,
  hint: Type.String(),
  placeholder: Type.String(),
  default: Type.Optional(AnsweredDefault),
  constraints: Type.Object({
    required: answeredFlag,
    hidden: answeredFlag,
    readonly: answeredFlag,
    unique: answeredFlag,
    reconciliation: answeredFlag,
    shared: Nullable(OneOf(['view', 'edit', 'none'])),
    min_length: AnsweredLength,
    max_length: AnsweredLength,
    choices: AnsweredChoices,
    hint: Type.String(),
    placeholder: Type.String(),
    default: Type.Optional(AnsweredDefault),
    meta: Type.Object({ choices: AnsweredChoices }),
    dependency: Type.Unsafe<unknown>({ type: ['object', 'null'], additionalProperties: true }),
  }),
  position: Type.Integer(),
  secret,
  pool_id: Type.Optional(Nullable(Type.String({ description: 'Only the vendor sees it' }))),
  test_pool_id: Type.Optional(Nullable(Type.String({ description: 'Only the vendor sees it' }))),
  events: Events,
}, { $id: 'ProductParameter', description: 'What a product asks for under one name' })

const constraint = (field: string) =>
  ({ type: 'boolean', column: sql`coalesce((product_parameters.constraints ->> ${sql.lit(field)})::boolean, false)` }) as const

export const parameterFields = rqlFields({
  id: { type: 'text', column: 'product_parameters.id', example: 'PRM-123-456-789-0001' },
  name: { type: 'text', column: 'product_parameters.name', example: 'license_key', ordering: true, search: true },
  title: { type: 'text', example: 'License key', ordering: true, search: true },
  type: { type: 'text', values: TYPES },
  scope: { type: 'text', values: SCOPES },
  phase: { type: 'text', values: PHASES },
  position: { type: 'integer', ordering: true },
  secret: { type: 'boolean' },
  'constraints.required': constraint('required'),
  'constraints.hidden': constraint('hidden'),
  'constraints.readonly': constraint('readonly'),
  'constraints.unique': constraint('unique'),
  'constraints.reconciliation': constraint('reconciliation'),
  'constraints.shared': { type: 'text', column: sql`product_parameters.constraints ->> 'shared'`, values: ['view', 'edit', 'none'] },
  ...momentFields('product_parameters'),
})
