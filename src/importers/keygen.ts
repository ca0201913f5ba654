import { hasPassed, readMoment, type Fate, type Importer } from './importer.js'
import { jsonEntries, type ReadItem } from './json-entries.js'

/** A license is issued, so it is somebody's, used (`active`) or not for long (`inactive`); `expiring` is still in force. */
const FATES: Record<string, Fate> = { active: 'sold', inactive: 'sold', expiring: 'sold', expired: 'ended', suspended: 'ended', banned: 'ended' }

/** `keys` are what is left in a policy's pool; `licenses` were issued. */
const readItem = (now: Date): ReadItem => ({ type, attributes }) => {
  if ((type !== 'keys' && type !== 'licenses') || typeof attributes !== 'object' || attributes === null) return undefined
  const { key, status, suspended, expiry } = attributes as Record<string, unknown>
  if (type === 'keys') return { key, status: 'pool key', fate: 'unsold' }
  const expires_at = readMoment(expiry)
  // older servers say no status
  const word = typeof status === 'string' ? status.toLowerCase() : suspended === true ? 'suspended' : hasPassed(expires_at, now) ? 'expired' : 'active'
  return { key, status: word, fate: FATES[word] ?? 'unknown', expires_at }
}

/** Keygen: pages of its API as they were answered, of `licenses` or of a pool's `keys`, one after another or in an array. */
export const readKeygen: Importer = (bytes, now) => jsonEntries(bytes, 'Keygen', readItem(now))
