import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'

/** Keeps a tier account, just written, as it is under its version. What is kept is what changes make: not the scopes, which purchases add. */
export async function writeVersion (trx: Transaction<Database>, provider_id: string, id: string): Promise<void> {
  await sql`
    insert into tier_account_versions (provider_id, tier_account_id, version, snapshot)
    select provider_id, id, version, jsonb_build_object('name', name, 'external_id', external_id, 'external_uid', external_uid, 'tax_id', tax_id, 'contact_info', contact_info)
    from tier_accounts where provider_id = ${provider_id} and id = ${id}`.execute(trx)
}
