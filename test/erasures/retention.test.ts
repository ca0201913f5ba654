import t from 'tap'
import { sql } from 'kysely'
import { inTransaction } from '../../src/database/transaction.js'
import { dueForRetention, startRetention } from '../../src/erasures/retention.js'
import { checkout, paid, type Checkout } from '../payments/support.js'
import { assertInvariants } from '../support/invariants.js'
import type { Json } from '../support/sdk.js'
import { mailAll, mentions, workOff } from './support.js'

/** Begins the rounds that are due and has them done, as the worker does. Returns how many. */
async function goRound (shop: Checkout): Promise<number> {
  const due = await dueForRetention(shop.db)
  for (const account_id of due) await inTransaction(shop.db, (trx) => startRetention(trx, shop.keyring, account_id))
  await workOff(shop)
  return due.length
}

const AGED: Array<[table: string, ...columns: string[]]> = [
  ['orders', 'paid_at', 'created_at', 'said_paid_at'], ['payment_events', 'received_at'], ['payment_facts', 'created_at', 'occurred_at'], ['deliveries', 'created_at', 'sent_at'],
  ['allocations', 'allocated_at'], ['license_sightings', 'seen_at'], ['erasures', 'created_at'],
]
/** As if so many days had gone by. */
async function age ({ db }: Checkout, days: number): Promise<void> {
  for (const [table, ...columns] of AGED) {
    await sql`update ${sql.table(table)} set ${sql.join(columns.map((column) => sql`${sql.ref(column)} = ${sql.ref(column)} - ${days} * interval '1 day'`))}`.execute(db)
  }
}

const customerOf = (name: string) => ({ email: `${name}@example.com`, last_name: `of ${name}` })
const erasedOf = async ({ db }: Checkout): Promise<string[]> =>
  (await db.selectFrom('orders').select('external_id').where('erased_at', 'is not', null).orderBy('external_id').execute()).map((order) => order.external_id)

// Guarantee: customers of orders to which nothing has happened for longer than the account says are erased, by themselves. Not those that wait, are disputed or
// were not mailed; nor those that something happened to since: a refund, a mail, a look at a license, a renewal of the chain.
t.test('customers are kept as long as the account says', async (t) => {
  const shop = await checkout(t, 12)
  const { db, call, send } = shop
  const url = '/v1/retention-settings'
  t.same((await call('GET', url)).json(), { customer_days: null, payment_event_days: null }, 'unless it says so, for ever')
  t.equal((await call('PUT', url, { customer_days: 0, payment_event_days: null })).statusCode, 400)
  t.equal((await call('PUT', url, { customer_days: 1, payment_event_days: 29 })).statusCode, 400, 'as long as a repeat of an event may come')
  t.equal(await goRound(shop), 0)
  t.same((await call('PUT', url, { customer_days: 100, payment_event_days: null })).json(), { customer_days: 100, payment_event_days: null })

  const names = ['old', 'refunded', 'resent', 'revealed', 'renewed', 'disputed', 'unmailed', 'waiting', 'young']
  for (const name of names.slice(0, -3)) await send(paid(name, { customer: customerOf(name) }), { id: name })
  await mailAll(shop)
  await send(paid('unmailed', { customer: customerOf('unmailed') }))
  await send(paid('waiting', { customer: customerOf('waiting'), line_items: [{ product: 'sku-pro', quantity: 50 }] }))
  await send({ type: 'dispute.opened', timestamp: '2026-02-01T10:15:00Z', data: { external_id: 'disputed', dispute_id: 'D-1' } })
  await age(shop, 101)
  const orders = (await call('GET', '/v1/orders?limit=100')).json<Json[]>()
  const id = (name: string): string => orders.find((order) => order['external_id'] === name)?.id ?? ''
  await send({ type: 'order.refunded', data: { external_id: 'refunded', amount: 100 } })
  await sql`insert into license_sightings (account_id, license_id, how) select account_id, license_id, 'revealed' from allocations where order_id = ${id('revealed')}`.execute(db)
  await sql`
    insert into deliveries (account_id, order_id, product_id, license_ids, "to", reason, status, next_attempt_at, sent_at)
    select account_id, order_id, product_id, license_ids, "to", 'resend', 'sent', null, now() from deliveries where order_id = ${id('resent')}`.execute(db)
  await sql`delete from backorders`.execute(db) // room for the renewal
  await sql`update slots set cancelled_at = now() where line_item_id like ${`${id('waiting')}%`}`.execute(db)
  t.match(await send(paid('renewal', { customer: customerOf('renewed'), parent: 'renewed' })), { status: 200 })
  await send(paid('young', { customer: customerOf('young') }))
  await mailAll(shop)
  await sql`update deliveries set status = 'failed', sent_at = null where order_id = ${id('unmailed')}`.execute(db)

  t.equal(await goRound(shop), 1)
  t.same(await erasedOf(shop), ['old'])
  t.strictSame(await mentions(shop, 'of old'), [])
  t.match((await call('GET', '/v1/erasures')).json(), [{ kind: 'retention', status: 'done', orders: 1, created_by: null }])
  t.equal(await goRound(shop), 0, 'once a day')
  await age(shop, 101)
  t.equal(await goRound(shop), 1)
  t.same(await erasedOf(shop), ['old', 'refunded', 'renewal', 'renewed', 'resent', 'revealed', 'young'], 'what waits, is disputed or was not mailed never goes by itself')
})

// Guarantee: what checkouts sent goes after its own time, and the event is known for ever: sent again it changes nothing. What failed, and what an order that
// has not all its licenses may need again, stays.
t.test('what checkouts sent is kept as long as the account says', async (t) => {
  const shop = await checkout(t, 2)
  const { db, call, send } = shop
  await call('PUT', '/v1/retention-settings', { customer_days: null, payment_event_days: 30 })
  await send(paid('A-1', { customer: customerOf('done') }), { id: 'done' })
  await send(paid('A-2', { customer: customerOf('waiting'), line_items: [{ product: 'sku-pro', quantity: 2 }] }), { id: 'waiting' })
  await send(paid('A-3', { customer: customerOf('failed'), line_items: [{ product: 'sku-none', quantity: 1 }] }), { id: 'failed' })
  await send({ type: 'customer.updated', data: customerOf('ignored') }, { id: 'ignored' })
  await age(shop, 31)
  await send(paid('A-4', { customer: customerOf('young') }), { id: 'young' })
  await goRound(shop)
  const kept = await db.selectFrom('payment_events').select('event_key').where('erased_at', 'is', null).orderBy('event_key').execute()
  t.same(kept.map((event) => event.event_key), ['failed', 'waiting', 'young'])
  t.same(await db.selectFrom('orders').select('id').where('erased_at', 'is not', null).execute(), [], 'customers are not touched')
  t.match(await send(paid('A-1', { customer: customerOf('done') }), { id: 'done' }), { status: 200, json: { status: 'processed' } })
  t.equal((await db.selectFrom('orders').select('id').execute()).length, 3)
  t.match((await call('GET', '/v1/erasures')).json(), [{ kind: 'retention', orders: 0, payment_events: 2, kept: 2 }])
  await assertInvariants(t, db)
})
