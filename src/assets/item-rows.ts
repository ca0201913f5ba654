import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import type { Owner } from '../parameters/stored-values.js'

const UNLIMITED = -1
const SPELLED: Record<string, string> = { onetime: 'OneTime' }

/** How much of an item an asset has, or a request asks for. */
export interface ItemRow extends Owner {
  id: string
  mpn: string
  display_name: string
  type: 'reservation' | 'ppu'
  period: string
  unit: string
  quantity: number
  old_quantity: number
}

/** The items of requests and of assets, by their ids, in the order of the product. One statement for any number of both. */
export async function itemRows (db: Reader, owners: readonly Owner[]): Promise<ItemRow[]> {
  const { rows } = await sql<ItemRow>`
    select had.account_id, had.owner_id, i.id, i.mpn, i.display_name, i.type, i.period, i.unit, had.quantity, had.old_quantity
    from unnest(${owners.map(({ account_id }) => account_id)}::text[], ${owners.map(({ owner_id }) => owner_id)}::text[]) as of (account_id, owner_id)
    join (
      select account_id, request_id as owner_id, item_id, quantity, old_quantity from request_items
      union all
      select account_id, asset_id, item_id, quantity, quantity from asset_items
    ) had on had.account_id = of.account_id and had.owner_id = of.owner_id
    join product_items i on i.account_id = had.account_id and i.id = had.item_id
    order by i.position, i.id`.execute(db)
  return rows
}

/** As Connect writes a quantity in requests and assets. */
export const quantityText = (quantity: number): string => quantity === UNLIMITED ? 'unlimited' : String(quantity)

/** As Connect writes a period in requests and assets: `Monthly`. */
export const periodText = (period: string): string => SPELLED[period] ?? period.charAt(0).toUpperCase() + period.slice(1)
