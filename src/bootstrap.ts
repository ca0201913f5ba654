import { sql, type Transaction } from 'kysely'
import { createAccount, type AccountType } from './accounts/create-account.js'
import { createApiKey } from './accounts/create-api-key.js'
import { PRESETS } from './accounts/permissions.js'
import type { Database } from './database/connect.js'

/** An account with its first API key, as it is sent: `Authorization: ApiKey <api_key>`. */
export interface Credential { account_id: string, api_key: string }
export interface Credentials { operator: Credential, vendor: Credential }

/**
 * Makes the first operator and vendor, with a key each. Returns undefined when there are accounts already.
 * Of several processes at once one makes them; the others wait for it.
 */
export async function bootstrap (trx: Transaction<Database>): Promise<Credentials | undefined> {
  await sql`lock table accounts in share row exclusive mode`.execute(trx)
  const known = await trx.selectFrom('accounts').select('id').limit(1).executeTakeFirst()
  if (known !== undefined) return undefined
  return { operator: await make(trx, 'operator', 'Operator'), vendor: await make(trx, 'vendor', 'Example Software') }
}

async function make (trx: Transaction<Database>, type: AccountType & ('operator' | 'vendor'), name: string): Promise<Credential> {
  const account_id = await createAccount(trx, { type, name }, null)
  const { id, secret } = await createApiKey(trx, { account_id, name: 'first key', permissions: PRESETS[type] }, null)
  return { account_id, api_key: `${id}:${secret}` }
}
