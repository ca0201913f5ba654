import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { MARK_WINDOW } from '../licenses/reshelve.js'
import type { Mode } from '../pools/route.js'
import { Problem } from '../problems.js'

/** Counted no further: bounds the statement. */
const AVAILABLE_MAX = 1000

/** In the stock of the pool `p`, from where takes look. */
const PLAIN = sql`(
  select count(*)::int from (
    select from stock s where s.account_id = p.account_id and s.pool_id = p.id and s.position > coalesce((
      select a.position from allocations a where a.account_id = p.account_id and a.pool_id = p.id order by a.position desc limit 1), 0) - ${sql.lit(MARK_WINDOW)}
    limit ${sql.lit(AVAILABLE_MAX)}) s)`
const FIT_AFTER = sql`statement_timestamp() + p.min_remaining_days * interval '24 hours'`
/** The same where licenses expire: what has an expiry, or 'infinity', and what was loaded before there were any. */
const DATED = sql`(
  select count(*)::int from (
    (select from stock s where s.account_id = p.account_id and s.pool_id = p.id and s.expires_at is not null and s.expires_at > ${FIT_AFTER}
      and (p.pick = 'first' or (s.expires_at, s.position) >= (p.mark_expires_at, p.mark_position)) limit ${sql.lit(AVAILABLE_MAX)})
    union all
    (select from stock s where s.account_id = p.account_id and s.pool_id = p.id and s.position < p.dated_from and s.expires_at is null
      and (p.pick = 'soonest' or s.position >= p.mark_position) limit ${sql.lit(AVAILABLE_MAX)})) s)`

interface Counted {
  product_id: string
  is_informational: boolean
  told: 'exact' | 'coarse'
  pool_id: string | null
  on_shortage: 'backorder' | 'partial' | 'fail' | null
  quantity_rule: 'unit' | 'line' | null
  low_stock_threshold: number | null
  free: number
  waiting: number
}

/**
 * How many licenses the next order or hold of a product could have: those in stock and those of expired holds, but for what is too old to be given, less
 * what others wait for. At most AVAILABLE_MAX. Of one moment; a promise only once it is held.
 *
 * @throws Problem product-not-found
 */
export async function findAvailability (
  db: Reader, { account_id, product, currency, mode }: { account_id: string, product: string, currency: string, mode: Mode }
) {
  const { rows: [row] } = await sql<Counted>`
    select f.product_id, f.is_informational, i.availability as told, p.id as pool_id, p.on_shortage, p.quantity_rule, p.low_stock_threshold,
      case when p.dated_from is null then ${PLAIN} else ${DATED} end
      + (select count(*)::int from (
        select from held_licenses h where h.account_id = p.account_id and h.pool_id = p.id and h.expires_at <= now() and (p.dated_from is null or exists (
          select from licenses l where l.account_id = h.account_id and l.id = h.license_id and (l.expires_at is null or l.expires_at > ${FIT_AFTER})))
        limit ${sql.lit(AVAILABLE_MAX)}) h) as free,
      (select coalesce(sum(missing), 0)::int from (
        select missing from backorders b where b.account_id = p.account_id and b.pool_id = p.id order by b.queue limit ${sql.lit(2 * AVAILABLE_MAX)}) b) as waiting
    from product_refs f
    join products i on i.account_id = f.account_id and i.id = f.product_id
    left join lateral (
      select t.pool_id from pool_routes t
      where t.account_id = f.account_id and t.mode = ${mode} and t.product_id in (f.product_id, '') and t.currency in (${currency}, '')
      order by t.rank limit 1) r on true
    left join pools p on p.account_id = f.account_id and p.id = r.pool_id
    where f.account_id = ${account_id} and f.ref = ${product}`.execute(db)
  if (row === undefined) throw new Problem('product-not-found')
  const { product_id, told, on_shortage, quantity_rule, low_stock_threshold } = row
  if (row.is_informational) return { product_id, mode, currency, availability: 'in_stock' as const, available: null, on_shortage: null, quantity_rule: null }
  const available = Math.min(AVAILABLE_MAX, Math.max(0, row.free - row.waiting))
  const is_low = low_stock_threshold !== null && available < low_stock_threshold
  const availability = available === 0 ? 'out_of_stock' as const : is_low ? 'low' as const : 'in_stock' as const
  return { product_id, mode, currency, availability, available: told === 'exact' ? available : null, on_shortage, quantity_rule }
}
