import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import type { ProductKey } from '../products/find.js'
import { lockProduct } from '../products/lock.js'
import { markInformational } from '../products/mark-informational.js'
import { seal, type Keyring } from '../sealing.js'
import { checkSupplies, modesOf } from './check.js'
import type { NewSupply } from './schema.js'

export interface Supplies { supplies: readonly NewSupply[], actor: string, allowed_networks: readonly string[] }

/** The context that the secret of a product's supply is sealed with. */
export const secretContext = ({ account_id, product_id }: ProductKey): string[] => ['supply', account_id, product_id]

/**
 * Replaces the supplies of a product. Demands under the old ones that are not being called are cancelled, those that were given up too, and the
 * lines that still wait are supplied anew by the worker: the caller calls wakeWorker() after the commit.
 *
 * @throws Problem product-not-found
 * @throws Problem validation-failed
 */
export async function writeSupplies (
  trx: Transaction<Database>, keyring: Keyring, product: ProductKey, { supplies, actor, allowed_networks }: Supplies
): Promise<void> {
  const { account_id, product_id } = product
  await lockProduct(trx, product)
  await checkSupplies(trx, account_id, supplies, allowed_networks)
  const old = await trx.deleteFrom('product_supplies')
    .where('account_id', '=', account_id).where('product_id', '=', product_id)
    .returning([sql<string | null>`settings ->> 'url'`.as('url'), 'sealed_secret']).execute()
  const sealedOf = ({ secret, url, type }: NewSupply): Buffer | null => {
    if (secret === undefined) return type === 'web_service' ? old.find((supply) => supply.url === url)?.sealed_secret ?? null : null
    return secret === null ? null : seal(keyring, secretContext(product), Buffer.from(secret))
  }
  const rows = supplies.map((supply, i) => {
    const { type, modes: _, pool_id = null, secret: __, is_signed: ___, ...settings } = supply
    const columns = { modes: [...modesOf(supply)], pool_id, settings: JSON.stringify(settings), sealed_secret: sealedOf(supply) }
    return { ...product, step: i + 1, type, ...columns }
  })
  if (rows.length > 0) await trx.insertInto('product_supplies').values(rows).execute()
  await markInformational(trx, product)
  const last_error = 'the supplies of the product were changed'
  await trx.updateTable('supply_orders').set({ status: 'cancelled', next_attempt_at: null, finished_at: sql<Date>`now()`, last_error })
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('status', 'in', ['planned', 'given_up']).execute()
  await recordEvent(trx, { account_id, type: 'product.supplies_changed', subject_id: product_id, actor, data: { types: supplies.map(({ type }) => type) } })
}
