import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { maskLicense, selectLicenses, type MaskedLicense } from './select-licenses.js'

/** One license, masked, with who holds it. @throws Problem license-not-found */
export async function findLicense (db: Reader, keyring: Keyring, account_id: string, id: string): Promise<MaskedLicense> {
  const license = await selectLicenses(db, account_id).where('l.id', '=', id).executeTakeFirst()
  if (license === undefined) throw new Problem('license-not-found')
  return maskLicense(keyring, account_id, license)
}
