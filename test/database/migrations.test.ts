import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { sql, type Kysely } from 'kysely'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.js'
import { connectDatabase, type Database } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { claimDeliveries } from '../../src/deliveries/claim.js'
import { emptyDatabase } from '../support/database.js'
import { assertInvariants } from '../support/invariants.js'

/** A database as the migrations before `number` left it, and what brings it up to now. */
async function databaseBefore (t: Test, number: string): Promise<{ db: Kysely<Database>, migrate: () => Promise<void> }> {
  const { url } = await emptyDatabase(t)
  const db = connectDatabase(url, readConfig({}))
  t.teardown(() => db.destroy())
  const run = async (is_meant: (file: string) => boolean): Promise<void> => {
    for (const file of readdirSync('migrations').sort().filter(is_meant)) await sql.raw(readFileSync(path.join('migrations', file), 'utf8')).execute(db)
  }
  await run((file) => file < number)
  return { db, migrate: () => run((file) => file >= number) }
}

// Guarantee: products made before the catalogue have what a new one has: templates for its requests, and a first version.
t.test('products of the first release', async (t) => {
  const { db, migrate } = await databaseBefore(t, '0007')
  await db.insertInto('accounts').values([1, 2].map((n) => ({ id: `VA-000-00${n}`, type: 'vendor', name: 'Old' }))).execute()
  await db.insertInto('products').values([1, 2, 3].map((n) => ({
    account_id: `VA-000-00${n < 3 ? 1 : 2}`, id: `PRD-000-000-00${n}`, name: `Old ${n}`, mail_template: JSON.stringify({ subject: 's', text: '{KEY}' }),
  }))).execute()
  await migrate()

  const templates = await db.selectFrom('product_templates').select(['product_id', 'id', 'type', 'scope']).orderBy('product_id').orderBy('position').execute()
  t.match(templates, [1, 2, 3].flatMap((n) => ['fulfillment', 'inquire'].map((type) => ({ product_id: `PRD-000-000-00${n}`, id: /^TL-\d{3}-\d{3}-\d{3}$/, type, scope: 'asset' }))))
  t.equal(templates.length, 6)
  t.equal(new Set(templates.map(({ id }) => id)).size, 6)
  t.match(await db.selectFrom('product_versions').select(['product_id', 'version', 'snapshot', 'actions']).orderBy('product_id').execute(),
    [1, 2, 3].map((n) => ({ product_id: `PRD-000-000-00${n}`, version: 1, snapshot: { name: `Old ${n}`, status: 'published', items: [], capabilities: {} }, actions: [] })))
})

