import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { ProductKey } from './find.js'

/**
 * Locks a product until the transaction ends, so that whoever changes what is unique or counted below it goes one after the other.
 * Orders and requests do not wait for it.
 *
 * @throws Problem product-not-found
 */
export async function lockProduct (trx: Transaction<Database>, { account_id, product_id }: ProductKey): Promise<void> {
  const product = await trx.selectFrom('products').select('id').where('account_id', '=', account_id).where('id', '=', product_id).forNoKeyUpdate().executeTakeFirst()
  if (product === undefined) throw new Problem('product-not-found')
}
