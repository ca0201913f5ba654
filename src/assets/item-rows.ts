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
  const of = sql`unnest(${owners.map(({ account_id }) => account_id)}::text[], ${owners.map(({ owner_id }) => owner_id)}::text[]) as of (account_id, owner_id)`
  const { rows } = await sql<ItemRow>`
    with had as materialized (
      select r.account_id, r.request_id as owner_id, r.item_id, r.quantity, r.old_quantity
      from ${of} join request_items r on r.account_id = of.account_id and r.request_id = of.owner_id
      union all
      select a.account_id, a.asset_id, a.item_id, a.quantity, a.quantity
      from ${of} join asset_items a on a.account_id = of.account_id and a.asset_id = of.owner_id
    )
    select had.account_id, had.owner_id, i.id, i.mpn, i.display_name, i.type, i.period, i.unit, had.quantity, had.old_quantity
    from had join product_items i on i.account_id = had.account_id and i.id = had.item_id
    order by i.position, i.id`.execute(db)
  return rows
}

/** As Connect writes a quantity in requests and assets. */
export const quantityText = (quantity: number): string => quantity === UNLIMITED ? 'unlimited' : String(quantity)

/** As Connect writes a period in requests and assets: `Monthly`. */
export const periodText = (period: string): string => SPELLED[period] ?? period.charAt(0).toUpperCase() + period.slice(1)
