import { isDomain, isPlainAddress } from '../mailer/address.js'
import { checkStructured } from './check-structured.js'
import type { Definition } from './definitions.js'
import { VALUE_MAX, type ParamWrite } from './schema.js'

type Checked = Pick<Definition, 'type' | 'constraints'>

const STRUCTURED = ['checkbox', 'phone', 'address', 'object']
const PHONE = /^\+?\d[\d ().-]{1,30}(?: ext\. \d{1,10})?$/

/** Whether values of the type are in `structured_value`. */
export const isStructured = ({ type }: Pick<Definition, 'type'>): boolean => STRUCTURED.includes(type)

/** Whether there is nothing in it: an empty text, null, an object or a list without members. */
export function isEmpty (value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0
  return value === undefined || value === null || value === ''
}

/** Whether a structured value says nothing: forms send the parts of a telephone number or an address that nobody filled in. */
export function isBlank ({ type }: Pick<Definition, 'type'>, value: unknown): boolean {
  const members = ['phone', 'address'].includes(type) && typeof value === 'object' && value !== null ? Object.values(value) : [false]
  return isEmpty(value) || members.every((member) => member === '' || member === null)
}

/**
 * What is wrong with the value that a client gives a parameter, as a sentence without its subject, or undefined. By type and constraints only:
 * nothing given, or a value cleared, is never wrong, since what is required depends on the moment (missing-required.ts).
 * The sentence repeats no value of a parameter that takes a free text: it might be a secret.
 */
export function checkValue (definition: Checked, { value, structured_value }: Pick<ParamWrite, 'value' | 'structured_value'>): string | undefined {
  if (!isBlank(definition, structured_value)) return checkStructured(definition, structured_value as object)
  if (isEmpty(value)) return undefined
  const text = value!
  if ([...text].length > VALUE_MAX) return `must not be longer than ${VALUE_MAX} characters`
  return checkLength(definition, text) ?? checkText(definition, text)
}

function checkLength ({ type, constraints: { min_length, max_length } }: Checked, text: string): string | undefined {
  if (isStructured({ type })) return undefined
  const { length } = [...text]
  if (min_length !== null && length < min_length) return `must not be shorter than ${min_length} characters`
  if (max_length !== null && length > max_length) return `must not be longer than ${max_length} characters`
  return undefined
}

function checkText ({ type, constraints: { choices } }: Checked, text: string): string | undefined {
  switch (type) {
    case 'text': case 'password': return undefined
    case 'email': return isPlainAddress(text) ? undefined : 'must be one mail address like ada@example.com'
    case 'url': return isUrl(text) ? undefined : 'must be a URL like https://example.com/path'
    case 'domain': return isDomain(text) && text.includes('.') ? undefined : 'must be a domain like example.com'
    case 'subdomain': return isDomain(text) ? undefined : 'must be a name within a domain, like shop'
    case 'dropdown': case 'choice': {
      if (choices.length === 0 || choices.some((choice) => choice.value === text)) return undefined
      return `must be one of ${choices.map((choice) => choice.value).join(', ')}`
    }
    case 'phone': return PHONE.test(text) ? undefined : 'must be a telephone number like +44 20 79460000'
    case 'checkbox': case 'address': case 'object': return 'is given as structured_value, not as value'
    case 'heading': case 'content': return 'is a part of the form and takes no value'
  }
}

function isUrl (text: string): boolean {
  if (/\s/.test(text) || !URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  return ['http:', 'https:', 'ftp:'].includes(protocol) && hostname !== ''
}
