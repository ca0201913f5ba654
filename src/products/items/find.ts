import { sql } from 'kysely'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import type { ProductKey, ProductStatus } from '../find.js'

/** The items of a product: for reading one and for lists. */
export function itemsOf (db: Reader, { account_id, product_id }: ProductKey) {
  return db.selectFrom('product_items')
    .select(['id', 'local_id', 'mpn', 'name', 'display_name', 'description', 'precision', 'period', 'commitment', 'unit', 'external_id', 'position', 'dynamic', 'ui',
      'created_at', 'updated_at', sql<ProductStatus>`status`.as('status'), sql<'reservation' | 'ppu'>`type`.as('type')])
    .where('account_id', '=', account_id).where('product_id', '=', product_id)
}

/** An item in Connect's shape, whose unit has four names. */
export function itemBody ({ unit, created_at, updated_at, ...item }: Awaited<ReturnType<ReturnType<typeof itemsOf>['executeTakeFirstOrThrow']>>) {
  return { ...item, unit: { id: unit, name: unit, title: unit, unit }, events: { created: { at: created_at }, updated: { at: updated_at } } }
}

/** @throws Problem item-not-found */
export async function findItem (db: Reader, key: ProductKey, id: string) {
  const item = await itemsOf(db, key).where('id', '=', id).executeTakeFirst()
  if (item === undefined) throw new Problem('item-not-found')
  return itemBody(item)
}
