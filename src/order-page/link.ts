import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { DEFAULTS } from './find-settings.js'
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
  // one statement: every mail asks
  const { rows: [order] } = await sql<{ generation: number, days: number | null }>`
    select o.page_generation as generation, s.days
    from orders o left join order_page_settings s on s.account_id = o.account_id where o.account_id = ${account_id} and o.id = ${order_id}`.execute(db)
  if (order === undefined) throw new Problem('order-not-found')
  return linkWith({ keyring, public_url }, { account_id, order_id, since, ...order })
}

/** The same, from what is known of the order and of its account's days; null: it set none. */
export function linkWith (
  { keyring, public_url }: LinkMaker,
  { account_id, order_id, since, generation, days }: { account_id: string, order_id: string, since: Date, generation: number, days: number | null }
): { url: string, token: string, expires_at: Date } {
  const expires_at = new Date(Math.floor((since.getTime() + (days ?? DEFAULTS.days) * DAY_MS) / 1000) * 1000) // whole seconds, as the token has them
  const token = signToken(keyring, { account_id, order_id, generation, expires_at })
  return { url: `${public_url}/order#${token}`, token, expires_at }
}
