import { sql, type Kysely } from 'kysely'
import t from 'tap'
import type { Database } from '../../src/database/connect.js'
import { checks } from '../../src/fsck/invariants.js'
import { openLicenses } from '../../src/fsck/open-licenses.js'
import { newId } from '../../src/ids.js'
import { newKeyMaterial, readKeyring } from '../../src/sealing.js'
import { testDatabase } from '../support/database.js'
import { filledOrder, poolOf, productOf, vendorShop, type Shop } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { alertPlants } from './alert-plants.js'
import { erasurePlants } from './erasure-plants.js'
import { expiryPlants } from './expiry-plants.js'
import { factPlants } from './fact-plants.js'
import { testFaults } from './faults.js'
import { recallPlants } from './recall-plants.js'
import { renewalPlants } from './renewal-plants.js'
import { requestPlants } from './request-plants.js'

/** A sound database: a pool in stock, one sold out whose mail was sent, one empty for which a line of two waits. */
async function soundShop (db: Kysely<Database>): Promise<Shop> {
  const shop = await vendorShop(db)
  const [inStock, soldOut, empty] = [await productOf(shop), await productOf(shop), await productOf(shop)]
  await poolOf(shop, inStock, ['A-1', 'A-2', 'A-3', 'A-4'])
  const sold = await poolOf(shop, soldOut, ['B-1', 'B-2', 'B-3'])
  await filledOrder(shop, soldOut, sold)
  await sql`update deliveries set status = 'sent', sent_at = now(), next_attempt_at = null`.execute(db)
  await sql`insert into license_sightings (account_id, license_id, how) select account_id, license_id, 'mailed' from allocations`.execute(db)
  const { pool_id } = await poolOf(shop, empty, [])
  await waitingOrder(shop, empty, pool_id)
  await toldWebhook(shop)
  await openHold(shop)
  return shop
}

/** One license of the stock, held. */
async function openHold ({ db, account_id }: Shop): Promise<void> {
  const hold_id = 'HO-1'
  const stock = await db.selectFrom('stock').selectAll().orderBy('license_id', 'desc').limit(1).executeTakeFirstOrThrow()
  await db.deleteFrom('stock').where('license_id', '=', stock.license_id).execute()
  const expires_at = new Date(Date.now() + 3_600_000)
  await db.insertInto('holds').values({ account_id, id: hold_id, mode: 'live', currency: 'EUR', created_by: 'SU-1', expires_at }).execute()
  const line = { product_id: 'PRD-1', pool_id: stock.pool_id, quantity: 1, slots: 1 }
  await db.insertInto('hold_lines').values({ account_id, hold_id, number: 1, external_id: '1', ...line }).execute()
  await db.insertInto('held_licenses').values({ ...stock, hold_id, line_number: 1, expires_at }).execute()
}

/** A webhook with a secret, told once. */
async function toldWebhook ({ db, account_id }: Shop): Promise<void> {
  const id = 'WH-1'
  await db.insertInto('webhooks')
    .values({ account_id, id, label: 'x', type: 'change', object_class: 'order', external_url: 'https://x.example', active: true, created_by: 'SU-1' }).execute()
  await db.insertInto('webhook_secrets').values({ account_id, webhook_id: id, sealed: Buffer.alloc(40) }).execute()
  await db.insertInto('webhook_messages').values({ account_id, id: 'WM-1', webhook_id: id, kind: 'change', event: 'order.paid', attempts: 1 }).execute()
  await db.insertInto('webhook_attempts').values({ account_id, message_id: 'WM-1', attempt: 1 }).execute()
}

