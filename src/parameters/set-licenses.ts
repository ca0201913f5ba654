import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

interface Filled { account_id: string, owner_id: string, parameter_id: string, license_ids: readonly string[] }

/** Lets licenses be the value of a parameter: read, it is their keys, one per line in this order. */
export async function setLicenses (trx: Transaction<Database>, { account_id, owner_id, parameter_id, license_ids }: Filled): Promise<void> {
  await sql`
    insert into parameter_values (account_id, owner_id, parameter_id, license_ids) values (${account_id}, ${owner_id}, ${parameter_id}, ${license_ids}::text[])
    on conflict (account_id, owner_id, parameter_id) do update set
      license_ids = excluded.license_ids, value = null, structured_value = null, sealed = null, value_error = '', structured_error = null, updated_at = now()`.execute(trx)
}
