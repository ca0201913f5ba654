// The OpenAPI document as the contract that the tests of this folder hold the service to.
import AjvCompiler from '@fastify/ajv-compiler'
import type { FastifyInstance } from 'fastify'
import type { Permission } from '../../src/accounts/permissions.js'

export interface Schema {
  $ref?: string
  type?: string | string[]
  enum?: unknown[]
  examples?: unknown[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  patternProperties?: Record<string, Schema>
  items?: Schema
  pattern?: string
  format?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  minItems?: number
  maxItems?: number
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
export interface Parameter { in: 'path' | 'query' | 'header', name: string, required?: boolean, schema: Schema }

export interface Operation {
  id: string
  method: Method
  /** with `{id}` */
  path: string
  /** the first part of the path after /v1: what `{id}` is an id of */
  collection: string
  /** undefined: public */
  permission: Permission | undefined
  parameters: Parameter[]
  /** by media type */
  bodies: Record<string, Schema>
  /** by status; null: no body */
  answers: Record<string, Schema | null>
}

export interface Contract {
  operations: Operation[]
  /** the schemas that the document names */
  schemas: Record<string, Schema>
  /** What is wrong with a body, by the schema that the document has for this answer; nothing may be there that it does not name. */
  faultOf: (operation: Operation, status: number, body: unknown) => string | undefined
}

interface RawOperation {
  operationId: string
  description?: string
  security: object[]
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, RawAnswer>
}

/** `$ref`: one of the components. */
interface RawAnswer { $ref?: string, content?: Record<string, { schema: Schema }> }
interface RawDocument {
  paths: Record<string, Record<string, RawOperation>>
  components: { schemas: Record<string, Schema>, responses: Record<string, RawAnswer> }
}

/** The same schema, refusing what it does not name. */
function closed<T> (schema: T): T {
  if (typeof schema !== 'object' || schema === null) return schema
  if (Array.isArray(schema)) return schema.map(closed) as T
  const inside = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, closed(value)])) as Schema
  const open = inside.properties !== undefined && inside.additionalProperties === undefined && [inside.type].flat().includes('object')
  return (open ? { ...inside, additionalProperties: false } : inside) as T
}

/** Reads the document of a service that is ready. */
export function contractOf (app: FastifyInstance): Contract {
  const { paths, components } = structuredClone(app.swagger()) as unknown as RawDocument
  const resolved = (answer: RawAnswer): RawAnswer =>
    answer.$ref === undefined ? answer : components.responses[answer.$ref.slice('#/components/responses/'.length)] as RawAnswer
  const operations = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, raw]): Operation => ({
    id: raw.operationId,
    method: method.toUpperCase() as Method,
    path,
    collection: path.split('/')[2] ?? '',
    permission: raw.security.length === 0 ? undefined : /Permission: `([^`]+)`\.$/.exec(raw.description ?? '')?.[1] as Permission,
    parameters: raw.parameters ?? [],
    bodies: Object.fromEntries(Object.entries(raw.requestBody?.content ?? {}).map(([type, { schema }]) => [type, schema])),
    answers: Object.fromEntries(Object.entries(raw.responses).map(([status, answer]) => [status, resolved(answer).content?.['application/json']?.schema ?? null])),
  })))

  const customOptions = { strict: false, allErrors: true, coerceTypes: false, useDefaults: false, removeAdditional: false }
  const compile = AjvCompiler()({}, { customOptions } as never)
  const named = closed(components)
  const validators = new Map<string, ReturnType<typeof compile>>()
  const faultOf: Contract['faultOf'] = (operation, status, body) => {
    const schema = operation.answers[status]
    if (schema === undefined) return `${status} is not documented`
    if (schema === null) return body === undefined ? undefined : 'no body is documented'
    const key = `${operation.id} ${status}`
    const whole = { components: named, ...closed(schema) }
    const validate = validators.get(key) ?? compile({ schema: whole, method: operation.method, url: operation.path, httpStatus: String(status) } as never)
    validators.set(key, validate)
    if (validate(body) === true) return undefined
    return (validate as { errors?: Array<{ instancePath: string, message?: string, params: object }> }).errors
      ?.map(({ instancePath, message = '', params }) => `${instancePath} ${message} ${JSON.stringify(params)}`).join('; ')
  }
  return { operations, schemas: components.schemas, faultOf }
}
