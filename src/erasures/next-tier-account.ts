import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Subject } from './subject.js'

/** The next tier account of a provider that an erasure is about, after the cursor. Reads the contacts of all that follow. */
export async function nextTierAccount (
  trx: Transaction<Database>, { provider_id, cursor }: { provider_id: string, cursor: string }, { email = '', tier_account_id = '' }: Subject
): Promise<string | undefined> {
  const { rows: [next] } = await sql<{ id: string }>`
    select id from tier_accounts where provider_id = ${provider_id} and id > ${cursor}
      and (id = ${tier_account_id} or lower(contact_info #>> '{contact,email}') = ${email})
    order by id limit 1`.execute(trx)
  return next?.id
}
