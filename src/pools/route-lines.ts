import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Mode } from './route.js'

/** What is to be routed: the lines of an order, or of a hold before there is one. `pool_id`: named by the line itself. */
export interface Routable {
  mode: Mode
  currency: string
  line_items: ReadonlyArray<{ product: string, quantity: number, pool_id?: string | null }>
}

/**
 * Where a line is filled from, and how many licenses it gets: frozen when the line is taken in. Of a product that hands over a mail and no
 * license there is no pool, '', and there are no slots.
 */
export interface RoutedLine { product_id: string, pool_id: string, slots: number }

interface Found { product_id: string | null, pool_id: string | null, slots: number }

/**
 * The same look-up as in orders/take-in.ts: product by id or external id, pool as the line names it or by the most specific route.
 * In the order of the lines.
 */
export async function findRoutes (reader: Reader, account_id: string, order: Routable): Promise<Found[]> {
  const { rows } = await sql<Found>`
    select f.product_id, case when i.is_informational then '' else p.id end as pool_id,
      case when i.is_informational then 0 when p.quantity_rule = 'line' then 1 else l.quantity end as slots
    from unnest(${order.line_items.map((line) => line.product)}::text[], ${order.line_items.map((line) => line.quantity)}::int[],
      ${order.line_items.map((line) => line.pool_id ?? null)}::text[]) with ordinality as l (product, quantity, pool_id, number)
    left join product_refs f on f.account_id = ${account_id} and f.ref = l.product
    cross join lateral (select f.is_informational and l.pool_id is null as is_informational) i
    left join lateral (
      select coalesce(l.pool_id, (
        select t.pool_id from pool_routes t
        where t.account_id = ${account_id} and t.mode = ${order.mode} and t.product_id in (f.product_id, '') and t.currency in (${order.currency}, '')
        order by t.rank limit 1)) as pool_id
      where f.product_id is not null limit 1) r on true
    left join pools p on p.account_id = ${account_id} and p.id = r.pool_id and p.mode = ${order.mode}
    order by l.number`.execute(reader)
  return rows
}

/**
 * As {@link findRoutes}, for lines that are to be served.
 *
 * @throws Problem product-not-found
 * @throws Problem pool-missing
 */
export async function routeLines (reader: Reader, account_id: string, order: Routable): Promise<RoutedLine[]> {
  return (await findRoutes(reader, account_id, order)).map(({ product_id, pool_id, slots }, index) => {
    const { product, pool_id: named } = order.line_items[index] as Routable['line_items'][number]
    const field = `line_items.${index}.product`
    if (product_id === null) throw noSuchProduct(index, product)
    if (pool_id === null && named != null) {
      const fault = `line_items.${index}.pool_id: the account has no ${order.mode} pool ${named}`
      throw new Problem('pool-missing', { detail: fault, errors: [fault], params: { product_id, pool_id: named, mode: order.mode } })
    }
    if (pool_id === null) {
      throw new Problem('pool-missing', {
        detail: `${field}: no ${order.mode} pool serves ${product_id} in ${order.currency}; create one, or one common to all products`,
        errors: [`${field}: no pool`],
        params: { product_id, currency: order.currency, mode: order.mode },
      })
    }
    return { product_id, pool_id, slots }
  })
}

/** The refusal of a line that asks for what the account does not have. */
export function noSuchProduct (index: number, product: string): Problem {
  const field = `line_items.${index}.product`
  return new Problem('product-not-found', { detail: `${field}: no product has "${product}" as its id or external id`, errors: [`${field}: no such product`] })
}
