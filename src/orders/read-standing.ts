import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { standingOf, type Fact, type FactKind, type Standing } from './standing.js'

/** A line as far as its standing goes. */
export interface StandingLine { id: string, external_id: string, quantity: number, ended_units: number }

/** An order as it is stored. */
export interface StoredOrder { status: string, refunded_amount: number, is_held: boolean, lines: StandingLine[] }

/** What an order is, and what it should be by its facts. */
export interface ReadStanding { stored: StoredOrder, standing: Standing, total_amount: number | null }

/** Of one order, under its lock, or to look only. */
export async function readStanding (db: Reader, account_id: string, order_id: string): Promise<ReadStanding> {
  return (await readStandings(db, account_id, [order_id])).get(order_id) as ReadStanding
}

interface OrderRow { id: string, status: string, refunded_amount: number, is_held: boolean, paid_at: Date, total_amount: number | null }

/** Of several orders of an account, by their ids. */
export async function readStandings (db: Reader, account_id: string, order_ids: readonly string[]): Promise<Map<string, ReadStanding>> {
  const { rows: orders } = await sql<OrderRow>`
    select id, status, refunded_amount::float8 as refunded_amount, is_held, coalesce(said_paid_at, paid_at) as paid_at, total_amount::float8 as total_amount
    from orders where account_id = ${account_id} and id = any(${order_ids}::text[])`.execute(db)
  const { rows: lines } = await sql<StandingLine & { order_id: string }>`
    select id, order_id, external_id, quantity, ended_units from line_items
    where account_id = ${account_id} and order_id = any(${order_ids}::text[])`.execute(db)
  const { rows: facts } = await sql<Fact & { kind: FactKind, order_id: string }>`
    select order_id, source_id, kind, subject, occurred_at, amount::float8 as amount, is_cumulative, is_full, lines, holds from payment_facts
    where account_id = ${account_id} and order_id = any(${order_ids}::text[])`.execute(db)
  return new Map(orders.map(({ id, paid_at, total_amount, ...stored }) => {
    const own = lines.filter((line) => line.order_id === id)
    const standing = standingOf({ paid_at, total_amount, lines: own }, facts.filter((fact) => fact.order_id === id))
    return [id, { stored: { ...stored, lines: own }, total_amount, standing }]
  }))
}