// Guarantee: what was sold before mails had versions, licenses an expiry and orders a page is whole after the migration: every invariant holds, also of a line
// of which one unit was refunded and then the other revoked; a mail that was planned is sent in the words of its product; what was sent stays sent.
t.test('orders of before mails had versions', async (t) => {
  const { db, migrate } = await databaseBefore(t, '0019')
  await sql.raw(`
    insert into accounts (id, type, name) values ('VA-1', 'vendor', 'Old');
    insert into products (account_id, id, name, mail_template, locales)
    values ('VA-1', 'PRD-1', 'Old', '{"subject": "Your key", "text": "It is {KEY}"}', '{"de": {"mail_template": {"subject": "Ihr Key", "text": "Er ist {KEY}"}}}');
    insert into product_refs (account_id, ref, product_id) values ('VA-1', 'PRD-1', 'PRD-1');
    insert into pools (account_id, id, name, product_ids, mode, quantity_rule, on_shortage, next_position) values ('VA-1', 'PL-1', 'Old', '{PRD-1}', 'live', 'unit', 'backorder', 6);
    insert into pool_routes (account_id, mode, product_id, currency, rank, pool_id) values ('VA-1', 'live', 'PRD-1', '', 1, 'PL-1');
    insert into batches (account_id, id, pool_id, status, sha256, loaded, created_by, loaded_at) values ('VA-1', 'BA-1', 'PL-1', 'loaded', '', 5, 'test', now());
    insert into licenses (account_id, id, pool_id, batch_id, line, mode, fingerprint, sealed)
    select 'VA-1', 'LI-' || n, 'PL-1', 'BA-1', n, 'live', int4send(n), '' from generate_series(1, 5) n;
    insert into stock (account_id, pool_id, position, license_id) values ('VA-1', 'PL-1', 5, 'LI-5');
    insert into orders (account_id, id, source_id, external_id, mode, currency, customer, status, fulfillment_status, total_amount, paid_at)
    select 'VA-1', 'OR-' || n, 'api-live', 'A-' || n, 'live', 'EUR', '{"email": "ada@example.com"}', case n when 2 then 'partially_refunded' else 'paid' end,
      case n when 2 then 'unfulfilled' else 'fulfilled' end, 1000, now() from generate_series(1, 2) n;
    insert into line_items (account_id, id, order_id, external_id, product_id, pool_id, quantity, ended_units, fulfillment_status)
    select 'VA-1', 'OR-' || n || '-1', 'OR-' || n, '1', 'PRD-1', 'PL-1', 2, n - 1, case n when 2 then 'unfulfilled' else 'fulfilled' end from generate_series(1, 2) n;
    insert into slots (account_id, line_item_id, unit, cancelled_at, is_revoked)
    select 'VA-1', 'OR-' || n || '-1', unit, case n when 2 then now() end, n = 2 and unit = 1 from generate_series(1, 2) n cross join generate_series(1, 2) unit;
    insert into payment_facts (account_id, source_id, ref, kind, occurred_at, lines, order_id)
    values ('VA-1', 'api', 'OR-2', 'refunded', now(), '[{"external_id": "1", "quantity": 1}]', 'OR-2');
    insert into allocations (account_id, pool_id, position, license_id, order_id, line_item_id, unit, ended_as, ended_at)
    select 'VA-1', 'PL-1', 2 * n + unit - 2, 'LI-' || 2 * n + unit - 2, 'OR-' || n, 'OR-' || n || '-1', unit, case n when 2 then 'revoked' end, case n when 2 then now() end
    from generate_series(1, 2) n cross join generate_series(1, 2) unit;
    insert into license_sightings (account_id, license_id, how, seen_by) select 'VA-1', 'LI-' || n, 'mailed', 'DE-2' from generate_series(3, 4) n;
    insert into license_revocations (account_id, license_id, order_id, line_item_id, unit, cause, reason, created_by)
    values ('VA-1', 'LI-3', 'OR-2', 'OR-2-1', 1, 'revoked', 'leaked', 'test');
    insert into deliveries (account_id, id, order_id, product_id, license_ids, "to") values ('VA-1', 'DE-1', 'OR-1', 'PRD-1', '{LI-1,LI-2}', 'ada@example.com');
    insert into deliveries (account_id, id, order_id, product_id, license_ids, "to", status, attempts, next_attempt_at, message_id, sent_at)
    values ('VA-1', 'DE-2', 'OR-2', 'PRD-1', '{LI-3,LI-4}', 'ada@example.com', 'sent', 1, null, '<DE-2@example.com>', now());`).execute(db)
  await migrate()

  await assertInvariants(t, db)
  t.match(await db.selectFrom('slots').select(['unit', 'is_revoked', 'revoked_beside']).where('line_item_id', '=', 'OR-2-1').orderBy('unit').execute(),
    [{ is_revoked: true, revoked_beside: 1 }, { is_revoked: false, revoked_beside: 0 }])
  const claimed = await inTransaction(db, (trx) => claimDeliveries(trx, { limit: 10, lease_ms: 1000, domain: 'example.com' }))
  t.match(claimed, [{ id: 'DE-1', license_ids: ['LI-1', 'LI-2'], words_version: 1, wrapper_version: 0 }])
  t.equal(claimed.length, 1)
  t.match(await db.selectFrom('mail_words').select('words').executeTakeFirstOrThrow(),
    { words: { name: 'Old', mail_template: { subject: 'Your key', text: 'It is {KEY}' }, locales: { de: { mail_template: { subject: 'Ihr Key' } } } } })
  await assertInvariants(t, db)
})
