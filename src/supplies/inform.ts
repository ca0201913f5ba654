import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { planInformation } from '../deliveries/plan.js'
import type { ShortLine } from './short-line.js'

/** Tells the customer of a line that waits what the product's information says: once for an order and product, however often it comes to this. */
export async function informLine (
  trx: Transaction<Database>, { account_id, order_id, product_id }: ShortLine, { subject = '', text = '' }: { subject?: string, text?: string }
): Promise<void> {
  const told = await trx.selectFrom('deliveries').select('id').where('account_id', '=', account_id).where('order_id', '=', order_id)
    .where('product_id', '=', product_id).where('reason', '=', 'information').executeTakeFirst()
  if (told === undefined) await planInformation(trx, { account_id, order_id, mails: [{ product_id, words: { subject, text } }] })
}
