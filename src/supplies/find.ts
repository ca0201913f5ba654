import { sql } from 'kysely'
import type { Static } from 'typebox'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { ProductKey } from '../products/find.js'
import type { Supply, SUPPLY_ORDER_STATUSES } from './schema.js'

// The CHECKs of the columns say so; the generated types only know that they are text.
interface SupplyWords { type: Static<typeof Supply>['type'], modes: Array<'live' | 'test'> }
interface SupplyOrderWords { status: typeof SUPPLY_ORDER_STATUSES[number], mode: 'live' | 'test', type: 'web_service' | 'emulator' }

/** The supplies of a product, in the order they are asked; never a secret. */
export async function findSupplies (db: Reader, { account_id, product_id }: ProductKey): Promise<Array<Static<typeof Supply>>> {
  const rows = await db.selectFrom('product_supplies').select(['type', 'modes', 'pool_id', 'settings', sql<boolean>`sealed_secret is not null`.as('is_signed')])
    .where('account_id', '=', account_id).where('product_id', '=', product_id).orderBy('step').$narrowType<SupplyWords>().execute()
  return rows.map(({ type, modes, pool_id, settings, is_signed }) => ({
    type, modes, ...(pool_id === null ? {} : { pool_id }), ...settings as object, ...(type === 'web_service' ? { is_signed } : {}),
  }))
}

/** The supply orders of an account, in no order: for a list to narrow. */
export function supplyOrdersOf (db: Reader, account_id: string) {
  return db.selectFrom('supply_orders').select([
    'id', 'order_id', 'line_item_id', 'product_id', 'pool_id', 'mode', 'number', 'quantity', 'step', 'type', 'round', 'status', 'attempts', 'next_attempt_at',
    'last_error', 'batch_id', 'created_at', 'finished_at',
  ]).where('account_id', '=', account_id).$narrowType<SupplyOrderWords>()
}

/**
 * One supply order.
 *
 * @throws Problem supply-order-not-found
 */
export async function findSupplyOrder (db: Reader, account_id: string, id: string) {
  const found = await supplyOrdersOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (found === undefined) throw new Problem('supply-order-not-found')
  return found
}
