import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import { findOrderId } from './find-order-id.js'
import type { PaidOrder } from './paid-order.js'

/**
 * The order that an order says it renews: by its id, or by what the same source calls it.
 *
 * @throws Problem parent-not-found  or it is of the other mode
 */
export async function findParent (db: Reader, account_id: string, { source_id, mode }: PaidOrder, parent: string): Promise<string> {
  const id = await findOrderId(db, account_id, source_id, parent) ?? parent
  const found = await db.selectFrom('orders').select('id').where('account_id', '=', account_id).where('id', '=', id).where('mode', '=', mode).executeTakeFirst()
  if (found !== undefined) return id
  const fault = `parent: no ${mode} order has "${parent}" as its id, or as its external_id at the same source`
  throw new Problem('parent-not-found', { detail: fault, errors: [fault] })
}
