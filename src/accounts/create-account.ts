import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { insertWithNewId, newDigitsId } from '../ids.js'

export type AccountType = 'operator' | 'vendor' | 'provider'
const PREFIXES: Record<AccountType, string> = { operator: 'OP', vendor: 'VA', provider: 'PA' }

export interface AccountWords { name: string, brand?: string | undefined, external_id?: string | undefined, countries?: string[] | undefined }

/** Makes an account and returns its id. `actor`: the API key that asked, or null for the service itself. */
export async function createAccount (
  trx: Transaction<Database>, { type, name, brand = '', external_id = '', countries = [] }: AccountWords & { type: AccountType }, actor: string | null
): Promise<string> {
  const id = await insertWithNewId(() => newDigitsId(PREFIXES[type], 2), (id) =>
    trx.insertInto('accounts').values({ id, type, name, brand, external_id, countries })
      .onConflict((conflict) => conflict.column('id').doNothing()).returning('id').executeTakeFirst())
  await recordEvent(trx, { account_id: id, type: 'account.created', subject_id: id, actor })
  return id
}
