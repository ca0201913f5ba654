import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { orderPageLink, type LinkMaker } from './link.js'

/**
 * A link for a storefront to hand to the customer, good from now on. That there is one is recorded, without it.
 *
 * @throws Problem order-not-found
 */
export async function makeLink (
  trx: Transaction<Database>, maker: LinkMaker, { account_id, order_id, actor }: { account_id: string, order_id: string, actor: string }
): Promise<Awaited<ReturnType<typeof orderPageLink>>> {
  const link = await orderPageLink(trx, maker, { account_id, order_id, since: new Date() })
  await recordEvent(trx, { account_id, type: 'order.page_link_made', subject_id: order_id, actor, data: { expires_at: link.expires_at } })
  return link
}
