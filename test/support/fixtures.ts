// Rows written straight into the database, for tests whose subject is not how such rows come about.
import type { Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { planDeliveries } from '../../src/deliveries/plan.js'
import { newDigitsId, newId } from '../../src/ids.js'
import { writeWords } from '../../src/products/write-words.js'
import { fingerprint, newKeyMaterial, readKeyring, seal, type Keyring } from '../../src/sealing.js'

export interface Shop { db: Kysely<Database>, keyring: Keyring, account_id: string }

/** A vendor of its own. */
export async function vendorShop (db: Kysely<Database>, keyring: Keyring = readKeyring(newKeyMaterial()), name = 'Acme Software'): Promise<Shop> {
  const account_id = newDigitsId('VA', 3)
  await db.insertInto('accounts').values({ id: account_id, type: 'vendor', name }).execute()
  return { db, keyring, account_id }
}

export interface ProductOptions { name?: string, mail_template?: object, locales?: object, external_id?: string }

/** A product that an order may ask for by its id, and by its external id where one is given. */
export async function productOf ({ db, account_id }: Shop, options: ProductOptions = {}): Promise<string> {
  const { name = 'Photo Studio Pro', mail_template = { subject: 'Your key for {PROGRAM_NAME}', text: 'Your key: {KEY}' }, locales = {}, external_id } = options
  const id = newDigitsId('PRD', 4)
  await db.insertInto('products').values({ account_id, id, name, mail_template: JSON.stringify(mail_template), locales: JSON.stringify(locales) }).execute()
  await inTransaction(db, (trx) => writeWords(trx, { account_id, product_id: id }, null))
  const refs = external_id === undefined ? [id] : [id, external_id]
  await db.insertInto('product_refs').values(refs.map((ref) => ({ account_id, ref, product_id: id }))).execute()
  return id
}

export interface Stocked { pool_id: string, batch_id: string, license_ids: string[] }

/** A pool for the product in any currency, live, with these keys in stock, in this order. */
export async function poolOf ({ db, keyring, account_id }: Shop, product_id: string, keys: readonly string[]): Promise<Stocked> {
  const [pool_id, batch_id] = [newId('PL'), newId('BA')]
  const licenses = keys.map((key, i) => ({ id: newId('LI'), line: i + 1, key: Buffer.from(key) }))
  await db.transaction().execute(async (trx) => {
    await trx.insertInto('pools').values({
      account_id, id: pool_id, name: 'pool', product_ids: [product_id], mode: 'live', quantity_rule: 'unit', on_shortage: 'backorder', next_position: keys.length + 1,
    }).execute()
    await trx.insertInto('pool_routes').values({ account_id, mode: 'live', product_id, currency: '', rank: 1, pool_id }).execute()
    await trx.insertInto('batches').values({
      account_id, id: batch_id, pool_id, status: 'loaded', sha256: Buffer.alloc(32), loaded: keys.length, created_by: 'test', loaded_at: new Date(),
    }).execute()
    if (licenses.length === 0) return
    await trx.insertInto('licenses').values(licenses.map(({ id, line, key }) => ({
      account_id, id, pool_id, batch_id, line, mode: 'live', fingerprint: fingerprint(keyring, account_id, 'live', key), sealed: seal(keyring, [account_id, pool_id, id], key),
    }))).execute()
    await trx.insertInto('stock').values(licenses.map(({ id, line }) => ({ account_id, pool_id, position: line, license_id: id }))).execute()
  })
  return { pool_id, batch_id, license_ids: licenses.map(({ id }) => id) }
}

export interface OrderOptions {
  customer?: Record<string, unknown>
  external_id?: string
  currency?: string
  locale?: string | null
  unit_amount?: number
  /** false: allocated, with no mail planned */
  deliver?: boolean
}

/** A paid order of the whole stock of a pool, one unit a license, allocated, its mail planned. */
export async function filledOrder (
  shop: Shop, product_id: string, { pool_id, license_ids }: Stocked, options: OrderOptions = {}
): Promise<{ order_id: string, delivery_id: string }> {
  const { db, account_id } = shop
  const order_id = newId('OR')
  const { customer = { email: 'ana@example.com', first_name: 'Ana', last_name: 'Souza' }, external_id = order_id, currency = 'EUR' } = options
  const { locale = null, unit_amount = 4900, deliver = true } = options
  const line_item_id = `${order_id}-1`
  const [delivery_id = ''] = await inTransaction(db, async (trx) => {
    await trx.insertInto('orders').values({
      account_id, id: order_id, source_id: 'api-live', external_id, mode: 'live', currency, locale, customer: JSON.stringify(customer), fulfillment_status: 'fulfilled', paid_at: new Date(),
    }).execute()
    await trx.insertInto('line_items').values({
      account_id, id: line_item_id, order_id, external_id: '1', product_id, pool_id, quantity: license_ids.length, unit_amount, fulfillment_status: 'fulfilled',
    }).execute()
    await trx.insertInto('slots').values(license_ids.map((_, i) => ({ account_id, line_item_id, unit: i + 1 }))).execute()
    const taken = await trx.deleteFrom('stock').where('account_id', '=', account_id).where('license_id', 'in', license_ids).returning(['position', 'license_id']).execute()
    const positions = new Map(taken.map((row) => [row.license_id, row.position]))
    await trx.insertInto('allocations').values(license_ids.map((license_id, i) => ({
      account_id, pool_id, position: positions.get(license_id) ?? i + 1, license_id, order_id, line_item_id, unit: i + 1,
    }))).execute()
    return deliver ? planDeliveries(trx, { account_id, order_id, reason: 'order', filled: license_ids.map((license_id) => ({ product_id, license_id })) }) : []
  })
  return { order_id, delivery_id }
}
