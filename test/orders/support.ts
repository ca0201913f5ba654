// Orders of one vendor as the engine takes them, and what became of them.
import { Readable } from 'node:stream'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { newId } from '../../src/ids.js'
import { loadLicenses } from '../../src/licenses/load.js'
import type { PaidOrder } from '../../src/orders/paid-order.js'
import type { Arrival } from '../../src/orders/take-in.js'
import type { Shop } from '../support/fixtures.js'
import { until } from '../support/until.js'

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)
export const keys = (n: number, prefix = 'KEY'): string[] => range(n).map((i) => `${prefix}-${String(i).padStart(6, '0')}`)

/** A new order of these lines; a line may name its pool. */
export function arrivalOf (
  shop: Pick<Shop, 'account_id'>, lines: Array<[product: string, quantity: number, pool_id?: string]>, external_id = newId('OR'), more: Partial<PaidOrder> = {}
): Arrival {
  return {
    account_id: shop.account_id,
    order_id: newId('OR'),
    actor: 'SU-000-000-000',
    order: {
      source_id: 'api-live',
      external_id,
      mode: 'live',
      currency: 'EUR',
      locale: null,
      customer: { email: 'ana@example.com' },
      paid_at: new Date().toISOString(),
      line_items: lines.map(([product, quantity, pool_id], i) =>
        ({ external_id: String(i + 1), product, quantity, unit_amount: 4900, ...(pool_id === undefined ? {} : { pool_id }) })),
      ...more,
    },
  }
}

export async function setPool (db: Kysely<Database>, pool_id: string, values: { on_shortage?: string, quantity_rule?: string }): Promise<void> {
  await db.updateTable('pools').set(values).where('id', '=', pool_id).execute()
}

export const held = async (db: Kysely<Database>, order_id: string): Promise<string[]> =>
  (await db.selectFrom('allocations').select('license_id').where('order_id', '=', order_id).where('ended_as', 'is', null).orderBy('line_item_id').orderBy('unit').execute())
    .map((row) => row.license_id)
export const statusOf = async (db: Kysely<Database>, order_id: string): Promise<string> =>
  (await db.selectFrom('orders').select('fulfillment_status').where('id', '=', order_id).executeTakeFirstOrThrow()).fulfillment_status
export const inStock = async (db: Kysely<Database>, pool_id: string): Promise<number> =>
  Number((await db.selectFrom('stock').select(sql<string>`count(*)`.as('n')).where('pool_id', '=', pool_id).executeTakeFirstOrThrow()).n)

export const restock = async (shop: Shop, pool_id: string, loaded: readonly string[]): Promise<void> => {
  await loadLicenses({ db: shop.db, keyring: shop.keyring, account_id: shop.account_id, pool_id, bytes: Readable.from([Buffer.from(loaded.join('\n'))]), format: 'text', created_by: 'test' })
}

/** Resolves when so many connections wait for a lock that another holds. */
export async function untilWaiting (db: Kysely<Database>, count = 1): Promise<void> {
  await until(`${count} to wait for a lock`, async () =>
    (await sql<{ n: number }>`select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(db)).rows[0]?.n === count)
}
