import type { Reader } from '../database/connect.js'
import { standingOf, type Fact, type FactKind, type Standing } from './standing.js'

/** A line as far as its standing goes. */
export interface StandingLine { id: string, external_id: string, quantity: number, ended_units: number }

/** An order as it is stored. */
export interface StoredOrder { status: string, refunded_amount: number, is_held: boolean, lines: StandingLine[] }

/** What an order is, and what it should be by its facts. To be called under the lock of the order, or to look only. */
export async function readStanding (
  db: Reader, account_id: string, order_id: string
): Promise<{ stored: StoredOrder, standing: Standing, total_amount: number | null }> {
  const order = await db.selectFrom('orders').select(['status', 'refunded_amount', 'is_held', 'paid_at', 'said_paid_at', 'total_amount'])
    .where('account_id', '=', account_id).where('id', '=', order_id).executeTakeFirstOrThrow()
  const lines = await db.selectFrom('line_items').select(['id', 'external_id', 'quantity', 'ended_units'])
    .where('account_id', '=', account_id).where('order_id', '=', order_id).execute()
  const facts = await db.selectFrom('payment_facts')
    .select(['source_id', 'kind', 'subject', 'occurred_at', 'amount', 'is_cumulative', 'is_full', 'lines', 'holds'])
    .where('account_id', '=', account_id).where('order_id', '=', order_id).$narrowType<{ kind: FactKind }>().execute()
  const total_amount = order.total_amount === null ? null : Number(order.total_amount)
  const terms = { paid_at: order.said_paid_at ?? order.paid_at, total_amount, lines }
  return {
    total_amount,
    stored: { status: order.status, refunded_amount: Number(order.refunded_amount), is_held: order.is_held, lines },
    standing: standingOf(terms, facts.map((fact) =>
      ({ ...fact, amount: fact.amount === null ? null : Number(fact.amount), lines: fact.lines as unknown as Fact['lines'] }))),
  }
}
