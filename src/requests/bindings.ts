import { sql, type Transaction } from 'kysely'
import { cancelOrder } from '../orders/cancel.js'
import { allocatedTo } from '../orders/allocated-to.js'
import type { Database } from '../database/connect.js'
import { setLicenses } from '../parameters/set-licenses.js'
import { UNLIMITED } from './items.js'
import type { Actor, RequestRow } from './request-row.js'

/** What a request takes from pools. */
export interface Bindings {
  mode: 'live' | 'test'
  /** `pool_id` is null where there is none of the mode; `is_written`: it has a value, of whoever wrote it; `is_ordered`: its order has a line for it */
  parameters: Array<{ id: string, name: string, pool_id: string | null, quantity_rule: 'unit' | 'line' | null, is_written: boolean, is_ordered: boolean }>
  /** of all items that are reserved by quantity; UNLIMITED if one is */
  quantity: number
}

/** The parameters of a request's product that are bound to pools, with the pool of the connection's mode: production is live, all else test. */
export async function bindingsOf (trx: Transaction<Database>, { account_id, id, asset_id, product_id, order_id }: RequestRow): Promise<Bindings> {
  const { rows } = await sql<Bindings['parameters'][number] & { mode: 'live' | 'test', quantity: number }>`
    with asked as (
      select case c.type when 'production' then 'live' else 'test' end as mode, (
        select case when min(i.quantity) = ${UNLIMITED} then ${UNLIMITED} else least(coalesce(sum(i.quantity), 0), 2147483647)::int end
        from request_items i join product_items p on p.account_id = i.account_id and p.id = i.item_id and p.type = 'reservation'
        where i.account_id = a.account_id and i.request_id = ${id}) as quantity
      from assets a join connections c on c.account_id = a.account_id and c.id = a.connection_id
      where a.account_id = ${account_id} and a.id = ${asset_id}
    )
    select p.id, p.name, l.id as pool_id, l.quantity_rule, asked.mode, asked.quantity,
      num_nonnulls(v.value, v.sealed, v.license_ids) > 0 as is_written,
      exists (select from line_items o where o.account_id = p.account_id and o.order_id = ${order_id} and o.external_id = p.id) as is_ordered
    from product_parameters p cross join asked
    left join pools l on l.account_id = p.account_id and l.id = case asked.mode when 'live' then p.pool_id else p.test_pool_id end and l.mode = asked.mode
    left join parameter_values v on v.account_id = p.account_id and v.owner_id = ${id} and v.parameter_id = p.id
    where p.account_id = ${account_id} and p.product_id = ${product_id} and (p.pool_id is not null or p.test_pool_id is not null)
    order by p.position, p.id`.execute(trx)
  const { mode = 'live', quantity = 0 } = rows[0] ?? {}
  return { mode, quantity, parameters: rows.map(({ mode: _mode, quantity: _quantity, ...parameter }) => parameter) }
}

/**
 * Before an approval: writes the licenses of a request's order as the values of the parameters that are still empty, and returns them. An order
 * that is not fulfilled, or that nothing is taken from since the vendor wrote every value by hand, is cancelled.
 */
export async function takeFromOrder (trx: Transaction<Database>, request: RequestRow, actor: Actor): Promise<string[]> {
  const { account_id, id, order_id } = request
  if (order_id === null || request.type !== 'purchase') return []
  const order = await trx.selectFrom('orders').select(['status', 'fulfillment_status']).where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirst()
  if (order?.status !== 'paid') return [] // read without a lock: only whoever holds the request ends its order
  const empty = (await bindingsOf(trx, request)).parameters.filter(({ is_written, is_ordered }) => is_ordered && !is_written)
  if (order.fulfillment_status !== 'fulfilled' || empty.length === 0) {
    await cancelOrder(trx, { account_id, order_id, actor: actor.key_id, reason: 'the request was approved with values written by hand' })
    return []
  }
  const licensesOf = await allocatedTo(trx, account_id, order_id)
  const taken = empty.map((parameter) => ({ parameter_id: parameter.id, license_ids: licensesOf.get(parameter.id) ?? [] }))
  for (const filled of taken) await setLicenses(trx, { account_id, owner_id: id, ...filled })
  return taken.flatMap(({ license_ids }) => license_ids)
}

/**
 * Gives back what was taken from pools: of a request that failed or was revoked its own order, of a cancelled asset all its orders. What nobody
 * has seen is back in stock, the rest is revoked.
 */
export async function giveBack (trx: Transaction<Database>, { account_id, id, asset_id, type, status }: RequestRow, actor: Actor): Promise<void> {
  const isWhole = type === 'cancel' && status === 'approved'
  const { rows } = await sql<{ order_id: string }>`
    select o.id as order_id from requests r join orders o on o.account_id = r.account_id and o.id = r.order_id and o.status = 'paid'
    where r.account_id = ${account_id} and r.asset_id = ${asset_id} and (${isWhole} or r.id = ${id}) order by o.id`.execute(trx)
  for (const { order_id } of rows) await cancelOrder(trx, { account_id, order_id, actor: actor.key_id, reason: `${id} is ${status}` })
}
