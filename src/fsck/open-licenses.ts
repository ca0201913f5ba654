import type { Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import { fingerprint, open, type Keyring } from '../sealing.js'
import type { Violation } from './invariants.js'

const PAGE_LICENSES = 2000
const IDS_MAX = 10

/**
 * Opens every sealed license and compares its fingerprint: proves that the key material reads all that is stored.
 * `progress` gets how many were opened.
 */
export async function openLicenses (
  db: Kysely<Database>, keyring: Keyring, progress: (opened: number) => void = () => {}
): Promise<{ opened: number, violations: Violation[] }> {
  const violation: Violation = { check: 'every license opens with the key material, and its fingerprint is its own', total: 0, ids: [] }
  let after = { account_id: '', id: '' }
  for (let opened = 0; ;) {
    const page = await db.selectFrom('licenses').select(['account_id', 'pool_id', 'id', 'mode', 'fingerprint', 'sealed'])
      .where((where) => where(where.refTuple('account_id', 'id'), '>', where.tuple(after.account_id, after.id)))
      .orderBy('account_id').orderBy('id').limit(PAGE_LICENSES).execute()
    for (const license of page) {
      if (opens(keyring, license)) continue
      violation.total++
      if (violation.ids.length < IDS_MAX) violation.ids.push(license.id)
    }
    opened += page.length
    progress(opened)
    const last = page.at(-1)
    if (last === undefined) return { opened, violations: violation.total === 0 ? [] : [violation] }
    after = last
  }
}

interface SealedLicense { account_id: string, pool_id: string, id: string, mode: string, fingerprint: Buffer, sealed: Buffer }

function opens (keyring: Keyring, { account_id, pool_id, id, mode, ...license }: SealedLicense): boolean {
  try {
    return fingerprint(keyring, account_id, mode, open(keyring, [account_id, pool_id, id], license.sealed)).equals(license.fingerprint)
  } catch {
    return false
  }
}
