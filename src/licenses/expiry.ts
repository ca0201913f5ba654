const DATE = /^\d{4}-\d\d-\d\d$/
const MOMENT = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?([Zz]|[+-]\d\d:\d\d)$/

/** The last moment of a day that is named without a time, in UTC. */
const END_OF_DAY = 'T23:59:59.999Z'

export const BAD_EXPIRY = 'is neither a date like 2027-12-31 nor a moment like 2027-12-31T10:15:00Z'
export const PAST_EXPIRY = 'has passed'

/** Until when a license is good, of a date (the end of that day in UTC) or a moment with its offset (RFC 3339). Undefined: it is neither. */
export function readExpiry (text: string): Date | undefined {
  const [, day = text, time, offset = 'Z'] = MOMENT.exec(text) ?? []
  if (!DATE.test(day) || new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day) !== true) return undefined // 30 February
  const moment = new Date(time === undefined ? `${day}${END_OF_DAY}` : `${day}T${time}${offset.toUpperCase()}`)
  return Number.isNaN(moment.getTime()) ? undefined : moment
}

/** The same, of a line that is loaded; `reason`: why it cannot be. Nothing, or blank: it never expires, or with its load. */
export function expiryOfLine (text: string | undefined, now: Date): { expires_at?: Date, reason?: string } {
  const trimmed = text?.trim() ?? ''
  if (trimmed === '') return {}
  const expires_at = readExpiry(trimmed)
  if (expires_at === undefined) return { reason: `its expires_at ${BAD_EXPIRY}` }
  return expires_at > now ? { expires_at } : { reason: `its expires_at ${PAST_EXPIRY}` }
}
