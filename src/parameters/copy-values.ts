import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { open, type Keyring } from '../sealing.js'
import { contextOf, keepValues } from './stored-values.js'

/**
 * Copies every value of one owner to another, which keeps none of its own under those parameters; errors are not copied. Secrets are
 * sealed anew, since a sealed value opens for its owner only. The caller has locked both.
 */
export async function copyValues (trx: Transaction<Database>, keyring: Keyring, account_id: string, from_owner_id: string, to_owner_id: string): Promise<void> {
  await sql`
    insert into parameter_values as v (account_id, owner_id, parameter_id, value, structured_value, license_ids)
    select account_id, ${to_owner_id}, parameter_id, value, structured_value, license_ids
    from parameter_values where account_id = ${account_id} and owner_id = ${from_owner_id} and sealed is null
    on conflict (account_id, owner_id, parameter_id) do update set
      value = excluded.value, structured_value = excluded.structured_value, license_ids = excluded.license_ids, sealed = null,
      value_error = '', structured_error = null, updated_at = now()`.execute(trx)
  const secrets = await trx.selectFrom('parameter_values').select(['parameter_id', 'sealed'])
    .where('account_id', '=', account_id).where('owner_id', '=', from_owner_id).where('sealed', 'is not', null).$narrowType<{ sealed: Buffer }>().execute()
  await keepValues(trx, keyring, { account_id, owner_id: to_owner_id }, secrets.map(({ parameter_id, sealed }) => ({
    parameter_id,
    secret: true,
    text: open(keyring, contextOf({ account_id, owner_id: from_owner_id, parameter_id }), sealed).toString(),
    structured_value: null,
    value_error: '',
    structured_error: null,
  })))
}
