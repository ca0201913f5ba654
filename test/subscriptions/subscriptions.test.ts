import t, { type Test } from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { definitionsOf } from '../../src/parameters/definitions.js'
import { writeValues } from '../../src/parameters/write-values.js'
import { lengthOf } from '../../src/subscriptions/billing.js'
import { testAccount, testApp, type TestAccount } from '../support/app.js'
import { AS_VENDOR, purchaseOf, saleOf } from '../support/sales.js'
import { clientOf, type Json } from '../support/sdk.js'
import { callsOf } from '../support/vendor.js'

const SECRET = 'SECRET-0001'
const JANUARY = { from: '2026-01-01T00:00:00+00:00', to: '2026-02-01' }

async function arrange (t: Test) {
  const service = await testApp(t)
  const { app, db, keyring, vendor } = service
  const provider = await testAccount(db, 'provider')
  const rival = await testAccount(db, 'provider')
  const { account_id } = vendor
  const sale = await saleOf(db, { account_id, provider_id: provider.account_id })
  const { asset_id } = await purchaseOf(db, sale)
  await inTransaction(db, async (trx) => writeValues(trx, keyring, { account_id, owner_id: asset_id, definitions: await definitionsOf(trx, account_id, sale.product_id, ['asset']), ...AS_VENDOR },
    [{ id: 'admin_email', value: 'ada@example.com' }, { id: 'license_key', value: SECRET }]))
  const call = async (caller: TestAccount, method: 'GET' | 'POST' | 'PUT', url: string, payload?: object): Promise<{ statusCode: number, body: Json, range: unknown }> => {
    const answer = await callsOf(app, caller)(method, `/v1/subscriptions${url}`, payload)
    return { statusCode: answer.statusCode, body: answer.json(), range: answer.headers['content-range'] }
  }
  const bill = async (caller: TestAccount, other: object = {}): Promise<Json> => (await call(caller, 'POST', '/requests', { asset: { id: asset_id }, period: JANUARY, ...other })).body
  return { ...service, provider, rival, sale, asset_id, call, bill }
}

// Guarantee: an asset is billed by numbers, without secret parameters, and says how often and until when; one whose purchase waits is not billed.
t.test('recurring assets', async (t) => {
  const { db, sale, asset_id, vendor, provider, call, bill } = await arrange(t)
  const waiting = await purchaseOf(db, sale, { status: 'processing' })
  const { statusCode, body } = await call(vendor, 'GET', `/assets/${asset_id}`)
  t.equal(statusCode, 200)
  t.match(body, {
    id: asset_id,
    status: 'active',
    product: { id: sale.product_id },
    connection: { id: sale.connection_id },
    marketplace: { id: sale.marketplace_id },
    tiers: { customer: { name: 'Analytical Engines' } },
    items: [{ id: sale.items[0], mpn: 'SEATS', quantity: 10, old_quantity: 10, period: 'Monthly', item_type: 'Reservation' }],
    billing: { period: { delta: 1, uom: 'monthly' }, next_date: null, stats: { vendor: { count: 0, last_request: null }, provider: { count: 0, last_request: null } } },
  })
  t.strictSame(body['params'].map(({ id }: Json) => id), ['admin_email', 'internal_id'])
  t.notMatch(JSON.stringify(body), SECRET)
  const { body: listed, range } = await call(provider, 'GET', '/assets?select(-items)')
  t.equal(range, 'items 0-0/1')
  t.match(listed, [{ id: asset_id, items: undefined, billing: { period: { uom: 'monthly' } } }])
  t.equal((await call(vendor, 'GET', `/assets/${waiting.asset_id}`)).statusCode, 404)

  await db.updateTable('asset_items').set({ quantity: -1 }).where('asset_id', '=', asset_id).execute()
  await db.updateTable('assets').set({ billing_next_date: new Date('2026-01-15') }).where('id', '=', asset_id).execute()
  t.match((await call(vendor, 'GET', `/assets/${asset_id}`)).body, { items: [{ quantity: -1 }], billing: { period: { delta: 1, uom: 'monthly' }, next_date: '2026-01-15T00:00:00+00:00' } })
  const { id } = await bill(vendor)
  t.match((await call(vendor, 'GET', '/assets')).body[0].billing, {
    next_date: '2026-02-01T00:00:00+00:00', stats: { vendor: { count: 1, last_request: { id } }, provider: { count: 0 } },
  }, 'what was billed since')
  t.strictSame(['monthly', 'yearly', 'years_3', 'onetime', null].map(lengthOf), [{ delta: 1, uom: 'monthly' }, { delta: 1, uom: 'yearly' }, { delta: 3, uom: 'yearly' }, null, null])
})

