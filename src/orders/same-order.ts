import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { findRoutes } from '../pools/route-lines.js'
import { Problem } from '../problems.js'
import type { PaidOrder } from './paid-order.js'

/**
 * Sees to it that an order which is known has the content that is told again: currency, mode, lines and quantities. Where two sources meet in it, each
 * has its own names for the lines: then the same products in the same quantities.
 *
 * @throws Problem order-exists
 */
export async function assertSameOrder (trx: Transaction<Database>, account_id: string, order_id: string, order: PaidOrder): Promise<void> {
  const known = await trx.selectFrom('orders').select(['currency', 'mode'])
    .where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirstOrThrow()
  const kept = await trx.selectFrom('line_items').select(['external_id', 'product_id', 'quantity'])
    .where('account_id', '=', account_id).where('order_id', '=', order_id).execute()
  const routes = await findRoutes(trx, account_id, order)
  const asked = order.line_items.map(({ external_id, quantity }, index) => ({ external_id, product_id: routes[index]?.product_id ?? null, quantity }))
  const same = known.currency === order.currency && known.mode === order.mode &&
    (isSame(linesOf(asked), linesOf(kept)) || (isSame(productsOf(asked), productsOf(kept)) && await isShared(trx, account_id, order_id, order)))
  if (!same) throw orderExists(order_id)
}

/** The refusal of other content under a name that an order has. */
export function orderExists (order_id: string): Problem {
  return new Problem('order-exists', {
    detail: `external_id: order ${order_id} has it, with another currency, mode, line or quantity; give a new order another external_id`,
    params: { order_id },
  })
}

interface Line { external_id: string, product_id: string | null, quantity: number }

const linesOf = (lines: readonly Line[]): string[] => lines.map((line) => JSON.stringify([line.external_id, line.product_id, line.quantity]))
const productsOf = (lines: readonly Line[]): string[] => lines.map((line) => JSON.stringify([line.product_id, line.quantity]))
const isSame = (one: readonly string[], other: readonly string[]): boolean => one.toSorted().join('\n') === other.toSorted().join('\n')

async function isShared (trx: Transaction<Database>, account_id: string, order_id: string, { source_id, same_as }: PaidOrder): Promise<boolean> {
  if (same_as !== undefined) return true
  const other = await trx.selectFrom('order_refs')
    .innerJoin('orders', (join) => join.onRef('orders.account_id', '=', 'order_refs.account_id').onRef('orders.id', '=', 'order_refs.order_id'))
    .select('order_id').where('order_refs.account_id', '=', account_id).where('order_id', '=', order_id)
    .where((is) => is.or([is('order_refs.source_id', '<>', source_id), is('orders.source_id', '<>', source_id)])).executeTakeFirst()
  return other !== undefined
}
