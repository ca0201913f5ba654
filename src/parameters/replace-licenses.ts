import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/** A license whose key a value shows, and the one that it is to show in its place. */
export interface Shown { old_license_id: string, new_license_id: string }

/** Lets the values of these owners show other licenses in the place of some. Returns the licenses that are shown from now on. */
export async function replaceLicenses (
  trx: Transaction<Database>, account_id: string, owner_ids: readonly string[], shown: readonly Shown[]
): Promise<string[]> {
  const [old_ids, new_ids] = [shown.map((one) => one.old_license_id), shown.map((one) => one.new_license_id)]
  const { rows } = await sql<{ license_id: string }>`
    with changed as (
      update parameter_values v set updated_at = now(), license_ids = (
        select array_agg(coalesce(s.new_id, l.id) order by l.nth)
        from unnest(v.license_ids) with ordinality as l (id, nth)
        left join unnest(${old_ids}::text[], ${new_ids}::text[]) as s (old_id, new_id) on s.old_id = l.id)
      where v.account_id = ${account_id} and v.owner_id = any(${owner_ids}::text[]) and v.license_ids && ${old_ids}::text[]
      returning v.license_ids
    )
    select distinct l.id as license_id from changed c cross join lateral unnest(c.license_ids) as l (id) where l.id = any(${new_ids}::text[])`.execute(trx)
  return rows.map((row) => row.license_id)
}
