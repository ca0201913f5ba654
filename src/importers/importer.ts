import { readExpiry } from '../licenses/expiry.js'

/**
 * What becomes of a license of another system: `unsold` is loaded into the pool; `sold` is somebody's already; `ended` (expired, disabled,
 * cancelled) is left out; `unknown` has a status that this version does not know.
 */
export type Fate = 'unsold' | 'sold' | 'ended' | 'unknown'

/** What a file says of a license; `status` is its own word for the state. `expires_at` null: never. */
export interface Standing { status: string, fate: Fate, expires_at?: Date | null }

/** One license of an exported file, or why there is none. Lines count from 1. */
export type Entry = { line: number, key: Buffer } & Standing | { line: number, reason: string }

/**
 * Reads one system's export, in constant memory.
 *
 * @throws Problem validation-failed  it is not such a file, or it ends too early
 */
export type Importer = (bytes: AsyncIterable<Buffer>, now: Date) => AsyncGenerator<Entry[]>

export const ENTRIES_PER_YIELD = 500

/** A moment as these systems write it, in UTC (`2026-01-31 10:15:00`, also ISO 8601; a date alone is the end of that day). Empty and zero dates are none. */
export function readMoment (moment: unknown): Date | null {
  if (typeof moment !== 'string' || moment === '' || moment.startsWith('0000')) return null
  const zoned = /^\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?$/.test(moment) ? `${moment.replace(' ', 'T')}Z` : moment
  const at = readExpiry(zoned) ?? new Date(zoned)
  return Number.isNaN(at.getTime()) ? null : at
}

export const hasPassed = (moment: Date | null, now: Date): boolean => moment !== null && moment <= now

/** Whether an order is named: WordPress writes none as nothing, as 0, or as null. */
export function namesOrder (order: unknown): boolean {
  return !['', '0', 'null', 'undefined'].includes(String(order ?? '').trim().toLowerCase())
}
