import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { lockPools } from '../licenses/fill.js'

/** An order that holds licenses which are to be taken from it. `request_id`: of one that fills a fulfillment request. */
export interface Holder { id: string, is_held: boolean, request_id: string | null }

/**
 * Locks whatever is moved with licenses that orders hold: the requests that these orders fill and their assets, their pools and `pool_ids`, then the
 * orders, each in the order of their ids. Nobody gives these orders anything meanwhile, nor approves with what they have.
 */
export async function lockHolders (
  trx: Transaction<Database>, account_id: string, order_ids: readonly string[], pool_ids: readonly string[]
): Promise<Holder[]> {
  const ids = sql`${order_ids}::text[]`
  const { rows: requests } = await sql<{ asset_id: string }>`
    select asset_id from requests where account_id = ${account_id} and id = any(array(
      select external_id from orders where account_id = ${account_id} and id = any(${ids}) and source_id = 'requests'))
    order by id for no key update`.execute(trx)
  const assets = [...new Set(requests.map((request) => request.asset_id))]
  if (assets.length > 0) {
    await sql`select from assets where account_id = ${account_id} and id = any(${assets}::text[]) order by id for no key update`.execute(trx)
  }
  const { rows: pools } = await sql<{ pool_id: string }>`
    select pool_id from line_items where account_id = ${account_id} and order_id = any(${ids})
    union select a.pool_id from line_items l join allocations a on a.account_id = l.account_id and a.line_item_id = l.id
    where l.account_id = ${account_id} and l.order_id = any(${ids})`.execute(trx)
  await lockPools(trx, account_id, [...pool_ids, ...pools.map((pool) => pool.pool_id)])
  const { rows: orders } = await sql<Holder>`
    select id, is_held, case source_id when 'requests' then external_id end as request_id from orders
    where account_id = ${account_id} and id = any(${ids}) order by id for no key update`.execute(trx)
  return orders
}