async function waitingOrder ({ db, account_id }: Shop, product_id: string, pool_id: string): Promise<void> {
  const order_id = newId('OR')
  const line_item_id = `${order_id}-1`
  const status = { fulfillment_status: 'backordered' }
  await db.insertInto('orders').values({
    account_id, id: order_id, source_id: 'api-live', external_id: order_id, mode: 'live', currency: 'EUR', customer: '{}', paid_at: new Date(), ...status,
  }).execute()
  await db.insertInto('line_items').values({ account_id, id: line_item_id, order_id, external_id: '1', product_id, pool_id, quantity: 2, ...status }).execute()
  await db.insertInto('slots').values([1, 2].map((unit) => ({ account_id, line_item_id, unit }))).execute()
  await db.insertInto('backorders').values({ account_id, pool_id, queue: 1, order_id, line_item_id, missing: 2 }).execute()
}

const SOLD = '(select pool_id from allocations limit 1)'
const EMPTY = '(select pool_id from backorders limit 1)'
const ONE_IN_STOCK = '(select min(license_id) from stock)'

/** A demand for the line that waits, with these columns and values beside. */
const demand = (columns: string, values: string, number = 1): string => `
  insert into supply_orders (account_id, order_id, line_item_id, number, quantity, step, type, mode, ${columns})
  select b.account_id, b.order_id, b.line_item_id, ${number}, 1, 1, 'web_service', 'live', ${values} from backorders b join line_items l on l.id = b.line_item_id`
const DONE = "'done', (select min(id) from batches where pool_id = b.pool_id), now(), null"
const demandDone = (number: number): string => demand('product_id, pool_id, status, batch_id, finished_at, next_attempt_at', `l.product_id, b.pool_id, ${DONE}`, number)

