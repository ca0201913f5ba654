import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { placeOrder } from '../../src/orders/place.js'
import { arrivalOf } from '../orders/support.js'
import { poolOf, productOf, vendorShop } from '../support/fixtures.js'

/** A chain of three orders that keep one license, and one of two of another product. */
export async function soundRenewals (db: Kysely<Database>): Promise<void> {
  const shop = await vendorShop(db)
  const [kept, issued] = [await productOf(shop), await productOf(shop)]
  await sql`update products set on_renewal = 'keep' where id = ${kept}`.execute(db)
  await poolOf(shop, kept, ['A-1', 'A-2'])
  await poolOf(shop, issued, ['B-1', 'B-2'])
  const place = (external_id: string, product: string, parent?: string): Promise<unknown> =>
    inTransaction(db, (trx) => placeOrder(trx, arrivalOf(shop, [[product, 1]], external_id, parent === undefined ? {} : { parent })))
  for (const [external_id, product, parent] of [['K-0', kept], ['K-1', kept, 'K-0'], ['K-2', kept, 'K-1'], ['I-0', issued], ['I-1', issued, 'I-0']] as const) {
    await place(external_id, product, parent)
  }
}

const SECOND = '(select max(line_item_id) from renewals where number = 2)'

/** What breaks each invariant of renewals. */
export const renewalPlants: Record<string, string[]> = {
  'a renewal goes on with a line of the same product, of an earlier place in one chain': [
    `update renewals set parent_line_item_id = line_item_id where line_item_id = ${SECOND}`,
    'update renewals set first_line_item_id = parent_line_item_id where number = 2',
    `update renewals set product_id = 'PRD-none' where line_item_id = ${SECOND}`,
    'update orders set parent_id = null',
    "update line_items set product_id = 'PRD-none' where order_id = (select id from orders where external_id = 'K-0')",
  ],
  'a renewal keeps licenses of its own chain only': [
    "update renewals set parent_license_line_ids = array[line_item_id], kept_line_item_ids = '{}', on_renewal = 'issue' where number = 2",
    `update renewals r set parent_license_line_ids = array[l.id], kept_line_item_ids = array[l.id]
     from line_items l join orders o on o.id = l.order_id where o.external_id = 'I-0' and r.number = 2`,
  ],
}
