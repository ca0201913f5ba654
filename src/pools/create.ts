import type { Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { newId } from '../ids.js'
import { Problem } from '../problems.js'
import { writeRoutes } from './route.js'
import type { NewPool } from './schema.js'

/** @throws Problem product-not-found  naming the ones that are not there */
export async function assertProducts (trx: Transaction<Database>, account_id: string, product_ids: readonly string[]): Promise<void> {
  if (product_ids.length === 0) return
  const rows = await trx.selectFrom('products').select('id').where('account_id', '=', account_id).where('id', 'in', [...product_ids]).execute()
  const known = new Set(rows.map((row) => row.id))
  const errors = product_ids.flatMap((id, index) => known.has(id) ? [] : [`product_ids.${index}: the account has no product with this id`])
  if (errors.length > 0) throw new Problem('product-not-found', { detail: errors.join('; '), errors, params: { product_ids: product_ids.filter((id) => !known.has(id)) } })
}

/**
 * Makes a pool and the routes to it, and returns its id.
 *
 * @throws Problem product-not-found
 * @throws Problem pool-route-taken
 */
export async function createPool (trx: Transaction<Database>, account_id: string, body: Static<typeof NewPool>, actor: string): Promise<string> {
  const { product_ids = [], currency = null, mode = 'live', quantity_rule = 'unit', on_shortage = 'backorder', ...others } = body
  const id = newId('PL')
  await assertProducts(trx, account_id, product_ids)
  await trx.insertInto('pools').values({ account_id, id, product_ids, currency, mode, quantity_rule, on_shortage, ...others }).execute()
  await writeRoutes(trx, { account_id, id, mode, product_ids, currency })
  await recordEvent(trx, { account_id, type: 'pool.created', subject_id: id, actor })
  return id
}
