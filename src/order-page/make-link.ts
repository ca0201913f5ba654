import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import { orderPageLink, type LinkMaker } from './link.js'

/**
 * A link for a storefront to hand to the customer, good from now on. That there is one is recorded, without it.
 *
 * @throws Problem order-not-found
 * @throws Problem customer-erased
 */
export async function makeLink (
  trx: Transaction<Database>, maker: LinkMaker, { account_id, order_id, actor }: { account_id: string, order_id: string, actor: string }
): Promise<Awaited<ReturnType<typeof orderPageLink>>> {
  const order = await trx.selectFrom('orders').select('erased_at').where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirst()
  if (order !== undefined && order.erased_at !== null) throw new Problem('customer-erased')
  const link = await orderPageLink(trx, maker, { account_id, order_id, since: new Date() })
  await recordEvent(trx, { account_id, type: 'order.page_link_made', subject_id: order_id, actor, data: { expires_at: link.expires_at } })
  return link
}
