import { randomBytes, randomInt } from 'node:crypto'

/** The prefixes of our own resources. Those that Connect has keep its shapes and are made by {@link newDigitsId}. */
export type IdPrefix = 'PL' | 'BA' | 'LI' | 'OR' | 'DE' | 'PE' | 'EV' | 'PS' | 'SS' | 'RP' | 'HO' | 'CL' | 'WS' | 'PF' | 'AM' | 'ER'

/**
 * A new identifier: prefix, 11 hexadecimal digits of the Unix time in milliseconds, 16 random ones.
 * Sorts by time, so that indexes grow at one edge. `new_id` in migrations/0001_accounts.sql makes the same shape.
 */
export function newId (prefix: IdPrefix): string {
  return `${prefix}-${Date.now().toString(16).padStart(11, '0')}${randomBytes(8).toString('hex')}`
}

/** A new identifier of Connect's shape, for example `VA-123-456` for `newDigitsId('VA', 2)`. Few digits: the insert must expect a clash. */
export function newDigitsId (prefix: string, groups: number, digits = 3): string {
  const group = (): string => randomInt(10 ** digits).toString().padStart(digits, '0')
  return [prefix, ...Array.from({ length: groups }, group)].join('-')
}

const TRIES_MAX = 50 // with nine of ten ids of a shape taken, 50 tries all miss once in 200 times

/** The identifier of the nth part of something, for example `PR-1111-2222-3333-001` for `partId('AS-1111-2222-3333', 'PR', 1, 3)`. */
export function partId (whole_id: string, prefix: string, nth: number, digits: number): string {
  return `${prefix}${whole_id.slice(whole_id.indexOf('-'))}-${nth.toString().padStart(digits, '0')}`
}

/**
 * Inserts under a new id of Connect's shape. Its few digits may clash: `insert` answers undefined then
 * (`on conflict do nothing … returning id`) and another id is tried.
 */
export async function insertWithNewId (newId: () => string, insert: (id: string) => Promise<{ id: string } | undefined>): Promise<string> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const row = await insert(newId())
    if (row !== undefined) return row.id
  }
  throw new Error('no free identifier was found')
}
