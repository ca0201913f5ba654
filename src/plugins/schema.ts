import { Type, type Static, type TObject, type TObjectOptions, type TProperties, type TSchema, type TUnsafe } from 'typebox'
import { problems, type ProblemType } from '../problems.js'

/** Refers to a schema that has an `$id` and was given to `app.addSchema`, so that the OpenAPI document names it once. */
export function ref<T extends TSchema> (schema: T): TUnsafe<Static<T>> {
  return Type.Unsafe<Static<T>>(Type.Ref(`${(schema as { $id?: string }).$id ?? ''}#`))
}

/** A body of our own resources: an unknown field is refused by name. */
export function Strict<T extends TProperties> (properties: T, options: TObjectOptions = {}): TObject<T> {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

/** A body of a resource that Connect has: its clients post whole objects back, so unknown fields are ignored. */
export function Lenient<T extends TProperties> (properties: T, options: TObjectOptions = {}): TObject<T> {
  return Type.Object(properties, { additionalProperties: true, ...options })
}

/** The schema or null: one fault makes one message, unlike with a union. */
export function Nullable<T extends TSchema> (schema: T): TUnsafe<Static<T> | null> {
  const { type, enum: values, ...rest } = schema as TSchema & { type?: string, enum?: unknown[] }
  return Type.Unsafe<Static<T> | null>({ ...rest, type: [type, 'null'], ...(values === undefined ? {} : { enum: [...values, null] }) })
}

/** One of some words. */
export function OneOf<const T extends readonly string[]> (
  values: T, options: { description?: string, default?: T[number], examples?: Array<T[number]> } = {}
): TUnsafe<T[number]> {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options })
}

/** A moment: a Date in code, ISO 8601 in UTC on the wire. For answers. */
export function Moment (options: { description?: string } = {}): TUnsafe<Date> {
  return Type.Unsafe<Date>({ type: 'string', format: 'date-time', examples: ['2026-01-31T10:15:00.000Z'], ...options })
}

/** A moment or null. For answers. */
export function NullableMoment (options: { description?: string } = {}): TUnsafe<Date | null> {
  return Type.Unsafe<Date | null>({ type: ['string', 'null'], format: 'date-time', ...options })
}

/** The header of a POST that creates or moves something (plugins/idempotency.ts). */
export const IdempotencyHeaders = Type.Object({
  'idempotency-key': Type.Optional(Type.String({
    minLength: 1,
    maxLength: 255,
    pattern: '^[\\x20-\\x7e]+$',
    description: 'Any text of yours, new for each request: the same key with the same request gets the first answer again and nothing happens twice. Kept 30 days.',
    examples: ['8e03978e-40d5-43dd-bc93-6894a57f9324'],
  })),
})

/** The one body of every refusal: RFC 9457 §3.1 with the fields of Connect's errors. */
export const ProblemBody = Type.Object({
  type: Type.String({ description: 'What kind of refusal this is: stable, a URL relative to the service, with its explanation', examples: ['/docs/problems#order-not-found'] }),
  title: Type.String({ description: 'The same for every refusal of the type' }),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ description: 'What was wrong here and how to mend it' }),
  error_code: Type.String({ description: 'A short code, stable', examples: ['VAL_001'] }),
  errors: Type.Array(Type.String(), { description: 'One sentence per fault, `path.to.field: what is wrong`' }),
  params: Type.Record(Type.String(), Type.Unknown(), { description: 'Ids and numbers that belong to the refusal' }),
  request_id: Type.String({ description: 'Finds the request in the log; also in the header x-request-id' }),
}, { $id: 'Problem', description: 'A refusal: RFC 9457 and the fields of Connect in one' })

const PROBLEM_TYPE_BASE = '/docs/problems#'

/** The `type` member of a refusal. */
export const problemUri = (type: ProblemType): string => `${PROBLEM_TYPE_BASE}${type}`

/** The documented answer of a route for refusals of one status. Those that every route may give are added by plugins/openapi.ts. */
export function problem (...types: ProblemType[]): TSchema {
  const examples = Object.fromEntries(types.map((type) => {
    const { title, status, error_code } = problems[type]
    return [type, { summary: title, value: { type: problemUri(type), title, status, detail: title, error_code, errors: [title], params: {}, request_id: '0b0c4a0c-6a4b-4bb4-8f7e-1c53bb7a1d57' } }]
  }))
  const media = { schema: { $ref: 'Problem#' }, examples }
  return {
    description: types.map((type) => `\`${type}\`: ${problems[type].title}`).join('. '),
    content: { 'application/json': media, 'application/problem+json': media },
  } as unknown as TSchema
}