/** What breaks each invariant. Where a constraint of the database would refuse that, it is dropped first. */
const plants: Record<string, string[]> = {
  'the words of a product are those of its last version': [
    "update products set name = 'changed by hand'", "update products set family_name = 'x'", 'update products set words_version = words_version + 1',
    'insert into mail_words (account_id, product_id, version, words) select account_id, product_id, version + 1, words from mail_words',
  ],
  'a delivery that was tried says words, and has around them, what there is a version of': [
    'update deliveries set words_version = 7, wrapper_version = 0, worded_at = now()', 'update deliveries set words_version = 1, wrapper_version = 1, worded_at = now()',
  ],
  'a supply order is of its line': [
    demand('product_id, pool_id', "'PRD-other', b.pool_id"),
    demand('product_id, pool_id', "l.product_id, 'PL-other'"),
  ],
  'a supply order that is done brought as many licenses as it asked for, into the pool of its line': [demandDone(1)],
  'a batch is of one supply order': [`${demandDone(1)}; ${demandDone(2)}`],
  'names know whether their product hands over nothing but a mail': ['update product_refs set is_informational = true'],
  'every license is in exactly one state: available, held, allocated, revoked, expired or withdrawn': [
    `delete from stock where license_id = ${ONE_IN_STOCK}`,
    "insert into withdrawals (account_id, license_id, pool_id, reason, created_by) select account_id, license_id, pool_id, 'gone', 'x' from stock limit 1",
    "update allocations set ended_as = 'released', ended_at = now() where unit = 1",
    'insert into stock (account_id, pool_id, position, license_id) select account_id, pool_id, 90, license_id from allocations where unit = 1',
  ],
  'whatever is in stock, held, allocated, expired or withdrawn was loaded into that pool': [
    "insert into stock (account_id, pool_id, position, license_id) select account_id, pool_id, 90, 'LI-ghost' from stock limit 1",
    `update stock set pool_id = ${SOLD}, position = 90 where license_id = ${ONE_IN_STOCK}`,
  ],
  'per pool, loaded = available + held + allocated + revoked + expired + withdrawn': [
    `delete from stock where license_id = ${ONE_IN_STOCK}`,
    "insert into stock (account_id, pool_id, position, license_id) select account_id, pool_id, 90, 'LI-ghost' from stock limit 1",
  ],
  'a batch has as many licenses as it says, all of its own pool': [
    'update batches set loaded = loaded + 1',
    "update batches set status = 'abandoned', loaded_at = null",
    `update licenses set pool_id = ${EMPTY} where id = ${ONE_IN_STOCK}`,
  ],
  'a license has the mode of its pool': [`update licenses set mode = 'test' where id = ${ONE_IN_STOCK}`],
  'every position is below the next free one of its pool': [
    'update pools set next_position = 4 where id = (select pool_id from stock limit 1)',
    `update pools set next_position = 3 where id = ${SOLD}`,
  ],
  'no position in stock or held was allocated before, and none is both': [
    'insert into stock (account_id, pool_id, position, license_id) select account_id, pool_id, position, license_id from allocations limit 1',
    'update held_licenses set pool_id = s.pool_id, position = s.position from allocations s',
    'insert into stock (account_id, pool_id, position, license_id) select account_id, pool_id, position, license_id from held_licenses',
  ],
  'an open hold has all that its lines want, from their pools, until its own time': [
    'delete from held_licenses',
    'update hold_lines set slots = 2, quantity = 2',
    `update held_licenses set pool_id = ${SOLD}`,
    "update held_licenses set expires_at = expires_at + interval '1 s'",
  ],
  'a hold that is over has nothing, but for what an expired one has in pools that nobody looked at since': [
    "update holds set status = 'released', ended_at = now()",
    "update holds set status = 'committed', order_id = (select min(order_id) from allocations), ended_at = now()",
    "update holds set status = 'expired', ended_at = now()",
  ],
  'a hold has lines, as many licenses as the rule of their pools says, and the mode of these': [
    'alter table held_licenses drop constraint held_licenses_account_id_hold_id_line_number_fkey; delete from hold_lines',
    "update holds set mode = 'test'",
    'update hold_lines set slots = 2, quantity = 3',
  ],
  'a committed hold has its order': ["update holds set status = 'committed', order_id = 'OR-none', ended_at = now()"],
  'what its holder may have seen was not released': ["update allocations set ended_as = 'released', ended_at = now() where unit = 1"],
  'the routes of a pool are those of its products and currency': [
    `delete from pool_routes where pool_id = ${SOLD}`,
    `update pools set currency = 'USD' where id = ${SOLD}`,
    `update pools set product_ids = '{}' where id = ${SOLD}`,
  ],
  'a slot holds at most one license': [
    `drop index allocations_one_license;
     insert into allocations (account_id, pool_id, position, license_id, order_id, line_item_id, unit)
     select s.account_id, s.pool_id, s.position, s.license_id, a.order_id, a.line_item_id, a.unit from stock s, allocations a limit 1`,
  ],
  'an allocated license is in exactly one slot': [
    'update slots set cancelled_at = now() where unit = 1',
    `drop index allocations_one_holder;
     insert into allocations (account_id, pool_id, position, license_id, order_id, line_item_id, unit)
     select a.account_id, a.pool_id, 90, a.license_id, b.order_id, b.line_item_id, 1 from allocations a, backorders b limit 1`,
  ],
  'an allocation is of the order of its line, and of a pool of its mode': [
    "update allocations set order_id = 'OR-other' where unit = 1",
    "update allocations set pool_id = 'PL-other' where unit = 1",
  ],
  'the slots of a line are numbered from 1 without a gap: one, or one per unit of its quantity; none without a pool': [
    'insert into slots (account_id, line_item_id, unit) select account_id, line_item_id, 3 from backorders',
    'delete from slots where unit = 1 and line_item_id = (select line_item_id from backorders)',
    'update line_items set quantity = 5',
  ],
  'the fulfillment_status of a line agrees with its slots and its backorder': [
    "update line_items set fulfillment_status = 'partial' where fulfillment_status = 'fulfilled'",
    "update line_items set fulfillment_status = 'fulfilled' where fulfillment_status = 'backordered'",
    'delete from backorders',
  ],
  'the fulfillment_status of an order agrees with its lines': [
    "update orders set fulfillment_status = 'partial' where fulfillment_status = 'fulfilled'",
    'alter table line_items drop constraint line_items_account_id_order_id_fkey; update line_items set order_id = order_id || \'x\'',
  ],
  'a backorder misses what its line still lacks, in the pool of its line': [
    'update backorders set missing = 1',
    `update backorders set pool_id = ${SOLD}`,
  ],
  'a cancelled order holds no license, wants none and waits for none': [
    "update orders set status = 'cancelled' where fulfillment_status = 'fulfilled'",
    "update orders set status = 'cancelled' where fulfillment_status = 'backordered'; delete from slots where line_item_id = (select line_item_id from backorders)",
    `update orders set status = 'cancelled' where fulfillment_status = 'backordered';
     delete from backorders; update slots set cancelled_at = now() where line_item_id not in (select line_item_id from allocations)`,
  ],
  'nobody waits at the head of a queue for what is in stock': [
    `update stock set pool_id = ${EMPTY}`,
    `update pools set on_shortage = 'partial' where id = ${EMPTY}; update stock set pool_id = ${EMPTY} where license_id = ${ONE_IN_STOCK}`,
  ],
  'an order has the mode of its source and of the pools of its lines': [
    "update orders set mode = 'test', source_id = 'api-test'",
    "update orders set source_id = 'api-test'",
    "update orders set source_id = 'PS-none'",
  ],
  'a processed payment event has its order': [
    `insert into payment_events (account_id, id, source_id, event_key, type, status, order_id, body, occurred_at, processed_at)
     select account_id, 'PE-1', 'PS-1', 'e', 'order.paid', 'processed', 'OR-none', '', now(), now() from orders limit 1`,
  ],
  'a delivery holds licenses of its own order only': [`update deliveries set license_ids = license_ids || ${ONE_IN_STOCK}`],
  'the licenses of a delivery that was sent, or may have been, are marked as seen': [
    'delete from license_sightings where license_id = (select min(license_id) from license_sightings)',
    "update license_sightings set how = 'revealed'",
  ],
  'every allocated license is in a delivery of its order, if that has an address and no more are being asked for': [
    'delete from deliveries',
    "update deliveries set status = 'cancelled', sent_at = null",
    'update deliveries set license_ids = license_ids[1:2]',
  ],
  'a webhook of type change has one signing secret that does not end, others have none': [
    'delete from webhook_secrets',
    'update webhook_secrets set expires_at = now()',
    'update webhooks set deleted_at = now()',
  ],
  'a message is to a webhook of its account, in words that this has': [
    "update webhook_messages set webhook_id = 'WH-none'",
    "update webhook_messages set kind = 'signal'",
  ],
  'a message to a webhook has every try on record': [
    'delete from webhook_attempts',
    'update webhook_messages set attempts = 2',
  ],
}

