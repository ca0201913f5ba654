import { isEmpty } from './check-value.js'
import type { Definition } from './definitions.js'

/** The names of the parameters of a phase that must have a value and have none among `params`, which are whole (read-values.ts). */
export function missingRequired (
  definitions: ReadonlyArray<Pick<Definition, 'name' | 'phase' | 'constraints' | 'type'>>,
  params: ReadonlyArray<{ id: string, value: string, structured_value?: object | null | undefined }>,
  phase: 'ordering' | 'fulfillment'
): string[] {
  const filled = new Set(params.filter(({ value, structured_value }) => !isEmpty(value) || !isEmpty(structured_value)).map(({ id }) => id))
  return definitions
    .filter((definition) => definition.phase === phase && definition.constraints.required && !['heading', 'content'].includes(definition.type))
    .filter(({ name }) => !filled.has(name)).map(({ name }) => name)
}
