import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { reclaimExpired } from '../holds/reclaim.js'
import { fillPool } from '../licenses/fill.js'
import { refreshFulfillment } from '../licenses/fulfillment.js'
import { Problem } from '../problems.js'
import { informLines } from '../supplies/inform.js'
import { lockWithNext } from '../supplies/lock-with-next.js'
import { supplyLine } from '../supplies/supply.js'

/** A line that wants `slots` licenses of its pool; none, and no pool, where all that it hands over is a mail. */
export interface WaitingLine { id: string, pool_id: string, slots: number }

/**
 * Queues lines that are in no queue, serves the queues, and lets the policy of each pool decide on what is short; what is to wait asks the other supplies of
 * its product. `refusable`: nobody has paid yet for what cannot be kept.
 *
 * @throws Problem out-of-stock  if it is refusable
 */
export async function fulfill (
  trx: Transaction<Database>, account_id: string, order_id: string, wanting: readonly WaitingLine[], refusable: boolean
): Promise<void> {
  const lines = wanting.filter((line) => line.slots > 0)
  if (lines.length < wanting.length) await informLines(trx, account_id, order_id)
  if (lines.length === 0) return refreshFulfillment(trx, account_id, [order_id])
  const policies = await lockWithNext(trx, account_id, lines)
  await reclaimExpired(trx, account_id, [...policies.keys()])
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
  // a hold may have given it some
  const is_partial = sql`exists (select from allocations a where a.account_id = line_items.account_id and a.line_item_id = line_items.id and a.ended_as is null)`
  await trx.updateTable('line_items').set({ fulfillment_status: sql<string>`case when ${is_partial} then 'partial' else 'unfulfilled' end` })
    .where('account_id', '=', account_id).where('id', 'in', line_item_ids).execute()
}

async function recordShortage (
  trx: Transaction<Database>, account_id: string, order_id: string, backordered: readonly ShortLine[], unfulfilled: readonly string[]
): Promise<void> {
  if (backordered.length + unfulfilled.length > 0) await refreshFulfillment(trx, account_id, [order_id])
  await recordEvent(trx, // after the order is what they say: webhooks are told of it as it is by now
    ...backordered.map(({ line_item_id, pool_id, missing }) => ({ account_id, type: 'line_item.backordered', subject_id: line_item_id, data: { order_id, pool_id, missing } })),
    ...unfulfilled.map((line_item_id) => ({ account_id, type: 'line_item.unfulfilled', subject_id: line_item_id, data: { order_id } })))
  for (const { line_item_id } of backordered) await supplyLine(trx, { account_id, line_item_id })
}
