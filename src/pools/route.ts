import { sql, type Transaction } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { Problem } from '../problems.js'

export type Mode = 'live' | 'test'

/** What decides which order lines a pool serves. */
export interface RoutedPool { account_id: string, id: string, mode: string, product_ids: readonly string[], currency: string | null }

/** The more specific, the lower: one product, several, all; each in one currency, then in any. */
function rankOf ({ product_ids, currency }: Pick<RoutedPool, 'product_ids' | 'currency'>): number {
  const products = product_ids.length === 0 ? 4 : product_ids.length === 1 ? 0 : 2
  return products + (currency === null ? 1 : 0)
}

/** Says in words why a route matches. */
function reasonOf (rank: number, currency: string): string {
  const products = ['it serves this one product', 'it serves several products, this one among them', 'it is common to all products'][rank >> 1] as string
  return `${products}, ${rank % 2 === 0 ? `in ${currency}` : 'in any currency'}`
}

/**
 * Writes which lines a pool serves, in place of what it served before.
 *
 * @throws Problem pool-route-taken  another pool is as specific for the same mode, product and currency
 */
export async function writeRoutes (trx: Transaction<Database>, { account_id, id: pool_id, mode, product_ids, currency }: RoutedPool): Promise<void> {
  const rank = rankOf({ product_ids, currency })
  // in one order, so that two writers do not deadlock
  const products = product_ids.length === 0 ? [''] : [...product_ids].sort()
  await trx.deleteFrom('pool_routes').where('account_id', '=', account_id).where('pool_id', '=', pool_id).execute()
  await trx.insertInto('pool_routes')
    .values(products.map((product_id) => ({ account_id, mode, product_id, currency: currency ?? '', rank, pool_id })))
    .onConflict((conflict) => conflict.doNothing()).execute()
  const other = await trx.selectFrom('pool_routes').select(['pool_id', 'product_id'])
    .where('account_id', '=', account_id).where('mode', '=', mode).where('product_id', 'in', products)
    .where('currency', '=', currency ?? '').where('rank', '=', rank).where('pool_id', '<>', pool_id).executeTakeFirst()
  if (other === undefined) return
  throw new Problem('pool-route-taken', {
    detail: `${other.pool_id} serves ${other.product_id === '' ? 'all products' : other.product_id} in ${currency ?? 'any currency'} already: change its products or currency, or load into it`,
    params: { pool_id: other.pool_id, product_id: other.product_id === '' ? null : other.product_id, currency, mode },
  })
}

export interface Candidate { pool_id: string, name: string, reason: string }

/** Every pool that may serve a line, the most specific first. */
async function candidatesOf (
  reader: Reader, { account_id, mode, currency, product_id }: { account_id: string, mode: Mode, currency: string, product_id: string }
): Promise<Candidate[]> {
  const { rows } = await sql<{ pool_id: string, name: string, rank: number }>`
    select r.pool_id, p.name, r.rank from pool_routes r join pools p on p.account_id = r.account_id and p.id = r.pool_id
    where r.account_id = ${account_id} and r.mode = ${mode} and r.product_id in (${product_id}, '') and r.currency in (${currency}, '')
    order by r.rank`.execute(reader)
  return rows.map(({ pool_id, name, rank }) => ({ pool_id, name, reason: reasonOf(rank, currency) }))
}

/**
 * Says from where a line would be served, and why.
 *
 * @throws Problem product-not-found
 */
export async function explainRoute (
  reader: Reader, { account_id, product, currency, mode }: { account_id: string, product: string, currency: string, mode: Mode }
) {
  const found = await reader.selectFrom('product_refs').select('product_id').where('account_id', '=', account_id).where('ref', '=', product).executeTakeFirst()
  if (found === undefined) throw new Problem('product-not-found')
  const { product_id } = found
  const candidates = await candidatesOf(reader, { account_id, mode, currency, product_id })
  const [first] = candidates
  return { product_id, pool_id: first?.pool_id ?? null, reason: first?.reason ?? `no ${mode} pool serves ${product_id} in ${currency}`, candidates }
}
