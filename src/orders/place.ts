import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { fillPool, lockPools } from '../licenses/fill.js'
import { refreshFulfillment } from '../licenses/fulfillment.js'
import { findRoutes, routeLines, type RoutedLine } from '../pools/route-lines.js'
import { Problem } from '../problems.js'
import type { PaidOrder, ReceivedEvent } from './paid-order.js'
import { lockOrder } from './lock-order.js'
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
  const { line_items, customer, hold_id, parent, ...columns } = order
  const inserted = await trx.insertInto('orders')
    .values({ account_id, id: order_id, ...columns, customer: JSON.stringify(customer), fulfillment_status: 'backordered' })
    .onConflict((conflict) => conflict.constraint('orders_once').doNothing()).returning('id').executeTakeFirst()
  const id = inserted === undefined ? await findSameOrder(trx, account_id, order) : order_id
  if (inserted !== undefined) {
    const lines = await routeLines(trx, account_id, order)
    await insertLines(trx, account_id, order_id, order, lines)
    await recordEvent(trx, { account_id, type: 'order.paid', subject_id: id, actor })
    const refusable = event === undefined && arrival.keep !== true
    await fulfill(trx, account_id, order_id, lines.map((line, index) => ({ ...line, id: lineItemId(order_id, index) })), refusable)
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

/** A line that wants `slots` licenses of its pool. */
interface WaitingLine { id: string, pool_id: string, slots: number }

/** Queues the lines, serves the queues, and settles what is short. `refusable`: nobody has paid yet for what cannot be kept. */
async function fulfill (trx: Transaction<Database>, account_id: string, order_id: string, lines: readonly WaitingLine[], refusable: boolean): Promise<void> {
  const policies = await lockPools(trx, account_id, lines.map((line) => line.pool_id))
  const waiting = await trx.selectFrom('backorders').select('pool_id').distinct()
    .where('account_id', '=', account_id).where('pool_id', 'in', [...policies.keys()]).execute()
  // Somebody waits already: then the stock does not cover the head, and nothing behind it may be served.
  const behind = new Set(waiting.map((row) => row.pool_id))
  await sql`
    insert into backorders (account_id, pool_id, queue, order_id, line_item_id, missing)
    select ${account_id}, l.pool_id, coalesce((
        select b.queue from backorders b where b.account_id = ${account_id} and b.pool_id = l.pool_id order by b.queue desc limit 1), 0)
      + row_number() over (partition by l.pool_id order by l.number), ${order_id}, l.id, l.slots
    from unnest(${lines.map((line) => line.id)}::text[], ${lines.map((line) => line.pool_id)}::text[], ${lines.map((line) => line.slots)}::int[])
      with ordinality as l (id, pool_id, slots, number)`.execute(trx)
  const failed: string[] = []
  let toServe = [...policies.keys()]
  for (;;) { // ends, as each turn but the last takes a line out of the queue
    for (const pool_id of toServe) if (!behind.has(pool_id)) await fillPool(trx, account_id, pool_id, 'order')
    const short = await shortOf(trx, account_id, lines)
    const failing = short.filter((line) => policies.get(line.pool_id) === 'fail')
    if (failing.length > 0 && refusable) throw new Problem('out-of-stock', { params: { pool_ids: [...new Set(failing.map((line) => line.pool_id))] } })
    // the first short line of a pool fails alone: without it the stock may cover the next
    const heads = [...new Map(failing.toReversed().map((line) => [line.pool_id, line])).values()]
    if (heads.length === 0) return recordShortage(trx, account_id, order_id, short, failed)
    await leaveUnfulfilled(trx, account_id, heads.map((line) => line.line_item_id))
    failed.push(...heads.map((line) => line.line_item_id))
    toServe = heads.map((line) => line.pool_id)
  }
}

interface ShortLine { line_item_id: string, pool_id: string, missing: number }

/** What is still queued, in the order of the queue. */
async function shortOf (trx: Transaction<Database>, account_id: string, lines: readonly WaitingLine[]): Promise<ShortLine[]> {
  return trx.selectFrom('backorders').select(['line_item_id', 'pool_id', 'missing'])
    .where('account_id', '=', account_id).where('line_item_id', 'in', lines.map((line) => line.id)).orderBy('pool_id').orderBy('queue').execute()
}

async function leaveUnfulfilled (trx: Transaction<Database>, account_id: string, line_item_ids: readonly string[]): Promise<void> {
  await trx.deleteFrom('backorders').where('account_id', '=', account_id).where('line_item_id', 'in', line_item_ids).execute()
  await trx.updateTable('line_items').set({ fulfillment_status: 'unfulfilled' }).where('account_id', '=', account_id).where('id', 'in', line_item_ids).execute()
}

async function recordShortage (
  trx: Transaction<Database>, account_id: string, order_id: string, backordered: readonly ShortLine[], unfulfilled: readonly string[]
): Promise<void> {
  await recordEvent(trx,
    ...backordered.map(({ line_item_id, pool_id, missing }) => ({ account_id, type: 'line_item.backordered', subject_id: line_item_id, data: { order_id, pool_id, missing } })),
    ...unfulfilled.map((line_item_id) => ({ account_id, type: 'line_item.unfulfilled', subject_id: line_item_id, data: { order_id } })))
  if (backordered.length + unfulfilled.length > 0) await refreshFulfillment(trx, account_id, [order_id])
}

/**
 * Tries again what a pool's policy once left unfulfilled: whoever replays the event has restocked, or changed the policy. Locks pools, then
 * the order, as filling and cancelling do, before it looks.
 */
async function retryUnfulfilled (trx: Transaction<Database>, account_id: string, order_id: string): Promise<void> {
  await lockOrder(trx, account_id, order_id)
  const { rows: lines } = await sql<WaitingLine>`
    select l.id, l.pool_id,
      (select count(*)::int from slots s where s.account_id = l.account_id and s.line_item_id = l.id and s.cancelled_at is null) as slots
    from orders o
    join line_items l on l.account_id = o.account_id and l.order_id = o.id
    where o.account_id = ${account_id} and o.id = ${order_id} and o.status = 'paid' and l.fulfillment_status = 'unfulfilled'
    order by l.id`.execute(trx)
  if (lines.length === 0) return
  await trx.updateTable('line_items').set({ fulfillment_status: 'backordered' })
    .where('account_id', '=', account_id).where('id', 'in', lines.map((line) => line.id)).execute()
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

async function findProcessed (trx: Transaction<Database>, account_id: string, event: ReceivedEvent): Promise<string | undefined> {
  const row = await trx.selectFrom('payment_events').select('order_id').where('account_id', '=', account_id)
    .where('source_id', '=', event.source_id).where('event_key', '=', event.event_key).where('status', '=', 'processed').executeTakeFirst()
  return row?.order_id ?? undefined
}

/** Stores the event as processed. One that was kept for another reason before, sent again or replayed, is processed now. */
async function recordProcessed (trx: Transaction<Database>, account_id: string, event: ReceivedEvent, order_id: string): Promise<void> {
  const { type, occurred_at, body } = event
  await trx.insertInto('payment_events')
    .values({ account_id, ...event, status: 'processed', order_id, processed_at: sql`now()` })
    .onConflict((conflict) => conflict.constraint('payment_events_once')
      .doUpdateSet({ status: 'processed', reason: null, order_id, processed_at: sql`now()`, type, occurred_at, body }).where('payment_events.status', '<>', 'processed'))
    .execute()
}
