import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { ProductKey } from './find.js'

/**
 * Notes with each name of a product whether all it hands over is a mail: its one supply is information. To be called by whatever writes names or
 * supplies; orders read it with the name.
 */
export async function markInformational (trx: Transaction<Database>, { account_id, product_id }: ProductKey): Promise<void> {
  await sql`
    update product_refs r set is_informational = not r.is_informational
    where r.account_id = ${account_id} and r.product_id = ${product_id} and r.is_informational <> (
      select count(*) = 1 and coalesce(bool_and(s.type = 'information'), false) from product_supplies s
      where s.account_id = ${account_id} and s.product_id = ${product_id})`.execute(trx)
}
