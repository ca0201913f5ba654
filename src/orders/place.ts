import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { replanDeliveries } from '../deliveries/replan.js'
import { recordEvent } from '../events/record.js'
import { routeLines } from '../pools/route-lines.js'
import { addLines } from './add-lines.js'
import { adoptFacts } from './adopt-facts.js'
import { fulfill, type WaitingLine } from './fulfill.js'
import { fulfillFromHold } from './fulfill-from-hold.js'
import { insertLines } from './insert-lines.js'
import { lockOrder } from './lock-order.js'
import { findNamed, writeNames } from './names.js'
import { findParent } from './find-parent.js'
import { insertRenewing } from './insert-renewing.js'
import { assertSameOrder } from './same-order.js'
import { findProcessed, recordProcessed } from './record-processed.js'
import { settleOrder } from './settle.js'
import type { Arrival } from './take-in.js'

/**
 * Places an order the careful way: for what the one statement of take-in.ts declined. Every line queues as a backorder under
 * its pool's lock and the queue is served, so the new line comes after all who wait. What is left is short, and the pool's
 * policy decides. An order that is known already, with the same content, stays as it is, and that it was paid again is a fact of it.
 * Facts that waited for the order become its own, and it is settled.
 *
 * @throws Problem product-not-found
 * @throws Problem pool-missing
 * @throws Problem order-exists  the same external_id with other content
 * @throws Problem out-of-stock  not of a webhook, whose order is paid and so is kept, unfulfilled; nor where the arrival says `keep`
 * @throws Problem payment-event-erased  of an event that was never processed, whose content was erased since
 * @throws Problem parent-not-found  it renews an order that is not known, or not yet
 * @throws Problem validation-failed  the order that it names as its own is of a source that the account does not have
 */
export async function placeOrder (trx: Transaction<Database>, arrival: Arrival): Promise<{ id: string, created: boolean }> {
  const { account_id, order, event, actor } = arrival
  const processed = event === undefined ? undefined : await findProcessed(trx, account_id, event)
  if (processed !== undefined) {
    if (arrival.retry === true) await retryUnfulfilled(trx, account_id, processed)
    return { id: processed, created: false }
  }
  const named = await findNamed(trx, account_id, order) ?? await insertOrder(trx, arrival)
  const created = named === undefined
  const id = named ?? arrival.order_id
  if (created) await fillNew(trx, arrival)
  else if (order.is_partial === true) await addLines(trx, arrival, id)
  else await assertSameOrder(trx, account_id, id, order)
  await writeNames(trx, account_id, id, order)
  if (!created && event !== undefined) await lockOrder(trx, account_id, id) // before the event, as its settlement and an erasure do
  const again = event !== undefined && await recordProcessed(trx, account_id, event, id, created ? undefined : order.external_id)
  if (await adoptFacts(trx, account_id, id) || (!created && again)) await settleOrder(trx, { account_id, order_id: id, actor })
  return { id, created }
}

/** Undefined: it is inserted. Else the order that a parallel event made meanwhile. */
async function insertOrder (trx: Transaction<Database>, { account_id, order_id, order, event }: Arrival): Promise<string | undefined> {
  const { line_items, customer, hold_id, parent, refs, same_as, is_partial, ...columns } = order
  const parent_id = parent === undefined ? null : await findParent(trx, account_id, order, parent)
  const inserted = await trx.insertInto('orders')
    .values({
      account_id, id: order_id, ...columns, ...same_as, parent_id, customer: JSON.stringify(customer), said_paid_at: event?.occurred_at ?? null, fulfillment_status: 'backordered',
    })
    .onConflict((conflict) => conflict.constraint('orders_once').doNothing()).returning('id').executeTakeFirst()
  return inserted === undefined ? findNamed(trx, account_id, order) : undefined
}

async function fillNew (trx: Transaction<Database>, arrival: Arrival): Promise<void> {
  const { account_id, order_id, order, event, actor } = arrival
  const routed = await routeLines(trx, account_id, order)
  const lines = order.parent === undefined
    ? await insertLines(trx, account_id, order_id, order.line_items, routed)
    : await insertRenewing(trx, arrival, routed)
  await recordEvent(trx, { account_id, type: 'order.paid', subject_id: order_id, actor })
  const refusable = event === undefined && arrival.keep !== true
  if (order.hold_id === undefined) await fulfill(trx, account_id, order_id, lines, refusable)
  else await fulfillFromHold(trx, { account_id, order_id, hold_id: order.hold_id, mode: order.mode, actor, lines, refusable })
  if (order.parent !== undefined) await replanDeliveries(trx, { account_id, order_id }) // with what is kept, which nobody gave it now
}

/**
 * Tries again what a pool's policy once left unfulfilled: whoever replays the event has restocked, or changed the policy. Locks pools, then
 * the order, as filling and cancelling do, before it looks.
 */
async function retryUnfulfilled (trx: Transaction<Database>, account_id: string, order_id: string): Promise<void> {
  await lockOrder(trx, account_id, order_id)
  const { rows: lines } = await sql<WaitingLine>`
    select l.id, l.pool_id, w.slots
    from orders o
    join line_items l on l.account_id = o.account_id and l.order_id = o.id
    cross join lateral (
      select count(*)::int as slots from slots s where s.account_id = l.account_id and s.line_item_id = l.id and s.cancelled_at is null
        and not exists (select from allocations a where a.account_id = s.account_id and a.line_item_id = s.line_item_id and a.unit = s.unit and a.ended_as is null)) w
    where o.account_id = ${account_id} and o.id = ${order_id} and o.status in ('paid', 'partially_refunded', 'disputed') and not o.is_held and w.slots > 0
      and not exists (select from backorders b where b.account_id = l.account_id and b.line_item_id = l.id)
    order by l.id`.execute(trx)
  if (lines.length === 0) return
  await trx.updateTable('line_items').set({ fulfillment_status: 'backordered' }).where('account_id', '=', account_id)
    .where('id', 'in', lines.map((line) => line.id)).where('fulfillment_status', '=', 'unfulfilled').execute()
  await fulfill(trx, account_id, order_id, lines, false)
}
