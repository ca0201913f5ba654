// What is said of orders, as payments hand it on, and what an order is then.
import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { newId } from '../../src/ids.js'
import type { NewFact } from '../../src/orders/facts.js'
import type { PaidOrder } from '../../src/orders/paid-order.js'
import { placeOrder } from '../../src/orders/place.js'
import { takeFact } from '../../src/orders/take-fact.js'
import type { Shop } from '../support/fixtures.js'
import { arrivalOf } from './support.js'

/** A moment of the story, in hours. */
export const at = (hour: number): string => new Date(Date.UTC(2026, 0, 1, hour)).toISOString()

export type Line = [product: string, quantity: number]

/** An event that an order is paid; the same key is the same event. */
export async function pay (shop: Shop, event_key: string, lines: Line[], external_id: string, more: Partial<PaidOrder> = {}): Promise<string> {
  const arrival = arrivalOf(shop, lines, external_id, { paid_at: at(0), ...more })
  const { source_id, paid_at } = arrival.order
  const event = { id: newId('PE'), source_id, event_key, type: 'order.paid', occurred_at: paid_at, body: Buffer.from('{}') }
  return (await inTransaction(shop.db, (trx) => placeOrder(trx, { ...arrival, event }))).id
}

/** An event that says something else, kept in the transaction that takes it in. Returns the order, or undefined while that is unknown. */
export async function say (shop: Shop, event_key: string, fact: NewFact, source_id = 'api-live', holds = true): Promise<string | undefined> {
  const { db, account_id } = shop
  return inTransaction(db, async (trx) => {
    await trx.insertInto('payment_events').values({
      account_id, id: newId('PE'), source_id, event_key, type: fact.kind, status: 'waiting', reason: 'its order is not known yet', body: Buffer.from('{}'), occurred_at: fact.occurred_at,
    }).onConflict((conflict) => conflict.constraint('payment_events_once').doNothing()).execute()
    const { id } = await trx.selectFrom('payment_events').select('id').where('account_id', '=', account_id).where('source_id', '=', source_id).where('event_key', '=', event_key)
      .executeTakeFirstOrThrow()
    const taken = await takeFact(trx, { account_id, source_id, event_id: id, fact, holds, actor: source_id })
    if (taken !== undefined) {
      await trx.updateTable('payment_events').set({ status: 'processed', reason: null, order_id: taken.order_id, processed_at: sql<Date>`now()` })
        .where('account_id', '=', account_id).where('id', '=', id).execute()
    }
    return taken?.order_id
  })
}

/** All that an order is, in words that do not depend on ids: licenses are the numbers of their lines in the file. */
export async function pictureOf (db: Kysely<Database>, order_id: string) {
  const order = await db.selectFrom('orders').select(['status', 'refunded_amount', 'is_held', 'fulfillment_status']).where('id', '=', order_id).executeTakeFirstOrThrow()
  const { rows: held } = await sql<{ slot: string }>`
    select line_item_id || ' ' || unit as slot, l.line from allocations a join licenses l on l.id = a.license_id
    where a.order_id = ${order_id} and a.ended_as is null order by a.line_item_id, a.unit`.execute(db)
  const lines = await db.selectFrom('line_items').select(['external_id', 'ended_units', 'fulfillment_status']).where('order_id', '=', order_id).orderBy('external_id').execute()
  const { rows: mails } = await sql<{ product_id: string, status: string, licenses: number[] }>`
    select d.product_id, d.status, array(select l.line from licenses l where l.id = any(d.license_ids) order by l.line) as licenses
    from deliveries d where d.order_id = ${order_id} and d.status <> 'cancelled' order by d.product_id`.execute(db)
  return { ...order, lines, held: held.map((row) => ({ ...row, slot: row.slot.slice(order_id.length) })), mails }
}
