import { CompiledQuery, sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { placeOrder } from './place.js'
import { isDeclined, isSmall, SET_LOCAL, TAKE_IN, takeInValues, UNSET_LOCAL, type Arrival } from './take-in.js'

/** What has no webhook and no idempotency key of its own: its caller's transaction has. */
type InnerArrival = Omit<Arrival, 'event' | 'idempotency' | 'retry'>

/** `partial` and `backordered` come to be `fulfilled` when stock arrives; `unfulfilled` waits for nothing. */
interface Inner { id: string, status: 'fulfilled' | 'partial' | 'backordered' | 'unfulfilled' }

// Several statements in one, so without parameters. `to savepoint` puts the planner back as it was, `release` would keep it until the end.
const BEGIN = sql.raw(`savepoint take_in; ${SET_LOCAL}`)
const KEEP = sql.raw(`release savepoint take_in; ${UNSET_LOCAL}`)
const UNDO = sql.raw('rollback to savepoint take_in; release savepoint take_in')

/**
 * Places an order as part of the caller's work, by the plain statement if it takes it, else the careful way: both commit with the caller or not
 * at all. Its licenses are locked until then, so the caller should end soon, and call wakeWorker() after the commit. An order
 * that is known already, with the same content, changes nothing.
 *
 * @throws Problem product-not-found
 * @throws Problem pool-missing
 * @throws Problem order-exists  the same external_id with other content
 * @throws Problem out-of-stock  unless the arrival says `keep`
 */
export async function placeWithin (trx: Transaction<Database>, arrival: InnerArrival): Promise<Inner> {
  if (isSmall(arrival.order) && await takeInWithin(trx, arrival)) return { id: arrival.order_id, status: 'fulfilled' }
  const { id } = await placeOrder(trx, arrival)
  const order = await trx.selectFrom('orders').select('fulfillment_status').where('account_id', '=', arrival.account_id).where('id', '=', id)
    .$narrowType<{ fulfillment_status: Inner['status'] }>().executeTakeFirstOrThrow()
  return { id, status: order.fulfillment_status }
}

async function takeInWithin (trx: Transaction<Database>, arrival: InnerArrival): Promise<boolean> {
  await BEGIN.execute(trx)
  let placed = false
  try {
    const { rows } = await trx.executeQuery(CompiledQuery.raw(TAKE_IN, takeInValues(arrival.account_id, [arrival])))
    placed = rows.length === 1
  } catch (error) {
    if (!isDeclined(error)) throw error
  }
  await (placed ? KEEP : UNDO).execute(trx)
  return placed
}
