import { sql, type RawBuilder, type SqlBool, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { restock, type Returned } from '../licenses/restock.js'

/**
 * Puts held licenses back into stock, at the end of their pools, where takes look; what has expired meanwhile out of it. `which` picks them from the
 * account's held_licenses. The caller holds their pools by lockPools and calls fillPool for those that are returned.
 */
export async function putBack (
  trx: Transaction<Database>, account_id: string, which: RawBuilder<SqlBool>
): Promise<{ pool_ids: string[], hold_ids: string[] }> {
  const { rows } = await sql<Returned & { hold_id: string }>`
    with freed as (
      delete from held_licenses where account_id = ${account_id} and ${which} returning pool_id, position, license_id, hold_id
    )
    select pool_id, license_id, hold_id from freed order by pool_id, position`.execute(trx)
  await restock(trx, account_id, rows)
  return { pool_ids: [...new Set(rows.map((row) => row.pool_id))].sort(), hold_ids: [...new Set(rows.map((row) => row.hold_id))].sort() }
}
