import { sql } from 'kysely'
import t from 'tap'
import { readConfig } from '../../src/config.js'
import { inTransaction } from '../../src/database/transaction.js'
import { newId } from '../../src/ids.js'
import { fillPool } from '../../src/licenses/fill.js'
import { openIntake } from '../../src/orders/intake.js'
import { testDatabase } from '../support/database.js'
import { poolOf, productOf, vendorShop } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { until } from '../support/until.js'

// Guarantee: an order that waits in two pools, filled in both at the same moment, ends as fulfilled and says so once. Neither of the two
// transactions sees the other's line, so each must look after it holds the order's row.
t.test('an order is filled from two pools at once', async (t) => {
  const { db, url } = await testDatabase(t)
  const shop = await vendorShop(db)
  const { account_id } = shop
  const intake = openIntake(url, readConfig({}), db, shop.keyring)
  t.teardown(() => intake.close())
  const products = [await productOf(shop), await productOf(shop)]
  const pools = [await poolOf(shop, products[0] as string, ['KEY-1']), await poolOf(shop, products[1] as string, ['KEY-2'])]
  const stock = await db.deleteFrom('stock').where('account_id', '=', account_id).returningAll().execute()
  const { id } = await intake.place({
    account_id,
    order_id: newId('OR'),
    actor: 'SU-000-000-000',
    order: {
      source_id: 'api-live',
      external_id: 'A-1',
      mode: 'live',
      currency: 'EUR',
      locale: null,
      customer: { email: 'ana@example.com' },
      paid_at: new Date().toISOString(),
      line_items: products.map((product, i) => ({ external_id: String(i + 1), product, quantity: 1, unit_amount: null })),
    },
  })
  await db.insertInto('stock').values(stock).execute()

  const fill = (i: number, before_commit: () => Promise<unknown>): Promise<unknown> => inTransaction(db, async (trx) => {
    await fillPool(trx, account_id, pools[i]?.pool_id as string)
    await before_commit()
  })
  let second: Promise<unknown> | undefined
  await fill(0, async () => {
    second = fill(1, async () => {})
    await until('the second to wait for the order', async () => (await sql`
      select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(db)).rows.length > 0)
  })
  await second
  const order = await db.selectFrom('orders').select('fulfillment_status').where('id', '=', id).executeTakeFirstOrThrow()
  t.equal(order.fulfillment_status, 'fulfilled')
  const events = await db.selectFrom('events').select('type').where('subject_id', '=', id).where('type', '=', 'order.fulfilled').execute()
  t.equal(events.length, 1, 'recorded once')
  await assertInvariants(t, db)
})
