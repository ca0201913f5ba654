import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { findSettings } from './find-settings.js'
import { signToken } from './token.js'

const DAY_MS = 86_400_000

/** What a link is made with. `public_url`: where clients reach the service, without a slash at the end. */
export interface LinkMaker { keyring: Keyring, public_url: string }

/**
 * The link to the page of an order, good for the account's days from `since`. The token is behind the #, which browsers send to nobody. The same
 * moment makes the same link, so that every try of one mail says the same; it is written down nowhere.
 *
 * @throws Problem order-not-found
 */
export async function orderPageLink (
  db: Reader, { keyring, public_url }: LinkMaker, { account_id, order_id, since }: { account_id: string, order_id: string, since: Date }
): Promise<{ url: string, token: string, expires_at: Date }> {
  const order = await db.selectFrom('orders').select('page_generation').where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirst()
  if (order === undefined) throw new Problem('order-not-found')
  const { days } = await findSettings(db, account_id)
  const expires_at = new Date(Math.floor((since.getTime() + days * DAY_MS) / 1000) * 1000) // whole seconds, as the token has them
  const token = signToken(keyring, { account_id, order_id, generation: order.page_generation, expires_at })
  return { url: `${public_url}/order#${token}`, token, expires_at }
}
