import type { Static } from 'typebox'
import type { ParameterChange } from './schema.js'

export interface Choice { value: string, label: string, default: boolean }

/** The constraints of a parameter as they are stored: whole, with each thing in one place. */
export interface StoredConstraints {
  required: boolean
  hidden: boolean
  readonly: boolean
  unique: boolean
  reconciliation: boolean
  shared: 'view' | 'edit' | 'none' | null
  min_length: number | null
  max_length: number | null
  choices: Choice[]
  default: string | object | null
  dependency: object | null
}

type GivenConstraints = NonNullable<Static<typeof ParameterChange>['constraints']>

/** Reads constraints as clients write them: choices may be under `meta`, and what is absent or null is off. */
export function storedConstraints (given: GivenConstraints): StoredConstraints {
  const choices = [given.choices, given.meta?.choices].find((list) => (list ?? []).length > 0) ?? []
  return {
    required: given.required ?? false,
    hidden: given.hidden ?? false,
    readonly: given.readonly ?? false,
    unique: given.unique ?? false,
    reconciliation: given.reconciliation ?? false,
    shared: given.shared ?? null,
    min_length: given.min_length ?? null,
    max_length: given.max_length ?? null,
    choices: choices.map((choice) => ({ value: choice.value, label: choice.label ?? choice.value, default: choice.default ?? false })),
    default: given.default ?? null,
    dependency: given.dependency ?? null,
  }
}

/** Stored constraints as Connect shows them, with what stands in two places there. */
export function constraintsBody (stored: unknown, { hint, placeholder }: { hint: string, placeholder: string }) {
  const constraints = storedConstraints(stored as GivenConstraints)
  return { ...constraints, hint, placeholder, meta: { choices: constraints.choices } }
}
