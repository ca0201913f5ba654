import { sql } from 'kysely'
import type { Reader } from '../../database/connect.js'
import { findRoutes, noSuchProduct } from '../../pools/route-lines.js'
import { explainRoute } from '../../pools/route.js'
import { findOrderId } from '../find-order-id.js'
import { findParent } from '../find-parent.js'
import { planRenewals } from '../insert-renewing.js'
import type { PaidLine, PaidOrder } from '../paid-order.js'
import type { Outcome } from './schema.js'

/** What a pool has for an order. `free`: no more than it asks for; `held`: what its hold has set aside. */
interface Stock {
  id: string
  quantity_rule: 'unit' | 'line'
  on_shortage: 'backorder' | 'partial' | 'fail'
  free: number
  held: number
  is_waited_for: boolean
}

/** A line as it would be served. `kept`: what the customer of a renewal has and keeps; `available`: of its slots, those that would be filled at once. */
export interface SimulatedLine {
  external_id: string
  product_id: string
  pool_id: string | null
  reason: string
  quantity: number
  quantity_rule: Stock['quantity_rule'] | null
  on_shortage: Stock['on_shortage'] | null
  slots: number
  kept: number
  available: number
  outcome: Outcome
  supplies: string[]
}

interface Wanting { line: PaidLine, product_id: string, pool_id: string | null, slots: number, kept: number }

/**
 * Says what would become of an order: from where each line would be served and why, and what the pools have. Only reads, in statements of their own, so it
 * is a picture of moments that are close together; what others take meanwhile, it does not know.
 *
 * @throws Problem product-not-found
 * @throws Problem parent-not-found
 */
export async function simulateLines (db: Reader, account_id: string, order: PaidOrder): Promise<{ known_as: string | null, lines: SimulatedLine[] }> {
  const wanting = await wantingOf(db, account_id, order)
  const reasons = await reasonsOf(db, account_id, order)
  const stock = await stockOf(db, account_id, order, wanting)
  const supplies = await suppliesOf(db, account_id, order, wanting)
  const lines = wanting.map((wants) => {
    const pool = stock.get(wants.pool_id ?? '')
    const { line: { external_id, quantity, product }, product_id, pool_id, slots, kept } = wants
    const { available, outcome } = serve(wants, pool)
    const is_short = available < slots && outcome !== 'refused'
    return {
      external_id,
      product_id,
      pool_id: pool_id === '' ? null : pool_id,
      reason: pool_id === '' ? 'it hands over a mail and no license' : reasons.get(product) ?? '',
      quantity,
      quantity_rule: pool?.quantity_rule ?? null,
      on_shortage: pool?.on_shortage ?? null,
      slots,
      kept,
      available,
      outcome,
      supplies: is_short ? supplies.get(product_id) ?? [] : [],
    }
  })
  return { known_as: await findOrderId(db, account_id, order.source_id, order.external_id) ?? null, lines }
}

/** What is left in the pool for the lines behind it is written down there. */
function serve ({ pool_id, slots }: Wanting, pool: Stock | undefined): { available: number, outcome: Outcome } {
  if (slots === 0 && pool_id !== null) return { available: 0, outcome: 'fulfilled' }
  if (pool === undefined) return { available: 0, outcome: 'refused' }
  const from_hold = Math.min(pool.held, slots)
  const available = from_hold + (pool.is_waited_for ? 0 : Math.min(pool.free, slots - from_hold))
  const is_covered = available === slots
  const outcome = is_covered ? 'fulfilled' : pool.on_shortage === 'fail' ? 'refused' : pool.on_shortage === 'partial' && available > 0 ? 'partial' : 'backordered'
  const taken = is_covered || outcome === 'partial' ? available : from_hold
  pool.held -= from_hold
  pool.free -= taken - from_hold
  pool.is_waited_for ||= outcome === 'partial' || outcome === 'backordered' // nobody overtakes
  return { available, outcome }
}

async function wantingOf (db: Reader, account_id: string, order: PaidOrder): Promise<Wanting[]> {
  const routed = (await findRoutes(db, account_id, order)).map(({ product_id, pool_id, slots }, index) => {
    const line = order.line_items[index] as PaidLine
    if (product_id === null) throw noSuchProduct(index, line.product)
    return { line, product_id, pool_id, slots, kept: 0 }
  })
  if (order.parent === undefined) return routed
  const parent_id = await findParent(db, account_id, order, order.parent)
  const renewing = await planRenewals(db, account_id, parent_id, routed.map((line) => ({ ...line, pool_id: line.pool_id ?? '' })))
  return routed.map((line, index) => ({ ...line, slots: renewing[index]?.route.slots ?? line.slots, kept: renewing[index]?.kept ?? 0 }))
}

/** By what a line calls its product, why its pool serves it. */
async function reasonsOf (db: Reader, account_id: string, { line_items, currency, mode }: PaidOrder): Promise<Map<string, string>> {
  const reasons = new Map<string, string>()
  for (const product of new Set(line_items.map((line) => line.product))) {
    reasons.set(product, (await explainRoute(db, { account_id, product, currency, mode })).reason)
  }
  return reasons
}

async function stockOf (db: Reader, account_id: string, { hold_id = '', line_items, mode }: PaidOrder, wanting: readonly Wanting[]): Promise<Map<string, Stock>> {
  const most = line_items.reduce((sum, line) => sum + line.quantity, 0)
  const ids = [...new Set(wanting.flatMap((line) => line.pool_id ?? []))]
  const isFit = sql`(l.expires_at is null or l.expires_at > statement_timestamp() + p.min_remaining_days * interval '24 hours')`
  // expired holds are given back to stock before an order takes from it; a hold that is over, or of the other mode, gives nothing
  const { rows } = await sql<Stock>`
    select p.id, p.quantity_rule, p.on_shortage,
      (select count(*)::int from (select from fit_stock s where s.account_id = p.account_id and s.pool_id = p.id limit ${most}) s)
      + (select count(*)::int from (
        select from held_licenses h join licenses l on l.account_id = h.account_id and l.id = h.license_id
        where h.account_id = p.account_id and h.pool_id = p.id and h.expires_at <= now() and ${isFit} limit ${most}) h) as free,
      (select count(*)::int from held_licenses h join holds o on o.account_id = h.account_id and o.id = h.hold_id
        join licenses l on l.account_id = h.account_id and l.id = h.license_id
        where h.account_id = p.account_id and h.pool_id = p.id and h.hold_id = ${hold_id} and o.mode = ${mode} and o.status = 'open' and h.expires_at > now()
          and ${isFit}) as held,
      exists (select from backorders b where b.account_id = p.account_id and b.pool_id = p.id) as is_waited_for
    from pools p where p.account_id = ${account_id} and p.id = any(${ids}::text[])`.execute(db)
  return new Map(rows.map((pool) => [pool.id, pool]))
}

/** What would be asked for a line that is short, by product, in this order. */
async function suppliesOf (db: Reader, account_id: string, { mode }: PaidOrder, wanting: readonly Wanting[]): Promise<Map<string, string[]>> {
  const { rows } = await sql<{ product_id: string, types: string[] }>`
    select product_id, array_agg(type order by step) as types from product_supplies
    where account_id = ${account_id} and product_id = any(${wanting.map((line) => line.product_id)}::text[]) and ${mode} = any(modes)
    group by product_id`.execute(db)
  return new Map(rows.map(({ product_id, types }) => [product_id, types]))
}
