import { invalid } from '../problems.js'

const MOMENT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d(?::?\d\d)?)?)?$/i

/**
 * A moment as Connect's clients write it: a blank for the T, without an offset it is UTC, microseconds, or a date alone. Undefined: none was given.
 *
 * @throws Problem validation-failed  naming the field
 */
export function readMoment (field: string, text: string | null | undefined): Date | undefined {
  if (text === undefined || text === null || text === '') return undefined
  const [, day = '', time = '00:00:00', offset = 'Z'] = MOMENT.exec(text.trim()) ?? []
  const moment = new Date(`${day}T${time.slice(0, 12)}${/^[+-]\d\d$/.test(offset) ? `${offset}:00` : offset.replace(/(\d\d)(\d\d)$/, '$1:$2')}`)
  // new Date makes the 2nd of March of the 30th of February
  if (moment.getTime() >= 0 && new Date(day).toISOString().startsWith(day)) return moment
  throw invalid(`${field}: must be a moment since 1970, written as 2026-01-31T10:15:00+00:00`)
}
