import { sql, type Transaction } from 'kysely'
import type { Static } from 'typebox'
import type { Database } from '../../database/connect.js'
import { unlessUsed } from '../../database/unless-used.js'
import { recordEvent } from '../../events/record.js'
import { partId } from '../../ids.js'
import { Problem } from '../../problems.js'
import type { ProductKey } from '../find.js'
import { lockProduct } from '../lock.js'
import type { ItemChange, NewItem } from './schema.js'

/**
 * Adds an item to a product and returns its id, whose number is never used again.
 *
 * @throws Problem product-not-found
 * @throws Problem name-taken  another item has its mpn or local id
 */
export async function createItem (
  trx: Transaction<Database>, key: ProductKey, { name, ...given }: Static<typeof NewItem>, actor: string | null
): Promise<string> {
  const { account_id, product_id } = key
  const product = await trx.updateTable('products').set({ items_made: sql<number>`items_made + 1` })
    .where('account_id', '=', account_id).where('id', '=', product_id).returning('items_made as number').executeTakeFirst()
  if (product === undefined) throw new Problem('product-not-found')
  const id = partId(product_id, 'PRD', product.number, 4)
  const local_id = given.local_id ?? id.replaceAll('-', '_')
  const item = { position: product.number, mpn: local_id, ...columnsOf(given), local_id, display_name: given.display_name ?? name, name }
  const made = await trx.insertInto('product_items').values({ ...key, id, ...item }).onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst()
  if (made === undefined) throw await takenBy(trx, key, item)
  await recordEvent(trx, { account_id, type: 'product.item_created', subject_id: product_id, actor, data: { item_id: id } })
  return id
}

/**
 * Replaces what is given of an item. Assets and requests show it as it is from now on.
 *
 * @throws Problem item-not-found
 * @throws Problem name-taken  another item has its mpn or local id
 */
export async function updateItem (
  trx: Transaction<Database>, key: ProductKey, { id, change: { name, ...given } }: { id: string, change: Static<typeof ItemChange> }, actor: string
): Promise<void> {
  const { account_id, product_id } = key
  await lockProduct(trx, key)
  const item = await trx.selectFrom('product_items').select(['mpn', 'local_id'])
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where('id', '=', id).forNoKeyUpdate().executeTakeFirst()
  if (item === undefined) throw new Problem('item-not-found')
  const columns = { ...columnsOf(given), ...(name === undefined ? {} : { name }) }
  const taken = await otherItems(trx, key, { ...item, ...columns }).where('id', '<>', id).executeTakeFirst()
  if (taken !== undefined) throw nameTaken(taken, columns)
  await trx.updateTable('product_items').set({ ...columns, updated_at: sql<Date>`now()` }).where('account_id', '=', account_id).where('id', '=', id).execute()
  await recordEvent(trx, { account_id, type: 'product.item_updated', subject_id: product_id, actor, data: { item_id: id, fields: Object.keys(columns) } })
}

/**
 * Deletes an item that nobody ever asked for.
 *
 * @throws Problem item-not-found
 * @throws Problem item-in-use
 */
export async function deleteItem (trx: Transaction<Database>, { account_id, product_id }: ProductKey, id: string, actor: string): Promise<void> {
  await unlessUsed(async () => {
    const { numDeletedRows } = await trx.deleteFrom('product_items')
      .where('account_id', '=', account_id).where('product_id', '=', product_id).where('id', '=', id).executeTakeFirst()
    if (numDeletedRows === 0n) throw new Problem('item-not-found')
    await trx.deleteFrom('product_configurations').where('account_id', '=', account_id).where('product_id', '=', product_id).where('item_id', '=', id).execute()
  }, 'item-in-use', 'set its status to endofsale instead')
  await recordEvent(trx, { account_id, type: 'product.item_deleted', subject_id: product_id, actor, data: { item_id: id } })
}

type Given = Omit<Static<typeof ItemChange>, 'name'>

/** What is given of an item as columns; a unit is one word, a display name is never empty, and unknown fields are gone. */
function columnsOf (given: Given) {
  const { local_id, mpn, status, type, precision, period, external_id, position, dynamic, display_name, description, unit, commitment, ui } = given
  const columns = {
    local_id,
    mpn,
    status,
    type,
    precision,
    period,
    external_id,
    position,
    dynamic,
    display_name: display_name ?? undefined,
    description: description === null ? '' : description,
    unit: typeof unit === 'object' ? unit.title ?? unit.name ?? unit.unit ?? unit.id : unit,
    commitment: commitment === undefined ? undefined : JSON.stringify({ count: commitment?.count ?? 1, multiplier: commitment?.multiplier ?? 'billing_period' }),
    ui: ui === undefined ? undefined : JSON.stringify({ visibility: ui?.visibility ?? true }),
  }
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined)) as Partial<Pick<typeof columns, 'mpn' | 'local_id'>>
}

type Names = { mpn?: string | undefined, local_id?: string | undefined }

function otherItems (trx: Transaction<Database>, { account_id, product_id }: ProductKey, { mpn = '', local_id = '' }: Names) {
  return trx.selectFrom('product_items').select(['id', 'mpn', 'local_id'])
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where((item) => item.or([item('mpn', '=', mpn), item('local_id', '=', local_id)]))
}

async function takenBy (trx: Transaction<Database>, key: ProductKey, names: Names): Promise<Problem> {
  return nameTaken(await otherItems(trx, key, names).executeTakeFirstOrThrow(), names)
}

function nameTaken ({ id, mpn }: { id: string, mpn: string }, names: Names): Problem {
  const fault = `${mpn === names.mpn ? 'mpn' : 'local_id'}: ${id} has it`
  return new Problem('name-taken', { detail: fault, errors: [fault], params: { item_id: id } })
}
