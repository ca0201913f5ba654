import type { Kysely } from 'kysely'
import { findSellers, countSales } from '../../src/alerts/count-sales.js'
import { findChangedPools, watchNewPools } from '../../src/alerts/find-changed.js'
import { lookAtPools } from '../../src/alerts/look.js'
import { noteFailures } from '../../src/alerts/note-failures.js'
import { planAlertMails } from '../../src/alerts/plan-mails.js'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { inEach } from '../../src/worker/in-each.js'
import { filledOrder, poolOf, productOf, vendorShop } from '../support/fixtures.js'

/** A pool that is low and empty, told by mail, with its sales counted; a mail to a customer that failed. */
export async function soundAlerts (db: Kysely<Database>): Promise<void> {
  const shop = await vendorShop(db)
  const product = await productOf(shop)
  const pool = await poolOf(shop, product, ['A-1', 'A-2'])
  const { delivery_id } = await filledOrder(shop, product, pool)
  await db.updateTable('deliveries').set({ status: 'failed', next_attempt_at: null }).where('id', '=', delivery_id).execute()
  await db.updateTable('pools').set({ low_stock_threshold: 3, low_stock_days: 7 }).execute()
  await db.updateTable('orders').set({ created_at: new Date(Date.now() - 3 * 86_400_000) }).execute()
  await db.insertInto('alert_settings').values({ account_id: shop.account_id, addresses: ['stock@example.com'] }).execute()
  await inEach(db, findSellers, countSales)
  await inTransaction(db, watchNewPools)
  await inEach(db, findChangedPools, lookAtPools)
  await inTransaction(db, noteFailures)
  await inTransaction(db, (trx) => planAlertMails(trx, shop))
}

/** What breaks each invariant. */
export const alertPlants: Record<string, string[]> = {
  'an alert is of something that its account has': [
    "update alerts set subject_id = 'PL-other', topic = 'PL-other' where kind = 'pool.low'",
    "update alerts set topic = '' where kind = 'pool.low'",
    "update alerts set subject_id = 'DE-other' where kind = 'delivery.failed'",
    "insert into alerts (account_id, kind, subject_id, topic) select id, 'order.unfulfilled', 'OR-other', '' from accounts",
    "insert into alerts (account_id, kind, subject_id, topic) select account_id, 'batch.expiring', id, 'PL-other' from batches",
  ],
  'a mailed alert is in a mail of its account, and a mail tells alerts': [
    'delete from alert_mails',
    "update alerts set mail_state = 'silent', mailing_id = null, mailed_at = null",
  ],
  'about a kind and pool there is at most one mail an hour': [
    `insert into alerts (account_id, kind, subject_id, topic, mail_state, mailing_id, mailed_at, cleared_at)
     select account_id, kind, subject_id, topic, mail_state, 'AM-other', mailed_at + interval '59 min', now() from alerts where kind = 'pool.low';
     insert into alert_mails (account_id, mailing_id, "to") select account_id, 'AM-other', "to" from alert_mails`,
  ],
  'the sales of a pool that are counted are of its orders': [
    'update pool_sales set licenses = licenses + 1',
    'update pool_sales set day = day - 1',
  ],
}
