import type { Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import { Refused } from './refused.js'

/** Whose payment source it is. @throws Refused when there is none */
export async function accountOfSource (db: Kysely<Database>, id: string): Promise<string> {
  const source = await db.selectFrom('payment_sources').select('account_id').where('id', '=', id).executeTakeFirst()
  if (source === undefined) throw new Refused(`there is no payment source ${id}`)
  return source.account_id
}