// Guarantee: each side makes its own billing requests, with the items as they were then; the other side is told and sees them.
t.test('billing requests', async (t) => {
  const { db, sale, asset_id, vendor, provider, call, bill } = await arrange(t)
  const made = await bill(provider, { type: 'provider', attributes: { provider: { invoice: 7 }, vendor: { forged: true } } })
  t.match(made, {
    id: /^BRP-\d{4}-\d{4}-\d{4}-\d{4}$/,
    type: 'provider',
    asset: { id: asset_id, items: [{ quantity: 10 }], billing: { stats: { provider: { count: 1 } } } },
    items: [{ id: sale.items[0], quantity: 10, type: 'Seats' }],
    attributes: { vendor: {}, provider: { invoice: 7 } },
    events: { created: { at: /\+00:00$/ } },
    period: { from: '2026-01-01T00:00:00+00:00', to: '2026-02-01T00:00:00+00:00', delta: 1, uom: 'monthly' },
  })
  t.strictSame(made['attributes'].vendor, {})
  t.notMatch(JSON.stringify(made), SECRET)
  const own = await bill(vendor, { items: [{ id: sale.items[0], quantity: 4 }], period: { ...JANUARY, delta: 31, uom: 'daily' } })
  t.match(own, { id: /^BRV-/, type: 'vendor', items: [{ quantity: 4 }], period: { delta: 31, uom: 'daily' } })
  await db.updateTable('asset_items').set({ quantity: 20 }).where('asset_id', '=', asset_id).execute()
  t.match((await call(vendor, 'GET', `/requests/${made['id']}`)).body, { id: made['id'], items: [{ quantity: 10 }], asset: { items: [{ quantity: 20 }] } })
  t.strictSame((await db.selectFrom('events').select(['type', 'actor']).where('subject_id', '=', made['id']).execute()), [{ type: 'billing_request.created', actor: provider.key_id }])

  await t.test('lists', async (t) => {
    const ids = async (query: string, caller = vendor): Promise<string[]> => (await call(caller, 'GET', `/requests${query}`)).body.map(({ id }: Json) => id)
    t.strictSame(await ids('', provider), [own['id'], made['id']])
    for (const query of [
      '?type=provider', '?period.uom=monthly', `?id=${made['id']}`, '?eq(period.delta,1)&ge(period.from,2026-01-01)&asset.params.value=ada@example.com',
      `?asset.id=${asset_id}&asset.product.id=${sale.product_id}&asset.status=active&asset.connection.hub.id=${sale.hub_id}&type=provider`,
    ]) t.strictSame(await ids(query), [made['id']], query)
    t.strictSame(await ids(`?asset.params.value=${SECRET}`), [])
  })
  await t.test('what is refused', async (t) => {
    for (const [other, message] of [
      [{ type: 'vendor' }, /^type: must be provider/],
      [{ asset: { id: 'AS-0000-0000-0000' } }, /^asset\.id: there is no such asset/],
      [{ period: { from: JANUARY.to, to: JANUARY.from } }, /^period\.to: must be after/],
      [{ period: { from: 'yesterday', to: JANUARY.to } }, /^period\.from: must be a moment/],
      [{ period: { ...JANUARY, uom: 'lunar' } }, /period\.uom/],
      [{ items: [{ id: 'PRD-000-000-000-0001' }] }, /^items: the asset has no item "PRD-000/],
      [{ attributes: { provider: { x: 'x'.repeat(70_000) } } }, /^attributes\.provider: is too long/],
    ] as const) t.match(await bill(provider, other), { status: 400, errors: [message] })
    t.equal((await call(provider, 'GET', '/requests')).range, 'items 0-1/2', 'nothing was made')
  })
})

// Guarantee: each side notes its own on a billing request and leaves the other's as it is.
t.test('attributes', async (t) => {
  const { vendor, provider, call, bill } = await arrange(t)
  const { id } = await bill(provider, { attributes: { provider: { invoice: 7 } } })
  const put = (caller: TestAccount, body: object) => call(caller, 'PUT', `/requests/${id}/attributes`, body)
  t.match(await put(vendor, { vendor: { external_id: '42' } }), { statusCode: 200, body: { vendor: { external_id: '42' }, provider: { invoice: 7 } } })
  t.match(await put(provider, { provider: { invoice: 8 }, vendor: { external_id: '42' } }), { statusCode: 200, body: { vendor: { external_id: '42' }, provider: { invoice: 8 } } }, 'posted back')
  t.match(await put(provider, { vendor: { external_id: '43' } }), { statusCode: 403, body: { error_code: 'REQ_002' } })
  t.match(await put(vendor, { vendor: { x: 'x'.repeat(70_000) } }), { statusCode: 400, body: { errors: [/^vendor: is too long/] } })
  t.strictSame((await put(vendor, {})).body, { vendor: { external_id: '42' }, provider: { invoice: 8 } })
  t.strictSame((await call(vendor, 'GET', `/requests/${id}`)).body['attributes'], { vendor: { external_id: '42' }, provider: { invoice: 8 } })
})

// Guarantee: to whoever has no part in an asset, it and its billing requests are as absent.
t.test('who sees what is billed', async (t) => {
  const { asset_id, stranger, rival, vendor, call, bill } = await arrange(t)
  const { id } = await bill(vendor)
  for (const caller of [stranger, rival]) {
    for (const [method, url, payload] of [
      ['GET', `/assets/${asset_id}`], ['GET', `/requests/${id}`], ['PUT', `/requests/${id}/attributes`, { vendor: { mine: true }, provider: { mine: true } }],
    ] as const) t.equal((await call(caller, method, url, payload)).statusCode, 404, `${method} ${url}`)
    t.strictSame([(await call(caller, 'GET', '/assets')).body, (await call(caller, 'GET', '/requests')).body], [[], []])
    t.match(await bill(caller), { status: 400, errors: [/^asset\.id: there is no such asset/] })
  }
  t.strictSame((await call(vendor, 'GET', `/requests/${id}`)).body['attributes'], { vendor: {}, provider: {} })
})

// Guarantee: the class Subscriptions of Connect's client works.
t.test('the official client', async (t) => {
  const { app, asset_id, sale, vendor, provider } = await arrange(t)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const url = `http://127.0.0.1:${(app.server.address() as { port: number }).port}`
  const [{ subscriptions }, { subscriptions: ofProvider }] = [clientOf(url, vendor), clientOf(url, provider)]
  t.match(await subscriptions.searchRecurringAssets({ status: ['active'], 'product.id': sale.product_id }), [{ id: asset_id }])
  t.match(await subscriptions.getRecurringAsset(asset_id), { id: asset_id, items: [{ quantity: 10 }] })
  const { id } = await ofProvider.createBillingRequest({ asset: { id: asset_id, status: 'active' }, period: { ...JANUARY, uom: 'monthly', delta: 1 }, id: 'ignored' })
  t.match(await subscriptions.searchBillingRequests({ 'asset.id': asset_id, type: 'provider' }), [{ id }])
  t.match(await subscriptions.getBillingRequest(id), { id, type: 'provider' })
  t.match(await subscriptions.updateBillingRequestAttributes(id, { vendor: { external_id: '42' } }), { vendor: { external_id: '42' } })
})
