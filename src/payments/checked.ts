import { validationSentences } from '../plugins/validation.js'
import { Problem } from '../problems.js'

/** What `Compile` of typebox/compile makes. */
interface Validator<T> {
  Check (value: unknown): value is T
  Errors (value: unknown): ReadonlyArray<{ keyword: string, instancePath: string, params: object, message: string, schemaPath: string }>
}

/**
 * The value, known to have the shape. For bodies whose shape is known only after their signature, so that no route's schema can say it.
 * `part`: what stands for the whole in a sentence, such as `data`.
 *
 * @throws Problem validation-failed  naming each field
 */
export function checked<T> (validator: Validator<T>, value: unknown, part = 'body'): T {
  if (validator.Check(value)) return value
  const errors = validator.Errors(value).flatMap((error) => {
    const { requiredProperties } = error.params as { requiredProperties?: string[] }
    return requiredProperties === undefined ? [error] : requiredProperties.map((missingProperty) => ({ ...error, params: { missingProperty } }))
  })
  const sentences = validationSentences(errors as Parameters<typeof validationSentences>[0], part)
  throw new Problem('validation-failed', { detail: sentences.join('; '), errors: sentences })
}
