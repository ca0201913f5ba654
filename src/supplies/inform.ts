import { sql, type Transaction } from 'kysely'
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

/** Plans the mails of the lines of an order that hand over a mail and no license, and have none yet. */
export async function informLines (trx: Transaction<Database>, account_id: string, order_id: string): Promise<void> {
  const { rows } = await sql<{ product_id: string, subject: string, text: string }>`
    select distinct on (l.product_id) l.product_id, s.settings ->> 'subject' as subject, s.settings ->> 'text' as text
    from line_items l join product_supplies s on s.account_id = l.account_id and s.product_id = l.product_id and s.type = 'information'
    where l.account_id = ${account_id} and l.order_id = ${order_id} and l.pool_id = '' and not exists (
      select from deliveries d where d.account_id = l.account_id and d.order_id = l.order_id and d.product_id = l.product_id and d.reason = 'information')
    order by l.product_id, s.step`.execute(trx)
  await planInformation(trx, { account_id, order_id, mails: rows.map(({ product_id, ...words }) => ({ product_id, words })) })
}
