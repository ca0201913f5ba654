import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { startErasure } from '../../src/erasures/start.js'
import { runningErasures, workOnErasure } from '../../src/erasures/work.js'
import { filledOrder, poolOf, productOf, vendorShop } from '../support/fixtures.js'

/** One order whose customer was erased after its mail bounced, with the webhook that it came by; and one of somebody else. */
export async function soundErasures (db: Kysely<Database>): Promise<void> {
  const shop = await vendorShop(db)
  const { account_id, keyring } = shop
  for (const name of ['ada', 'bob']) {
    const product = await productOf(shop)
    const { order_id, delivery_id } = await filledOrder(shop, product, await poolOf(shop, product, [`${name}-1`]), { customer: { email: `${name}@example.com` } })
    await sql`update deliveries set status = 'bounced', attempts = 1, next_attempt_at = null, last_error = ${`550 ${name}@example.com`} where id = ${delivery_id}`.execute(db)
    await sql`insert into delivery_attempts (account_id, delivery_id, attempt, finished_at, outcome, response) values (${account_id}, ${delivery_id}, 1, now(), 'bounced', '550 no')`.execute(db)
    await sql`insert into delivery_reports (account_id, delivery_id, action, status, diagnostic) values (${account_id}, ${delivery_id}, 'delayed', '4.2.2', 'full')`.execute(db)
    await sql`insert into license_sightings (account_id, license_id, how) select account_id, license_id, 'mailed' from allocations where order_id = ${order_id}`.execute(db)
    await sql`
      insert into payment_events (account_id, id, source_id, event_key, type, status, order_id, body, occurred_at, processed_at)
      values (${account_id}, ${`PE-${name}`}, 'PS-1', ${name}, 'order.paid', 'processed', ${order_id}, 'body', now(), now())`.execute(db)
  }
  const asked = { email: 'ADA@example.com', force: true }
  await inTransaction(db, (trx) => startErasure(trx, keyring, { account_id, type: 'vendor', asked, actor: 'SU-1' }))
  for (let [running] = await runningErasures(db); running !== undefined; [running] = await runningErasures(db)) {
    const erasure = running
    await inTransaction(db, (trx) => workOnErasure(trx, keyring, erasure))
  }
}

const ERASED = 'where erased_at is not null'
const ITS_MAIL = `where delivery_id = (select d.id from deliveries d join orders o on o.id = d.order_id ${ERASED})`

/** What breaks each invariant. */
export const erasurePlants: Record<string, string[]> = {
  'an erased order says nothing of its customer, nor do its mails and what mail servers said of them': [
    `alter table orders drop constraint orders_erased; update orders set customer = '{"company": "x"}' ${ERASED}`,
    `update orders set mail_to = 'x@example.com' ${ERASED}`,
    `update deliveries set "to" = 'x@example.com' where order_id = (select id from orders ${ERASED})`,
    `update deliveries set status = 'planned', next_attempt_at = now() where order_id = (select id from orders ${ERASED})`,
    `update delivery_attempts set response = '550 no' ${ITS_MAIL}`,
    `update delivery_reports set diagnostic = 'full' ${ITS_MAIL}`,
  ],
  'what checkouts sent of an erased order is empty, and so is every payment event that was erased': [
    "update payment_events set body = 'x', erased_at = null where id = 'PE-ada'",
    "alter table payment_events drop constraint payment_events_erased; update payment_events set context = '{\"a\": 1}' where id = 'PE-ada'",
    "update payment_events set erased_at = null, answers = '{}' where id = 'PE-ada'",
  ],
  'an erasure that is over does not know whom it was about': [
    "alter table erasures drop constraint erasures_fingerprint; update erasures set fingerprint = 'x'",
    "alter table erasures drop constraint erasures_subject; update erasures set sealed_subject = 'x'",
  ],
}
