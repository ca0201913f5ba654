// A vendor with one product in one pool, and its calls about holds.
import type { Test } from 'tap'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { testApp, type TestApp } from '../support/app.js'
import type { Json } from '../support/sdk.js'
import { callsOf, keys, makePool, makeProduct, orderOf, stockOf, type Call } from '../support/vendor.js'

export interface Storefront extends TestApp {
  call: Call
  product_id: string
  pool_id: string
  hold: (quantity?: number, more?: object) => Promise<Json>
  order: (external_id: string, quantity?: number, more?: Record<string, unknown>) => Promise<Json>
  available: () => Promise<number>
  stock: () => Promise<Record<string, number>>
}

const line = (quantity: number, product = 'sku-pro') => ({ product, quantity })

export async function storefront (t: Test, licenses: number, pool: object = {}): Promise<Storefront> {
  const service = await testApp(t)
  const call = callsOf(service.app, service.vendor)
  const product_id = await makeProduct(call, 'sku-pro')
  const pool_id = await makePool(call, { product_ids: [product_id], ...pool }, keys(licenses))
  const posted = async (url: string, body: object): Promise<Json> => {
    const answer = await call('POST', url, body)
    return { statusCode: answer.statusCode, ...answer.json<Json>() }
  }
  return {
    ...service,
    call,
    product_id,
    pool_id,
    hold: (quantity = 1, more = {}) => posted('/v1/holds', { currency: 'EUR', line_items: [line(quantity)], ...more }),
    order: (external_id, quantity = 1, more = {}) => posted('/v1/orders', orderOf(external_id, { line_items: [line(quantity)], ...more })),
    available: async () => (await call('GET', '/v1/products/sku-pro/availability?currency=EUR')).json<{ available: number }>().available,
    stock: () => stockOf(call, pool_id),
  }
}

/** As if so much time had passed that the hold is over. */
export async function letExpire (db: Kysely<Database>, hold_id: string): Promise<void> {
  await sql`update holds set created_at = now() - interval '2 h', expires_at = now() - interval '1 h' where id = ${hold_id}`.execute(db)
  await sql`update held_licenses set expires_at = now() - interval '1 h' where hold_id = ${hold_id}`.execute(db)
}

/** The licenses that a hold has. */
export async function heldBy (db: Kysely<Database>, hold_id: string): Promise<string[]> {
  return (await db.selectFrom('held_licenses').select('license_id').where('hold_id', '=', hold_id).orderBy('line_number').orderBy('position').execute()).map((row) => row.license_id)
}

/** The licenses that an order has, by its document. */
export const licensesOf = (order: Json): string[] => (order['line_items'] as Array<{ licenses: Array<{ id: string }> }>).flatMap((each) => each.licenses.map(({ id }) => id))

export async function eventsOf (db: Kysely<Database>, subject_id: string): Promise<string[]> {
  return (await db.selectFrom('events').select('type').where('subject_id', '=', subject_id).orderBy('id').execute()).map((event) => event.type)
}
