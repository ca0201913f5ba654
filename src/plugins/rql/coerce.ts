import { Problem } from '../../problems.js'
import type { Field } from './fields.js'

const INTEGER = { integer: { min: -(2n ** 31n), max: 2n ** 31n - 1n }, bigint: { min: -(2n ** 63n), max: 2n ** 63n - 1n } }
const MEANT: Record<Field['type'], string> = {
  text: 'a text',
  integer: 'a whole number of 32 bits',
  bigint: 'a whole number of 64 bits',
  boolean: 'true or false',
  timestamp: 'a time of ISO 8601 like 2026-01-31T10:15:00Z or 2026-01-31',
}

/**
 * A value as the field's column takes it for a parameter. Numbers and times stay text, checked, and PostgreSQL reads them:
 * that keeps 64 bits and microseconds.
 *
 * @throws Problem query-invalid
 */
export function coerce (field: Field, value: string): string | boolean {
  if (field.type === 'text') {
    if (field.values === undefined || field.values.includes(value)) return value
    throw new Problem('query-invalid', { detail: `${field.name}: must be one of ${field.values.join(', ')}`, params: { field: field.name, values: field.values } })
  }
  const coerced = field.type === 'boolean' ? readBoolean(value) : field.type === 'timestamp' ? readTimestamp(value) : readInteger(value, field.type)
  if (coerced === undefined) throw new Problem('query-invalid', { detail: `${field.name}: must be ${MEANT[field.type]}`, params: { field: field.name, type: field.type } })
  return coerced
}

function readBoolean (value: string): boolean | undefined {
  return value === 'true' ? true : value === 'false' ? false : undefined
}

function readInteger (value: string, type: 'integer' | 'bigint'): string | undefined {
  if (!/^-?\d{1,19}$/.test(value)) return undefined
  const number = BigInt(value)
  return number >= INTEGER[type].min && number <= INTEGER[type].max ? number.toString() : undefined
}

const TIMESTAMP = /^([1-9]\d{3})-(\d\d)-(\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d(?::?\d\d)?)?)?$/i

/** Without an offset it is UTC, a date alone is its midnight, a blank may stand for T: all of what Connect's clients send. */
function readTimestamp (value: string): string | undefined {
  const [, year = '', month = '', day = '', time = '00:00:00', offset = 'Z'] = TIMESTAMP.exec(value) ?? []
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)))
  const exists = year !== '' && date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
  if (!exists || !/^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d|$)/.test(time) || !/^(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)$/i.test(offset)) return undefined
  return `${year}-${month}-${day}T${time}${offset}`
}
