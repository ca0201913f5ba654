import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { unlessUsed } from '../database/unless-used.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'

const REMEDY = 'set its status to endofsale instead'
const BELOW = ['product_configurations', 'product_parameters', 'product_items', 'product_templates', 'product_actions', 'product_versions', 'product_supplies', 'product_refs', 'mail_words'] as const

/**
 * Deletes a product that nothing was made with, and all below it.
 *
 * @throws Problem product-not-found
 * @throws Problem product-in-use  it was ordered, requested, connected or listed, or a pool names it
 */
export async function deleteProduct (trx: Transaction<Database>, account_id: string, product_id: string, actor: string): Promise<void> {
  const product = await trx.selectFrom('products').select('id').where('account_id', '=', account_id).where('id', '=', product_id).forUpdate().executeTakeFirst()
  if (product === undefined) throw new Problem('product-not-found')
  const { rows: [used] } = await sql<{ by: string }>`
    select 'pools' as by from pool_routes where account_id = ${account_id} and product_id = ${product_id}
    union all select 'holds' from hold_lines where account_id = ${account_id} and product_id = ${product_id}
    union all select 'orders' from line_items where account_id = ${account_id} and product_id = ${product_id} limit 1`.execute(trx)
  if (used !== undefined) throw new Problem('product-in-use', { detail: `there are ${used.by} of it; ${REMEDY}`, params: { used_by: used.by } })
  await unlessUsed(async () => {
    for (const table of BELOW) await trx.deleteFrom(table).where('account_id', '=', account_id).where('product_id', '=', product_id).execute()
    await trx.deleteFrom('products').where('account_id', '=', account_id).where('id', '=', product_id).execute()
  }, 'product-in-use', REMEDY)
  await recordEvent(trx, { account_id, type: 'product.deleted', subject_id: product_id, actor })
}
