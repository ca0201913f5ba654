import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Connection } from './find-connection.js'

/** Where a purchase is made, and under what agreement. */
export interface Place { marketplace_id: string, contract_id: string, listing_id: string }

/** Texts that published clients compare. */
const REQUIRED = "Field 'marketplace.id' is required."
const NOT_LISTED = 'There is no Listing for specified Product and Marketplace.'

const refused = (text: string): Problem => new Problem('validation-failed', { detail: text, errors: [text] })

/**
 * The marketplace of a purchase through a connection, where its product is listed under a contract in force. Without a `marketplace_id`
 * it is the one that the connection's hub serves (without a hub: the provider's) and lists the product, if there is only one such.
 *
 * @throws Problem validation-failed  several marketplaces are possible, the hub has none, or the product is not listed on it
 */
export async function resolveMarketplace (
  db: Reader, { account_id, provider_id, product_id, hub_id }: Pick<Connection, 'account_id' | 'provider_id' | 'product_id' | 'hub_id'>, marketplace_id?: string
): Promise<Place> {
  const among = marketplace_id !== undefined ? sql`m.id = ${marketplace_id}` : hub_id !== null ? sql`m.hub_id = ${hub_id}` : sql`true`
  const { rows: [first, second] } = await sql<{ [key in keyof Place]: Place[key] | null }>`
    select m.id as marketplace_id, l.contract_id, l.id as listing_id
    from marketplaces m
    left join contracts c on c.account_id = ${account_id} and c.provider_id = m.provider_id and c.marketplace_id = m.id and c.status = 'active'
    left join listings l on l.account_id = c.account_id and l.contract_id = c.id and l.product_id = ${product_id} and l.status = 'listed'
    where m.provider_id = ${provider_id} and ${among}
    order by (l.id is null), m.id limit 2`.execute(db)
  if (first === undefined && marketplace_id === undefined) throw refused(REQUIRED)
  if (first === undefined || first.listing_id === null) throw refused(`${NOT_LISTED} Product ${product_id}, marketplace ${marketplace_id ?? first?.marketplace_id ?? ''}.`)
  if (second !== undefined && second.listing_id !== null) throw refused(REQUIRED)
  return first as Place
}
