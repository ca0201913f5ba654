import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'

/** The products of an account with their external ids: for reading one and for lists. */
export function productsOf (db: Reader, account_id: string) {
  return db.selectFrom('products').select([
    'id', 'name', 'mail_template', 'locales', 'created_at', 'updated_at',
    sql<string[]>`array(select ref from product_refs r where r.account_id = products.account_id and r.product_id = products.id
      and r.ref <> products.id order by ref)`.as('external_ids'),
  ]).where('account_id', '=', account_id)
}

/** @throws Problem product-not-found */
export async function findProduct (db: Reader, account_id: string, id: string) {
  const product = await productsOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (product === undefined) throw new Problem('product-not-found')
  return product
}
