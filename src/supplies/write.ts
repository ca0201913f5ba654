import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import type { ProductKey } from '../products/find.js'
import { lockProduct } from '../products/lock.js'
import { markInformational } from '../products/mark-informational.js'
import { seal, type Keyring } from '../sealing.js'
import { checkSupplies, modesOf } from './check.js'
import { mailLine } from './mail.js'
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
  await cancelDemands(trx, product)
  await recordEvent(trx, { account_id, type: 'product.supplies_changed', subject_id: product_id, actor, data: { types: supplies.map(({ type }) => type) } })
}

/** Cancels what waits to be called, and plans the mails of lines that have some of their licenses and nothing to wait for any more. */
async function cancelDemands (trx: Transaction<Database>, { account_id, product_id }: ProductKey): Promise<void> {
  const open = sql`account_id = ${account_id} and product_id = ${product_id} and status in ('planned', 'given_up')`
  // as whoever mails a line does
  await sql`
    select from orders where account_id = ${account_id} and id = any(array(select order_id from supply_orders where ${open})) order by id for no key update`.execute(trx)
  const { rows } = await sql<{ order_id: string, line_item_id: string, product_id: string }>`
    with cancelled as (
      update supply_orders set status = 'cancelled', next_attempt_at = null, finished_at = now(), last_error = 'the supplies of the product were changed'
      where ${open} returning order_id, line_item_id
    )
    select distinct c.order_id, c.line_item_id, ${product_id} as product_id
    from cancelled c join orders o on o.account_id = ${account_id} and o.id = c.order_id
    where exists (select from allocations a where a.account_id = ${account_id} and a.line_item_id = c.line_item_id and a.ended_as is null)
      and not exists ( -- they are asked for anew
        select from product_supplies s where s.account_id = ${account_id} and s.product_id = ${product_id} and s.type in ('web_service', 'emulator') and o.mode = any(s.modes))
    order by c.order_id, c.line_item_id`.execute(trx)
  for (const line of rows) await mailLine(trx, { account_id, ...line })
}
