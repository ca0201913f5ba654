import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { actionBody, actionsOf } from '../actions/find.js'
import { capabilitiesBody } from '../capabilities.js'
import type { ProductKey } from '../find.js'
import { itemBody, itemsOf } from '../items/find.js'
import { lockProduct } from '../lock.js'
import { parameterBody, parametersOf } from '../parameters/find.js'
import { templateBody, templatesOf } from '../templates/find.js'

/**
 * Publishes a product as it is now under the next version, and returns that. Requests go by the product as it is, whatever is published.
 *
 * @throws Problem product-not-found
 */
export async function publishVersion (trx: Transaction<Database>, key: ProductKey, actor: string): Promise<number> {
  await lockProduct(trx, key)
  const { account_id, product_id } = key
  const { version } = await trx.updateTable('products').set({ version: sql<number>`version + 1`, status: 'published', updated_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('id', '=', product_id).returning('version').executeTakeFirstOrThrow()
  await writeVersion(trx, key)
  await recordEvent(trx, { account_id, type: 'product.published', subject_id: product_id, actor, data: { version } })
  return version
}

/** Keeps a product as it is under its present version: what everybody may read who sees the product. The caller has locked or just made it. */
export async function writeVersion (trx: Transaction<Database>, key: ProductKey): Promise<void> {
  const { account_id, product_id } = key
  const { version, capabilities, ...product } = await trx.selectFrom('products')
    .select(['version', 'name', 'status', 'icon', 'category', 'short_description', 'detailed_description', 'capabilities'])
    .where('account_id', '=', account_id).where('id', '=', product_id).executeTakeFirstOrThrow()
  const snapshot = {
    ...product,
    capabilities: capabilitiesBody(capabilities),
    items: (await itemsOf(trx, key).orderBy('position').orderBy('id').execute()).map(itemBody),
    parameters: (await parametersOf(trx, key).orderBy('position').orderBy('id').execute()).map((parameter) => parameterBody(parameter, false)),
    templates: (await templatesOf(trx, key).orderBy('position').orderBy('id').execute()).map(templateBody),
  }
  const actions = (await actionsOf(trx, key).orderBy('created_at').orderBy('id').execute()).map((action) => actionBody(action, false))
  await trx.insertInto('product_versions').values({ ...key, version, snapshot: JSON.stringify(snapshot), actions: JSON.stringify(actions) }).execute()
}
