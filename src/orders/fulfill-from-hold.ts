import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { replanDeliveries } from '../deliveries/replan.js'
import { commitHold } from '../holds/commit.js'
import { poolsOfHold } from '../holds/pools-of-hold.js'
import { reclaimExpired } from '../holds/reclaim.js'
import { refreshFulfillment } from '../licenses/fulfillment.js'
import { lockWithNext } from '../supplies/lock-with-next.js'
import { fulfill, type WaitingLine } from './fulfill.js'

interface HeldOrder { account_id: string, order_id: string, hold_id: string, mode: 'live' | 'test', actor: string, lines: readonly WaitingLine[], refusable: boolean }

/**
 * Fills a new order's lines from the hold that it names, and what is not held from stock, as {@link fulfill} does; one mail per product has all of it.
 * Locks the pools of both together. A hold that is unknown or over gives nothing.
 *
 * @throws Problem out-of-stock  if it is refusable: then the hold stays as it was
 */
export async function fulfillFromHold (trx: Transaction<Database>, { lines, refusable, ...order }: HeldOrder): Promise<void> {
  const { account_id, order_id, hold_id } = order
  const held = (await poolsOfHold(trx, account_id, hold_id)).map((pool_id) => ({ id: '', pool_id }))
  const policies = await lockWithNext(trx, account_id, [...lines, ...held])
  if (policies.size > 0) await reclaimExpired(trx, account_id, [...policies.keys()])
  const given = await commitHold(trx, { ...order, lines })
  const waiting = lines.map((line) => ({ ...line, slots: line.slots - (given.get(line.id)?.length ?? 0) }))
  await fulfill(trx, account_id, order_id, waiting, refusable)
  await replanDeliveries(trx, { account_id, order_id })
  await refreshFulfillment(trx, account_id, [order_id])
}
