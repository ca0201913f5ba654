import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { fillPool } from '../licenses/fill.js'
import { refreshFulfillment } from '../licenses/fulfillment.js'
import { mailLine } from './mail.js'
import { isCalled, passSteps, type CalledStep } from './pass.js'
import { lockShortLine, type LineId, type ShortLine } from './short-line.js'

/**
 * Asks the supplies of a product for what one of its lines misses: takes from the next pools at once, and plans demands for what nobody was asked
 * for to the first supply that has to be called. The line stays in its queue: whoever comes first fills the slot. What was given up counts as asked for,
 * until the demand is retried or the supplies are changed. Harmless when there is nothing to do. The caller calls wakeWorker() after the commit.
 */
export async function supplyLine (trx: Transaction<Database>, id: LineId): Promise<void> {
  const line = await lockShortLine(trx, id)
  const wanted = line.missing - line.in_stock
  if (wanted <= 0 || line.steps.length === 0) return
  const asked = await askedFor(trx, id)
  const first = line.steps.find(isCalled)
  // no supply is passed before its turn: what is being asked holds up those that come after it
  const turn = asked.step ?? (asked.quantity >= wanted ? undefined : first?.step) ?? Infinity
  const left = await passSteps(trx, line, line.steps.filter((step) => !isCalled(step) && step.step < turn), wanted)
  if (left > asked.quantity && first !== undefined) await planDemands(trx, line, first, left - asked.quantity)
  if (left < wanted) await settleLine(trx, line, wanted - left)
}

/** After a line was given licenses from elsewhere: with them its own pool may cover the rest. */
async function settleLine (trx: Transaction<Database>, line: ShortLine, taken: number): Promise<void> {
  const { account_id, order_id, line_item_id, pool_id } = line
  await fillPool(trx, account_id, pool_id)
  await refreshFulfillment(trx, account_id, [order_id])
  await mailLine(trx, line)
  await recordEvent(trx, { account_id, type: 'line_item.supplied', subject_id: line_item_id, data: { order_id, taken } })
}

/** How much was asked for, and the first step that is being asked now. */
async function askedFor (trx: Transaction<Database>, { account_id, line_item_id }: LineId): Promise<{ quantity: number, step: number | null }> {
  const { rows: [asked] } = await sql<{ quantity: number, step: number | null }>`
    select coalesce(sum(quantity), 0)::int as quantity, min(step) filter (where status <> 'given_up') as step from supply_orders
    where account_id = ${account_id} and line_item_id = ${line_item_id} and status in ('planned', 'calling', 'given_up')`.execute(trx)
  return asked ?? { quantity: 0, step: null }
}

/** One demand for each license, or one for all. */
async function planDemands (trx: Transaction<Database>, line: ShortLine, next: CalledStep, wanted: number): Promise<void> {
  const { account_id, order_id, line_item_id, product_id, pool_id, mode } = line
  const [demands, quantity] = next.settings.per === 'line' ? [1, wanted] : [wanted, 1]
  await sql`
    with planned as (
      insert into supply_orders (account_id, order_id, line_item_id, product_id, pool_id, mode, number, quantity, step, type)
      select ${account_id}, ${order_id}, ${line_item_id}, ${product_id}, ${pool_id}, ${mode}, nth + coalesce((
          select max(number) from supply_orders where account_id = ${account_id} and line_item_id = ${line_item_id}), 0),
        ${quantity}::int, ${next.step}::int, ${next.type}
      from generate_series(1, ${demands}::int) as nth
      returning id, quantity
    )
    insert into events (account_id, type, subject_id, data)
    select ${account_id}, 'supply_order.planned', id, jsonb_build_object('order_id', ${order_id}::text, 'line_item_id', ${line_item_id}::text, 'quantity', quantity) from planned`.execute(trx)
}
