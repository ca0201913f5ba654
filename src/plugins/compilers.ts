import AjvCompiler, { type BuildCompilerFromPool } from '@fastify/ajv-compiler'
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'
import type { FastifyServerOptions } from 'fastify'

type Options = Parameters<BuildCompilerFromPool>[1]
type Check = ((...given: unknown[]) => unknown) & { errors?: unknown }

// validateSchema: CI lints the OpenAPI document that these schemas make; ajv would first compile the schema of schemas for it, at every start
const SHARED = { removeAdditional: false, useDefaults: true, allErrors: false, strict: true, allowUnionTypes: true, strictTypes: false, validateSchema: false }
const forBodies = AjvCompiler()
const forTexts = AjvCompiler()
const forAnswers = SerializerSelector()

/**
 * Makes the compiler, and compiles a schema, when it is first used: all of them take most of what starting the service does.
 * The contract tests call every operation.
 */
function onFirstUse<Route> (makeCompiler: () => (route: Route) => unknown): (route: Route) => Check {
  let compile: ((route: Route) => unknown) | undefined
  return (route) => {
    let compiled: Check | undefined
    const check: Check = (...given) => {
      compiled ??= (compile ??= makeCompiler())(route) as Check
      const result = compiled(...given)
      check.errors = compiled.errors
      return result
    }
    return check
  }
}

/**
 * Bodies are taken as they are: no conversion, nothing dropped. Path, query and headers are texts and so converted.
 * Without `strictNumbers: false` a converted 1e400 passes `type: integer` and its maximum (ajv #2212).
 * Given as a builder because setValidatorCompiler is lost in scopes that call addSchema.
 */
const buildValidator = ((externalSchemas, options) => onFirstUse(() => {
  const body = forBodies(externalSchemas, { ...options, customOptions: { ...SHARED, coerceTypes: false } } as Options)
  const text = forTexts(externalSchemas, { ...options, customOptions: { ...SHARED, coerceTypes: 'array', strictNumbers: false } } as Options)
  return (route: { httpPart?: string }) => (route.httpPart === 'body' ? body : text)(route as never)
})) as BuildCompilerFromPool

const buildSerializer: typeof forAnswers = (externalSchemas, options) => onFirstUse(() => forAnswers(externalSchemas, options)) as never

export const schemaController: NonNullable<FastifyServerOptions['schemaController']> = { compilersFactory: { buildValidator, buildSerializer } as never }
