import { sql, type Transaction } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { invalid } from '../problems.js'
import type { RequestRow } from './request-row.js'
import type { ItemWrite } from './bodies/schema.js'

/** Without limit, as it is stored. */
export const UNLIMITED = -1
const QUANTITY_MAX = 2 ** 31 - 1 // the column is an integer

// Texts that published clients compare.
const NO_ITEMS = 'asset.items: This list may not be empty.'
const UNCHANGED = ['asset.items: Item quantities are not changed.', 'Item limits is not changed in new request.']

/** How much of each item is wanted, by the item's id. 0: none of it. */
export type Quantities = ReadonlyMap<string, number>

type Product = Pick<RequestRow, 'account_id' | 'product_id'>
interface Item { id: string, local_id: string, mpn: string }

/** A number, a text of one, or "unlimited"; undefined: it is none of these. */
function readQuantity (quantity: ItemWrite['quantity']): number | undefined {
  if (quantity === 'unlimited') return UNLIMITED
  const text = String(quantity ?? '').trim()
  const number = /^(-1|\d{1,10}(\.0*)?)$/.test(text) ? Number(text) : NaN
  return number <= QUANTITY_MAX ? number : undefined
}

/**
 * The quantities that a client wrote, with its items found by their id, local id or manufacturer's part number.
 *
 * @throws Problem validation-failed  an unknown item, one that is named twice, a quantity that is none
 */
export async function readItems (db: Reader, { account_id, product_id }: Product, writes: readonly ItemWrite[]): Promise<Quantities> {
  const words = writes.map(({ id, global_id, local_id, mpn }) => [id, global_id, local_id, mpn].filter((word) => word != null && word !== '') as string[])
  const { rows } = await sql<Item>`
    select id, local_id, mpn from product_items where account_id = ${account_id} and product_id = ${product_id}
      and (id = any(${words.flat()}::text[]) or local_id = any(${words.flat()}::text[]) or mpn = any(${words.flat()}::text[]))`.execute(db)
  const quantities = new Map<string, number>()
  const errors: string[] = []
  for (const [index, { quantity }] of writes.entries()) {
    const named = words[index]!
    // the strongest name first: one item's own number may be another's id
    const is = (key: 'id' | 'local_id' | 'mpn') => (row: Item) => named.includes(row[key])
    const item = rows.find(is('id')) ?? rows.find(is('local_id')) ?? rows.find(is('mpn'))
    const read = readQuantity(quantity)
    if (item === undefined) errors.push(`asset.items.${index}: the product ${product_id} has no item ${named[0] === undefined ? 'without id' : JSON.stringify(named[0])}`)
    else if (read === undefined) errors.push(`asset.items.${index}.quantity: must be a whole number from 0 on, or -1 or "unlimited"`)
    else if (quantities.has(item.id)) errors.push(`asset.items.${index}: ${item.id} is named twice`)
    else quantities.set(item.id, read)
  }
  if (errors.length > 0) throw invalid(...errors)
  return quantities
}

/** The product that the ids of some items begin with; undefined: they do not say. */
export function productOfItems (writes: readonly ItemWrite[]): string | undefined {
  const ids = writes.flatMap(({ id, global_id }) => [global_id, id])
  return ids.map((id) => /^(PRD-\d{3}-\d{3}-\d{3})-\d+$/.exec(id ?? '')?.[1]).find((product_id) => product_id !== undefined)
}

/** What an asset has of its items, as last approved. */
export async function itemsOf (db: Reader, account_id: string, asset_id: string): Promise<Quantities> {
  const rows = await db.selectFrom('asset_items').select(['item_id', 'quantity']).where('account_id', '=', account_id).where('asset_id', '=', asset_id).execute()
  return new Map(rows.map(({ item_id, quantity }) => [item_id, quantity]))
}

/** @throws Problem validation-failed */
export function assertNotEmpty (quantities: Quantities): void {
  if (![...quantities.values()].some((quantity) => quantity !== 0)) throw invalid(NO_ITEMS)
}

/** @throws Problem validation-failed  no quantity is another than before */
export function assertChanged (before: Quantities, after: Quantities): void {
  if (![...after].some(([item_id, quantity]) => quantity !== (before.get(item_id) ?? 0))) throw invalid(...UNCHANGED)
}

/** @throws Problem validation-failed  a written change that changes nothing, or leaves nothing */
export async function assertChanges (db: Reader, { account_id, id }: Pick<RequestRow, 'account_id' | 'id'>): Promise<void> {
  const rows = await db.selectFrom('request_items').select(['item_id', 'quantity', 'old_quantity']).where('account_id', '=', account_id).where('request_id', '=', id).execute()
  const after = new Map(rows.map(({ item_id, quantity }) => [item_id, quantity]))
  assertChanged(new Map(rows.map(({ item_id, old_quantity }) => [item_id, old_quantity])), after)
  assertNotEmpty(after)
}

/** Writes what a request asks of each item, in place of what it asked before. */
export async function writeRequestItems (
  trx: Transaction<Database>, { account_id, id }: Pick<RequestRow, 'account_id' | 'id'>, before: Quantities, after: Quantities
): Promise<void> {
  await trx.deleteFrom('request_items').where('account_id', '=', account_id).where('request_id', '=', id).execute()
  const item_ids = [...new Set([...before.keys(), ...after.keys()])].filter((item_id) => (before.get(item_id) ?? 0) !== 0 || after.get(item_id) !== 0)
  if (item_ids.length === 0) return
  await trx.insertInto('request_items').values(item_ids.map((item_id) => ({
    account_id, request_id: id, item_id, quantity: after.get(item_id) ?? before.get(item_id) ?? 0, old_quantity: before.get(item_id) ?? 0,
  }))).execute()
}

/** The quantities of a request become its asset's. */
export async function applyItems (trx: Transaction<Database>, { account_id, id, asset_id }: Pick<RequestRow, 'account_id' | 'id' | 'asset_id'>): Promise<void> {
  await trx.deleteFrom('asset_items').where('account_id', '=', account_id).where('asset_id', '=', asset_id).execute()
  await sql`
    insert into asset_items (account_id, asset_id, item_id, quantity)
    select account_id, ${asset_id}, item_id, quantity from request_items
    where account_id = ${account_id} and request_id = ${id} and quantity <> 0`.execute(trx)
}
