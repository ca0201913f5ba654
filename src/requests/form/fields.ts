import { isEmpty } from '../../parameters/check-value.js'
import type { Definition } from '../../parameters/definitions.js'
import type { Param } from '../../parameters/schema.js'

/** What the controls of a form hold, by the name of the control. Of checkboxes: those that are ticked. */
export type Fields = ReadonlyMap<string, readonly string[]>

export const ADDRESS_PARTS = ['address_line1', 'address_line2', 'city', 'state', 'postal_code', 'country'] as const
export type AddressPart = typeof ADDRESS_PARTS[number]

export const constraintsOf = ({ constraints }: Pick<Param, 'constraints'>): Definition['constraints'] => constraints as Definition['constraints']

/** Of a parameter as a whole, or of a part of its address. Names of parameters have no colon, so no two are the same. */
export const controlName = ({ id }: Pick<Param, 'id'>, part: AddressPart | 'value' = 'value'): string => `${part}:${id}`

/** Decoration is not answered, nor what a buyer may only read. */
export const isAnswered = (param: Param): boolean => !['heading', 'content'].includes(param.type) && !constraintsOf(param).readonly

/** The controls of a parameter, filled with its value. */
export function fieldsOf (param: Param): Array<[name: string, values: string[]]> {
  const { type, value, value_choices, structured_value } = param
  const members = (structured_value ?? {}) as Record<string, unknown>
  switch (type) {
    case 'checkbox': return [[controlName(param), value_choices.filter((choice) => members[choice.value] === true).map((choice) => choice.value)]]
    case 'address': return ADDRESS_PARTS.map((part) => [controlName(param, part), [typeof members[part] === 'string' ? members[part] : '']])
    case 'object': return [[controlName(param), [isEmpty(structured_value) ? '' : JSON.stringify(structured_value, null, 2)]]]
    default: return [[controlName(param), [value]]]
  }
}
