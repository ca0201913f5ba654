import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/** Makes planned mails say what the last one that was sent for the same product of the order said, whatever the product says by now. */
export async function sayAgain (
  trx: Transaction<Database>, { account_id, order_id, delivery_ids }: { account_id: string, order_id: string, delivery_ids: readonly string[] }
): Promise<void> {
  await sql`
    update deliveries d set words_version = said.words_version, wrapper_version = said.wrapper_version, worded_at = said.worded_at
    from (
      select distinct on (product_id) product_id, words_version, wrapper_version, worded_at from deliveries
      where account_id = ${account_id} and order_id = ${order_id} and status = 'sent' and worded_at is not null
      order by product_id, sent_at desc, id desc) said
    where d.account_id = ${account_id} and d.id = any(${delivery_ids}::text[]) and d.product_id = said.product_id`.execute(trx)
}
