import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { open, type Keyring } from '../sealing.js'

/** The keys of licenses in clear, by license id; one that the account does not have is absent. For an answer to who may read them, and nowhere else. */
export async function openKeys (db: Reader, keyring: Keyring, account_id: string, license_ids: readonly string[]): Promise<Map<string, string>> {
  if (license_ids.length === 0) return new Map()
  const licenses = await db.selectFrom('licenses').select(['id', 'pool_id', 'sealed'])
    .where('account_id', '=', account_id).where('id', '=', sql<string>`any(${license_ids}::text[])`).execute()
  return new Map(licenses.map(({ id, pool_id, sealed }) => [id, open(keyring, [account_id, pool_id, id], sealed).toString()]))
}
