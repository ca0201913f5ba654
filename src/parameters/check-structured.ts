import type { Definition } from './definitions.js'

const OBJECT_CHARACTERS_MAX = 65_536 // a list of a hundred with such values is still an answer that can be sent
const FIELD_CHARACTERS_MAX = 255
const PHONE = { country_code: /^\+?\d{1,4}$/, area_code: /^\d{0,10}$/, phone_number: /^\d[\d -]{0,19}$/, extension: /^\d{0,10}$/ }
const ADDRESS = ['address_line1', 'address_line2', 'city', 'state', 'postal_code', 'country']

type Fields = Record<string, unknown>
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What is wrong with the structured value of a parameter of such a type, or undefined. */
export function checkStructured (definition: Pick<Definition, 'type' | 'constraints'>, value: object): string | undefined {
  if (definition.type === 'object') {
    return JSON.stringify(value).length <= OBJECT_CHARACTERS_MAX ? undefined : `structured_value must not be longer than ${OBJECT_CHARACTERS_MAX} characters`
  }
  if (!isFields(value)) return 'structured_value must be an object'
  switch (definition.type) {
    case 'checkbox': return checkCheckbox(definition, value)
    case 'phone': return checkPhone(value)
    case 'address': return checkAddress(value)
    default: return 'is given as value, not as structured_value'
  }
}

function checkCheckbox ({ constraints: { choices } }: Pick<Definition, 'constraints'>, value: Fields): string | undefined {
  const known = choices.map((choice) => choice.value)
  const unknown = Object.keys(value).find((choice) => choices.length > 0 && !known.includes(choice))
  if (unknown !== undefined) return `structured_value has no choice ${shown(unknown)}; there are ${known.join(', ')}`
  return Object.values(value).every((ticked) => typeof ticked === 'boolean') ? undefined : 'structured_value must say true or false of each choice'
}

function checkPhone (value: Fields): string | undefined {
  for (const [field, pattern] of Object.entries(PHONE)) {
    const given = value[field] ?? ''
    if (typeof given !== 'string' || !(given === '' ? field !== 'phone_number' : pattern.test(given))) return `structured_value.${field} is not that of a telephone number`
  }
  return undefined
}

function checkAddress (value: Fields): string | undefined {
  for (const field of ADDRESS) {
    const given = value[field] ?? ''
    if (typeof given !== 'string' || [...given].length > FIELD_CHARACTERS_MAX) return `structured_value.${field} must be a text of at most ${FIELD_CHARACTERS_MAX} characters`
  }
  const missing = ['address_line1', 'city', 'country'].find((field) => (value[field] ?? '') === '')
  if (missing !== undefined) return `structured_value.${missing} must be given`
  return /^[A-Za-z]{2}$/.test(value['country'] as string) ? undefined : 'structured_value.country must be a code of two letters (ISO 3166-1)'
}

/** A telephone number as one text, as parameters show it beside its parts: `+44 20 79460000 ext. 12`. */
export function joinPhone (value: object): string {
  const { country_code = '', area_code = '', phone_number = '', extension = '' } = value as Record<string, string>
  return [country_code, area_code, phone_number, extension === '' ? '' : `ext. ${extension}`].filter((part) => part !== '').join(' ')
}

/** An address as one line. */
export function joinAddress (value: object): string {
  return ADDRESS.map((field) => (value as Record<string, string>)[field] ?? '').filter((line) => line !== '').join(', ')
}

/** What was given, short enough for a message. */
export const shown = (text: string): string => JSON.stringify(text.length <= 60 ? text : `${text.slice(0, 60)}…`)