// Guarantee: fsck passes a sound database.
t.test('a sound database has no violation', async (t) => {
  const { db } = await testDatabase(t)
  await soundShop(db)
  await assertInvariants(t, db)
})

// Guarantee: no check is only decoration: for each there is a fault that it finds.
t.test('every check has a fault that it must find', async (t) => {
  const planted = [
    plants, expiryPlants, factPlants, recallPlants, renewalPlants, requestPlants, erasurePlants, alertPlants,
  ].flatMap((each) => Object.keys(each))
  t.strictSame(checks.map(({ name }) => name).sort(), planted.sort())
})

testFaults(soundShop, plants)
testFaults(soundShop, factPlants)

// Guarantee: with --open, a license sealed with another key, moved to another row, or with another fingerprint is found.
t.test('licenses that do not open are found', async (t) => {
  const { db } = await testDatabase(t)
  const { keyring } = await soundShop(db)
  t.strictSame(await openLicenses(db, keyring), { opened: 7, violations: [] })
  t.match(await openLicenses(db, readKeyring(newKeyMaterial())), { opened: 7, violations: [{ total: 7 }] }, 'another key material')
  await sql`update licenses set sealed = (select max(sealed) from licenses)`.execute(db)
  t.match(await openLicenses(db, keyring), { violations: [{ total: 6 }] }, 'one ciphertext in every row opens in its own only')
})
