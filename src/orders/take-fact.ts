import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { findOrderId } from './find-order-id.js'
import type { SaidFact } from './facts.js'
import { settleOrder } from './settle.js'

/**
 * Keeps a fact and brings its order into the standing that follows from all that was said of it. Returns the order, or undefined where none is
 * known by that name yet: the fact then waits for it, and the caller keeps its event as `waiting`, in this transaction; whoever places
 * the order settles both. A failed payment waits for nothing: of an unknown order it is not kept. The same fact of the same event
 * again changes nothing. The caller calls wakeWorker() after the commit.
 */
export async function takeFact (trx: Transaction<Database>, said: SaidFact): Promise<{ order_id: string } | undefined> {
  const { account_id, source_id, fact, actor, reason } = said
  const order_id = await findOrderId(trx, account_id, source_id, fact.ref)
  if (order_id === undefined && fact.kind === 'payment_failed') return undefined
  const is_new = await keepFact(trx, said, order_id ?? null)
  if (order_id === undefined) return undefined
  if (is_new || await adoptFact(trx, said, order_id)) {
    await settleOrder(trx, { account_id, order_id, actor, reason })
  }
  return { order_id }
}

async function keepFact (trx: Transaction<Database>, said: SaidFact, order_id: string | null): Promise<boolean> {
  const { account_id, source_id, event_id, fact, holds = true } = said
  const { kind, ref, subject, occurred_at, amount, is_cumulative = false, is_full = false, lines = [] } = fact
  const kept = await trx.insertInto('payment_facts').values({
    account_id,
    source_id,
    event_id,
    ref,
    kind,
    subject,
    occurred_at,
    amount: amount ?? null,
    is_cumulative,
    is_full,
    lines: JSON.stringify(lines),
    holds,
    order_id,
  }).onConflict((conflict) => conflict.constraint('payment_facts_once').doNothing()).executeTakeFirst()
  return kept.numInsertedOrUpdatedRows === 1n
}

/** Of a fact that was kept before its order was known. */
async function adoptFact (trx: Transaction<Database>, { account_id, source_id, event_id }: SaidFact, order_id: string): Promise<boolean> {
  const { numAffectedRows = 0n } = await sql`
    update payment_facts set order_id = ${order_id}
    where account_id = ${account_id} and source_id = ${source_id} and event_id = ${event_id} and order_id is null`.execute(trx)
  return numAffectedRows > 0n
}
