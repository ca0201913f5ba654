import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { findRoutes, routeLines, type RoutedLine } from '../pools/route-lines.js'
import { Problem } from '../problems.js'
import { fulfill, type WaitingLine } from './fulfill.js'
import { lockOrder } from './lock-order.js'
import type { PaidOrder } from './paid-order.js'
import { findProcessed, recordProcessed } from './record-processed.js'
import { fulfillFromHold } from './fulfill-from-hold.js'
import type { Arrival } from './take-in.js'

/**
 * Places an order the careful way: for what the one statement of take-in.ts declined. Every line queues as a backorder under
 * its pool's lock and the queue is served, so the new line comes after all who wait. What is left is short, and the pool's
 * policy decides. An order that is known already, with the same content, changes nothing.
 *
 * @throws Problem product-not-found
 * @throws Problem pool-missing
 * @throws Problem order-exists  the same external_id with other content
 * @throws Problem out-of-stock  not of a webhook, whose order is paid and so is kept, unfulfilled; nor where the arrival says `keep`
 */
export async function placeOrder (trx: Transaction<Database>, arrival: Arrival): Promise<{ id: string, created: boolean }> {
  const { account_id, order_id, order, event, actor } = arrival
  const known = event === undefined ? undefined : await findProcessed(trx, account_id, event)
  if (known !== undefined) {
    if (arrival.retry === true) await retryUnfulfilled(trx, account_id, known)
    return { id: known, created: false }
  }
  const { line_items, customer, hold_id, parent, refs, same_as, is_partial, ...columns } = order
  const inserted = await trx.insertInto('orders')
    .values({ account_id, id: order_id, ...columns, customer: JSON.stringify(customer), fulfillment_status: 'backordered' })
    .onConflict((conflict) => conflict.constraint('orders_once').doNothing()).returning('id').executeTakeFirst()
  const id = inserted === undefined ? await findSameOrder(trx, account_id, order) : order_id
  if (inserted !== undefined) {
    const routed = await routeLines(trx, account_id, order)
    await insertLines(trx, account_id, order_id, order, routed)
    const lines = routed.map((line, index) => ({ ...line, id: lineItemId(order_id, index) }))
    await recordEvent(trx, { account_id, type: 'order.paid', subject_id: id, actor })
    const refusable = event === undefined && arrival.keep !== true
    if (hold_id === undefined) await fulfill(trx, account_id, order_id, lines, refusable)
    else await fulfillFromHold(trx, { account_id, order_id, hold_id, mode: order.mode, actor, lines, refusable })
  }
  if (event !== undefined) await recordProcessed(trx, account_id, event, id)
  return { id, created: inserted !== undefined }
}

async function insertLines (trx: Transaction<Database>, account_id: string, order_id: string, order: PaidOrder, lines: readonly RoutedLine[]): Promise<void> {
  await trx.insertInto('line_items').values(order.line_items.map(({ external_id, quantity, unit_amount }, index) => {
    const { product_id, pool_id } = lines[index] as RoutedLine
    return { account_id, id: lineItemId(order_id, index), order_id, external_id, product_id, pool_id, quantity, unit_amount, fulfillment_status: 'backordered' }
  })).execute()
  await sql`
    insert into slots (account_id, line_item_id, unit)
    select ${account_id}, l.id, unit from unnest(${lines.map((_, index) => lineItemId(order_id, index))}::text[], ${lines.map((line) => line.slots)}::int[]) as l (id, slots)
    cross join lateral generate_series(1, l.slots) as unit`.execute(trx)
}

function lineItemId (order_id: string, index: number): string {
  return `${order_id}-${index + 1}`
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
    where o.account_id = ${account_id} and o.id = ${order_id} and o.status = 'paid' and w.slots > 0
      and not exists (select from backorders b where b.account_id = l.account_id and b.line_item_id = l.id)
    order by l.id`.execute(trx)
  if (lines.length === 0) return
  await trx.updateTable('line_items').set({ fulfillment_status: 'backordered' }).where('account_id', '=', account_id)
    .where('id', 'in', lines.map((line) => line.id)).where('fulfillment_status', '=', 'unfulfilled').execute()
  await fulfill(trx, account_id, order_id, lines, false)
}

/** The order of this external_id, if it has the same content: currency, mode, lines and quantities. */
async function findSameOrder (trx: Transaction<Database>, account_id: string, order: PaidOrder): Promise<string> {
  const known = await trx.selectFrom('orders').select(['id', 'currency', 'mode'])
    .where('account_id', '=', account_id).where('source_id', '=', order.source_id).where('external_id', '=', order.external_id).executeTakeFirstOrThrow()
  const has = await trx.selectFrom('line_items').select(['external_id', 'product_id', 'quantity'])
    .where('account_id', '=', account_id).where('order_id', '=', known.id).execute()
  const routes = await findRoutes(trx, account_id, order)
  const asked = order.line_items.map((line, index) => JSON.stringify([line.external_id, routes[index]?.product_id, line.quantity]))
  const kept = new Set(has.map((line) => JSON.stringify([line.external_id, line.product_id, line.quantity])))
  const same = known.currency === order.currency && known.mode === order.mode && asked.length === kept.size && asked.every((line) => kept.has(line))
  if (!same) {
    throw new Problem('order-exists', {
      detail: `external_id: order ${known.id} has it, with another currency, mode, line or quantity; give a new order another external_id`,
      params: { order_id: known.id },
    })
  }
  return known.id
}
