import { sql, type RawBuilder, type SqlBool, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/**
 * Puts held licenses back into stock, at the end of their pools, where takes look. `which` picks them from the account's held_licenses. The
 * caller holds their pools by lockPools and calls fillPool for those that are returned.
 */
export async function putBack (
  trx: Transaction<Database>, account_id: string, which: RawBuilder<SqlBool>
): Promise<{ pool_ids: string[], hold_ids: string[] }> {
  const { rows } = await sql<{ pool_id: string, hold_id: string }>`
    with freed as (
      delete from held_licenses where account_id = ${account_id} and ${which} returning pool_id, position, license_id, hold_id
    ), base as (
      update pools p set next_position = p.next_position + r.count
      from (select pool_id, count(*) as count from freed group by pool_id) r
      where p.account_id = ${account_id} and p.id = r.pool_id
      returning p.id as pool_id, p.next_position - r.count as position
    ), restocked as (
      insert into stock (account_id, pool_id, position, license_id)
      select ${account_id}, f.pool_id, b.position + row_number() over (partition by f.pool_id order by f.position) - 1, f.license_id
      from freed f join base b using (pool_id)
    )
    select distinct pool_id, hold_id from freed`.execute(trx)
  return { pool_ids: [...new Set(rows.map((row) => row.pool_id))].sort(), hold_ids: [...new Set(rows.map((row) => row.hold_id))].sort() }
}
