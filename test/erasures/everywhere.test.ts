// What an erasure promises, byte by byte: the search of test/secrets.test.ts, for a person in place of a key.
import { sql } from 'kysely'
import t from 'tap'
import { testAccount, type TestAccount } from '../support/app.js'
import { copyOf, durableService, filesOf, hits, type DurableService } from '../support/everywhere.js'
import { assertInvariants } from '../support/invariants.js'
import { askOf, makeMarket, purchaseOf, tierOf } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { callsOf, keys, makePool, makeProduct, orderOf } from '../support/vendor.js'
import { messageOf, postMessage } from '../support/webhooks.js'

/** In every name, address and number of the person. */
const NEEDLE = 'kanarie5f1c77e2a9'
const EMAIL = `${NEEDLE}@example.com`
const PERSON = {
  email: EMAIL,
  first_name: `A${NEEDLE}`,
  last_name: `B${NEEDLE}`,
  company: `C${NEEDLE} Ltd`,
  phone: `+44 ${NEEDLE}`,
  city: `D${NEEDLE}`,
  zip: `E${NEEDLE}`,
  address: `12 ${NEEDLE} Street`,
}
const MARKER = 'somebody-else-4d0c91b3'

/** The person comes by checkouts, the API, a mail server that names it, and a request; somebody else beside it. */
async function play ({ app, db, port, mail }: DurableService, vendor: TestAccount, provider: TestAccount): Promise<{ order_id: string, request_id: string }> {
  const call = callsOf(app, vendor)
  await makePool(call, { product_ids: [await makeProduct(call, 'sku-pro')] }, keys(20))
  const source = (await call('POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'shop' })).json<{ id: string, secret: string }>()
  const post = (event: object) => postMessage(port, source.id, messageOf(source.secret, JSON.stringify(event)))
  mail.faults.rcpt = (address) => address.includes('bounces') ? { code: 550, text: `5.1.1 <${address}> ${PERSON.last_name} is unknown` } : undefined
  mail.faults.data = ({ to }) => mail.recipients.length < 6 ? { code: 451, text: `4.7.1 ${to.join()} later` } : undefined
  await post({ type: 'order.paid', data: { ...orderOf('A-1', { customer: PERSON }), note: PERSON.company } })
  await post({ type: 'order.refunded', data: { external_id: 'A-1', amount: 1, customer: PERSON } })
  await post({ type: 'order.refunded', data: { external_id: 'A-9', amount: 1, customer: PERSON } })
  await post({ type: 'order.paid', data: orderOf('A-2', { customer: PERSON, line_items: [{ product: 'sku-none', quantity: 1 }] }) })
  await post({ type: 'customer.updated', data: PERSON })
  const order = (await call('POST', '/v1/orders', orderOf('A-3', { customer: { ...PERSON, email: EMAIL.toUpperCase() } }), { 'idempotency-key': 'o' })).json<Json>()
  await call('POST', '/v1/orders', orderOf('A-4', { customer: { ...PERSON, email: `bounces+${EMAIL}` } }))
  await call('POST', '/v1/orders', orderOf('A-5', { customer: { email: `${MARKER}@example.com` } }))
  await call('POST', '/v1/orders', orderOf('A-6', { customer: PERSON, line_items: [{ product: 'sku-pro', quantity: 50 }] }))

  const market = await makeMarket({ app, db }, { vendor, provider, product: { mail_on_request: true }, license_key: { pool_id: await makePool(call, {}, ['TIER-KEY-00000001']) } })
  const customer = tierOf(PERSON.company, { tax_id: `GB ${NEEDLE}`, external_id: NEEDLE, external_uid: `uid-${NEEDLE}` })
  const { contact_info } = customer as { contact_info: Json }
  Object.assign(contact_info, { address_line1: PERSON.address, city: PERSON.city })
  Object.assign(contact_info['contact'], { email: EMAIL, first_name: PERSON.first_name, last_name: PERSON.last_name })
  const asset = { params: [{ id: 'admin_email', value: EMAIL }], tiers: { customer } }
  const request = await market.byProvider('POST', '/v1/requests', purchaseOf(market, { note: PERSON.last_name, asset }))
  await market.byProvider('POST', `/v1/conversations/${request.id}/messages`, { text: `${PERSON.first_name} called` })
  await market.byProvider('PUT', `/v1/tier/accounts/${request['asset'].tiers.customer.id as string}`, { name: `${PERSON.company} again` })
  await until('the first mails to be put off or refused', async () =>
    (await db.selectFrom('deliveries').select('id').where('last_error', 'is not', null).execute()).length >= 2)
  mail.faults.data = undefined
  await sql`update deliveries set next_attempt_at = now() where status = 'planned'`.execute(db)
  await until('the mails', async () => (await db.selectFrom('deliveries').select('id').where('status', 'in', ['planned', 'sending']).execute()).length === 0)
  await call('POST', `/v1/orders/${order.id}/resend`)
  await until('the mail again', async () => (await db.selectFrom('deliveries').select('id').where('status', 'in', ['planned', 'sending']).execute()).length === 0)
  return { order_id: order.id, request_id: request.id }
}

/** COPY of every table, and the files of the data directory. */
async function placesOf ({ server, db }: DurableService): Promise<Map<string, Buffer>> {
  await sql`checkpoint`.execute(db)
  return new Map([['COPY of every table', await copyOf(server.url())], ...filesOf(server.dataDir)])
}
const found = (places: Map<string, Buffer>, text: string): string[] =>
  [...places].flatMap(([place, bytes]) => [text, text.toUpperCase()].flatMap((form) => hits(bytes, form)).map((form) => `${place}: ${form}`))

// Guarantee (F8): once the vendor and the provider have erased a person, who came by every door, nothing of it is in any table, nor in the data directory after
// VACUUM FULL and a switch of WAL; events and the log of the service never had it. All counts are conserved, and its licenses can be revealed.
t.test('a person is nowhere', { timeout: 110_000 }, async (t) => {
  const running = await durableService(t)
  const { app, db, log } = running
  await sql`alter system set wal_recycle = off`.execute(db) // else old segments are kept to be written over
  await sql`select pg_reload_conf()`.execute(db)
  const [vendor, provider] = [await testAccount(db, 'vendor'), await testAccount(db, 'provider')]
  const { order_id, request_id } = await play(running, vendor, provider)
  const before = await placesOf(running)
  const known = found(before, NEEDLE).join('\n')
  for (const place of ['COPY', '/base/', '/pg_wal/']) t.match(known, place, 'it is in tables, data files and WAL: the search can find')
  const tables = ['orders', 'deliveries', 'delivery_attempts', 'payment_events', 'tier_accounts', 'tier_account_versions', 'parameter_values', 'requests', 'messages']
  for (const table of tables) {
    const { rows } = await sql<{ row: string }>`select r::text as row from ${sql.table(table)} r`.execute(db)
    t.match(rows.map(({ row }) => row.replace(/\\x([0-9a-f]+)/g, (_, hex: string) => Buffer.from(hex, 'hex').toString())).join('\n'), new RegExp(NEEDLE, 'i'), `it is in ${table}`)
  }

  const [byVendor, byProvider] = [askOf(callsOf(app, vendor)), askOf(callsOf(app, provider))]
  for (const [ask, email] of [[byVendor, EMAIL], [byVendor, `bounces+${EMAIL}`], [byProvider, EMAIL]] as const) {
    const { id } = await ask('POST', '/v1/erasures', { email, force: true })
    const done = await until('the erasure', async () => {
      const erasure = await ask('GET', `/v1/erasures/${id}`)
      return erasure['status'] === 'done' && erasure
    }, 30_000)
    t.match(done, { kept: 0 })
  }
  await sql`set statement_timeout = 0`.execute(db)
  const { rows: all } = await sql<{ name: string }>`
    select oid::regclass::text as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`.execute(db)
  for (const { name } of all) await sql.raw(`vacuum (full, analyze) ${name}`).execute(db)
  for (let i = 0; i < 2; i++) {
    await sql`select pg_switch_wal()`.execute(db)
    await sql`checkpoint`.execute(db)
  }
  const after = await placesOf(running)
  t.ok(found(after, MARKER).length > 0, 'somebody else is still there')
  t.strictSame(found(after, NEEDLE), [], 'the person is nowhere')
  t.strictSame(found(new Map([['the log of the service', Buffer.from(log.join(''))]]), NEEDLE), [])
  const [license] = (await byVendor('GET', `/v1/orders/${order_id}`))['line_items'][0].licenses
  t.match(await byVendor('POST', `/v1/licenses/${license.id}/reveal`), { key: /^ABCD-EFGH-/ })
  t.match(await byVendor('GET', `/v1/requests/${request_id}`), { status: 'approved', asset: { tiers: { customer: { name: 'erased' } } } })
  await assertInvariants(t, db)
})
