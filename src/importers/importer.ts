/**
 * What becomes of a license of another system: `unsold` is loaded into the pool; `sold` is somebody's already; `ended` (expired, disabled,
 * cancelled) is left out; `unknown` has a status that this version does not know.
 */
export type Fate = 'unsold' | 'sold' | 'ended' | 'unknown'

/** One license of an exported file; `status` is the file's own word for its state. Or why there is none. Lines count from 1. */
export type Entry = { line: number, key: Buffer, status: string, fate: Fate } | { line: number, reason: string }

/**
 * Reads one system's export, in constant memory.
 *
 * @throws Problem validation-failed  it is not such a file, or it ends too early
 */
export type Importer = (bytes: AsyncIterable<Buffer>, now: Date) => AsyncGenerator<Entry[]>

export const ENTRIES_PER_YIELD = 500

/** A moment as these systems write it, in UTC (`2026-01-31 10:15:00`, also ISO 8601), has passed. Empty and zero dates never do. */
export function hasPassed (moment: unknown, now: Date): boolean {
  if (typeof moment !== 'string' || moment === '' || moment.startsWith('0000')) return false
  const at = Date.parse(/^\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?$/.test(moment) ? `${moment.replace(' ', 'T')}Z` : moment)
  return at <= now.getTime()
}

/** Whether an order is named: WordPress writes none as nothing, as 0, or as null. */
export function namesOrder (order: unknown): boolean {
  return !['', '0', 'null', 'undefined'].includes(String(order ?? '').trim().toLowerCase())
}
