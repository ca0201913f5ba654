import t, { type Test } from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { assetDocuments } from '../../src/assets/asset-documents.js'
import { definitionsOf } from '../../src/parameters/definitions.js'
import type { ParamWrite } from '../../src/parameters/schema.js'
import { sealTile } from '../../src/parameters/tile.js'
import { writeValues } from '../../src/parameters/write-values.js'
import { testAccount, testApp, type TestAccount } from '../support/app.js'
import { AS_VENDOR, purchaseOf, saleOf, type Sale } from '../support/sales.js'
import { clientOf, type Json } from '../support/sdk.js'
import { callsOf } from '../support/vendor.js'

const SECRET = 'SECRET-0001'

async function arrange (t: Test) {
  const service = await testApp(t)
  const { app, db, keyring, vendor, stranger } = service
  const provider = await testAccount(db, 'provider')
  const rival = await testAccount(db, 'provider')
  const sale = await saleOf(db, { account_id: vendor.account_id, provider_id: provider.account_id })
  const get = async (url: string, caller: TestAccount = vendor): Promise<{ statusCode: number, body: Json, range: unknown }> => {
    const answer = await callsOf(app, caller)('GET', `/v1${url}`)
    return { statusCode: answer.statusCode, body: answer.json(), range: answer.headers['content-range'] }
  }
  const ids = async (url: string, caller: TestAccount = vendor): Promise<string[]> => (await get(url, caller)).body.map(({ id }: Json) => id)
  const write = (owner_id: string, writes: ParamWrite[], { account_id, product_id }: Sale = sale): Promise<unknown> => inTransaction(db, async (trx) =>
    writeValues(trx, keyring, { account_id, owner_id, definitions: await definitionsOf(trx, account_id, product_id, ['asset']), ...AS_VENDOR }, writes))
  return { ...service, provider, rival, stranger, sale, get, ids, write }
}

const WRITES = [{ id: 'admin_email', value: 'ada@example.com' }, { id: 'license_key', value: SECRET }, { id: 'internal_id', value: 'CRM-1' }]
const paramsOf = ({ params }: Json): Json => Object.fromEntries(params.map(({ id, value }: Json) => [id, value]))

// Guarantee: an asset is answered whole, in Connect's shape; select hides and adds parts and nothing else.
t.test('an asset', async (t) => {
  const { db, sale, provider, vendor, get, write } = await arrange(t)
  const { asset_id, request_id } = await purchaseOf(db, sale)
  await write(asset_id, WRITES)
  const { statusCode, body } = await get(`/assets/${asset_id}`)
  t.equal(statusCode, 200)
  const { params, tiers, ...asset } = body
  t.match(asset, {
    id: asset_id,
    status: 'active',
    external_id: 'order-1001',
    external_uid: asset_id,
    product: { id: sale.product_id, icon: '', name: 'Front Street Pro', status: 'published' },
    connection: {
      id: sale.connection_id,
      type: 'production',
      status: 'active',
      hub: { id: sale.hub_id, name: 'Hub' },
      vendor: { id: vendor.account_id, name: 'vendor of a test' },
      provider: { id: provider.account_id, name: 'provider of a test' },
    },
    events: { created: { at: /\+00:00$/ }, updated: { at: /\+00:00$/ } },
    items: [{
      id: sale.items[0], global_id: sale.items[0], mpn: 'SEATS', old_quantity: '10', quantity: '10', type: 'Seats', display_name: 'Seats', period: 'Monthly', item_type: 'Reservation', params: [],
    }],
    configuration: { params: [] },
    marketplace: { id: sale.marketplace_id, name: 'Marketplace', icon: '' },
    contract: { id: sale.contract_id, name: 'Contract', type: 'distribution' },
  })
  t.strictSame(Object.keys(asset).sort(), ['configuration', 'connection', 'contract', 'events', 'external_id', 'external_uid', 'id', 'items', 'marketplace', 'product', 'status'])
  t.match(tiers, { customer: { id: /^TA-/, name: 'Analytical Engines', contact_info: { city: 'London' } }, tier1: {}, tier2: {} })
  t.strictSame([tiers.tier1, tiers.tier2], [{}, {}], 'no such tier')
  t.strictSame(params.map(({ id, value, phase }: Json) => [id, value, phase]),
    [['admin_email', 'ada@example.com', 'ordering'], ['license_key', SECRET, 'fulfillment'], ['internal_id', 'CRM-1', 'fulfillment']])

  await t.test('parts of it', async (t) => {
    const bare = (await get(`/assets/${asset_id}?select(-items,-params,-configuration)`)).body
    t.strictSame(new Set(Object.keys(body).filter((part) => !(part in bare))), new Set(['items', 'params', 'configuration']))
    await db.insertInto('requests').values({
      account_id: sale.account_id, id: 'PR-1', asset_id, provider_id: sale.provider_id, product_id: sale.product_id, type: 'change', status: 'pending', template_id: sale.template_id,
    }).execute()
    const template = { id: sale.template_id, name: 'Welcome' }
    const more = (await get('/assets?select(template,%2Bpending_request,product.capabilities)')).body[0]
    t.strictSame({ template: more.template, pending_request: more.pending_request }, { template, pending_request: { id: 'PR-1', type: 'change', status: 'pending' } })
    t.match(more.product.capabilities, { subscription: { hold: true } })
    t.strictSame((await get('/assets?select(pending_request.template)')).body[0].pending_request, { id: 'PR-1', type: 'change', status: 'pending', template })
  })
  await t.test('its requests', async (t) => {
    const { body, range } = await get(`/assets/${asset_id}/requests`)
    t.equal(range, 'items 0-1/2')
    t.match(body, [{ id: request_id, type: 'purchase', status: 'approved', events: { created: { at: /\+00:00$/ }, updated: { at: /\+00:00$/ } }, assignee: '' }, { id: 'PR-1' }])
    await db.updateTable('requests').set({ assignee_id: vendor.key_id }).where('id', '=', 'PR-1').execute()
    t.match((await get(`/assets/${asset_id}/requests?status=pending`)).body, [{ id: 'PR-1', assignee: { id: vendor.key_id, name: 'test', email: '' } }])
  })
  await t.test('quantities without limit, and configuration of the product, its items and marketplaces', async (t) => {
    const { account_id, product_id } = sale
    const rows = [['terms', 'product'], ['cap', 'item'], ['logo', 'marketplace'], ['password', 'product']].map(([name, scope], n) => ({
      account_id, product_id, id: `PRM-C-${n}`, name: name!, title: name!, type: 'text', scope: scope!, phase: 'configuration', secret: name === 'password', position: 10 + n,
    }))
    await db.insertInto('product_parameters').values(rows).execute()
    const value = { account_id, product_id }
    await db.insertInto('product_configurations').values([
      { ...value, parameter_id: 'PRM-C-0', value: 'https://terms' }, { ...value, parameter_id: 'PRM-C-1', item_id: sale.items[0], value: '100' },
      { ...value, parameter_id: 'PRM-C-2', marketplace_id: sale.marketplace_id, value: 'here' }, { ...value, parameter_id: 'PRM-C-2', marketplace_id: 'MP-other', value: 'elsewhere' },
      { ...value, parameter_id: 'PRM-C-3', sealed: Buffer.from('x') },
    ]).execute()
    await db.updateTable('asset_items').set({ quantity: -1 }).where('asset_id', '=', asset_id).execute()
    const { items, configuration } = (await get(`/assets/${asset_id}`)).body
    t.match(items, [{ quantity: 'unlimited', params: [{ id: 'cap', value: '100' }] }])
    t.equal(items[0].params.length, 1)
    t.strictSame(configuration.params.map(({ id, value, phase }: Json) => [id, value, phase]), [['terms', 'https://terms', 'configuration'], ['logo', 'here', 'configuration']])
  })
})

// Guarantee: parameters are those of the purchase until the asset has its own; the items those last approved.
t.test('an asset that is processing', async (t) => {
  const { db, sale, get, write } = await arrange(t)
  const { asset_id, request_id } = await purchaseOf(db, sale, { status: 'processing' })
  await write(request_id, WRITES)
  t.match(paramsOf((await get(`/assets/${asset_id}`)).body), { admin_email: 'ada@example.com', license_key: SECRET })
  await write(asset_id, [{ id: 'admin_email', value: 'new@example.com' }])
  await db.updateTable('request_items').set({ quantity: 99 }).where('request_id', '=', request_id).execute()
  const { body } = await get(`/assets/${asset_id}`)
  t.match(paramsOf(body), { admin_email: 'new@example.com', license_key: '' })
  t.match(body.items, [{ quantity: '10' }])
})

// Guarantee: what is asked of assets as their requests would leave them is each request's own, in as many statements for fifty as for one.
t.test('assets of requests', async (t) => {
  const { db, keyring, sale, write } = await arrange(t)
  const subjects = []
  for (let n = 0; n < 8; n++) {
    const { asset_id, request_id } = await purchaseOf(db, sale, { status: 'processing' })
    await write(request_id, [{ id: 'license_key', value: `KEY-${n}` }])
    await db.updateTable('request_items').set({ quantity: n + 1 }).where('request_id', '=', request_id).execute()
    subjects.push({ account_id: sale.account_id, asset_id, request_id })
  }
  let statements = 0
  const counted = db.withPlugin({ transformQuery: ({ node }) => { statements++; return node }, transformResult: async ({ result }) => result })
  const views = await assetDocuments(counted, keyring, { type: 'vendor' }, subjects, () => true)
  const forMany = statements
  t.strictSame(views.map(({ document, params }) => [document.id, document.items?.[0]?.quantity, document.items?.[0]?.old_quantity, params[1]?.value]),
    subjects.map(({ asset_id }, n) => [asset_id, String(n + 1), '0', `KEY-${n}`]), 'in the order asked for')
  statements = 0
  await assetDocuments(counted, keyring, { type: 'vendor' }, subjects.slice(0, 1), () => true)
  t.equal(statements, forMany, `${forMany} statements`)
  t.strictSame(await assetDocuments(db, keyring, { type: 'vendor' }, [], () => true), [])
})

// Guarantee: a vendor sees the assets of its products, a provider those that it requested, and to everybody else they are as absent.
t.test('who sees an asset', async (t) => {
  const { db, sale, provider, rival, stranger, operator, vendor, get, ids, write } = await arrange(t)
  const { asset_id } = await purchaseOf(db, sale)
  const draft = await purchaseOf(db, sale, { status: 'draft' })
  await write(asset_id, WRITES)
  t.strictSame(await ids('/assets', vendor), [asset_id], 'no drafts for the vendor')
  t.equal((await get(`/assets/${draft.asset_id}`, vendor)).statusCode, 200, 'but by its id')
  t.strictSame((await get(`/assets/${draft.asset_id}/requests`, vendor)).body, [])
  t.strictSame(new Set(await ids('/assets', provider)), new Set([asset_id, draft.asset_id]))
  t.strictSame(await ids(`/assets/${draft.asset_id}/requests`, provider), [draft.request_id])
  const seen = (await get(`/assets/${asset_id}`, provider)).body
  t.strictSame(paramsOf(seen), { admin_email: 'ada@example.com', license_key: SECRET }, 'and not what the vendor keeps to itself')
  const absent = (await get('/assets/AS-0000-0000-0000', vendor)).body
  for (const caller of [rival, stranger]) {
    t.strictSame(await ids('/assets', caller), [])
    for (const path of ['', '/requests', '/render']) {
      const { statusCode, body } = await get(`/assets/${asset_id}${path}`, caller)
      t.equal(statusCode, 404)
      t.strictSame({ ...body, request_id: '' }, { ...absent, request_id: '' })
    }
  }
  t.equal((await get(`/assets/${asset_id}`, operator)).statusCode, 403)
})

// Guarantee: lists are filtered by what section 4.7 of Connect's wire names; secrets and what is shared with nobody can't be found by value.
t.test('lists', async (t) => {
  const { db, sale, provider, vendor, get, ids, write } = await arrange(t)
  const [first, second] = [await purchaseOf(db, sale, { external_id: 'order-1', created_at: new Date('2026-01-01') }), await purchaseOf(db, sale, { external_id: 'order-2', status: 'suspended' })]
  await write(first.asset_id, WRITES)
  await write(second.asset_id, [{ id: 'admin_email', value: 'eve@example.com' }])
  const customer = (await get(`/assets/${first.asset_id}`)).body.tiers.customer
  for (const query of [
    'external_id=order-1', `external_id=order-1&product.id=${sale.product_id}`, `id=${first.asset_id}`, 'status=active', 'in(status,(active,processing))', 'lt(created,2026-02-01T00:00:00Z)',
    'le(events.created.at,2026-01-01T00:00:00.000Z)', `external_uid=${first.asset_id}&product.name=Front%20Street%20Pro`, `tiers.customer.id=${customer.id}`,
    'params.id=admin_email&params.value=ada@example.com', 'like(params.value,ada*)', `tiers.customer.external_uid=${customer.external_uid}`, 'search=order-1',
    `connection.id=${sale.connection_id}&connection.type=production&connection.hub.id=${sale.hub_id}&hub.name=Hub&connection.provider.id=${provider.account_id}&connection.vendor.name=vendor%20of%20a%20test&status=active`,
    `contract.id=${sale.contract_id}&marketplace.name=Marketplace&template.id=${sale.template_id}&external_id=order-1`, 'product__id__in=' + sale.product_id + '&external_id=order-1',
  ]) t.strictSame(await ids(`/assets?${query}`), [first.asset_id], query)
  t.strictSame(await ids('/assets'), [second.asset_id, first.asset_id], 'the newest first')
  for (const order of ['created', 'status', 'marketplace.name,created', 'tiers.customer.name,created']) t.strictSame(await ids(`/assets?ordering(${order})`), [first.asset_id, second.asset_id], order)
  t.equal((await get('/assets?limit=1')).range, 'items 0-0/2')
  t.equal((await get('/assets?limit=0&marketplace.name=Marketplace')).range, 'items 0-0/2')
  for (const query of [`params.value=${SECRET}`, 'like(params.value,SECRET*)', 'params.id=license_key', 'params.value=CRM-1', 'params.id=admin_email&params.value=CRM-1']) {
    for (const caller of [vendor, provider]) t.strictSame(await ids(`/assets?${query}`, caller), [], query)
  }
  t.match(await get('/assets?nobody=1'), { statusCode: 400, body: { detail: /nobody/ } })
})

// Guarantee: the text for the customer is rendered when it is read, from the template or the text of the last approval, with the values as they are now.
t.test('what the customer is told', async (t) => {
  const { app, db, keyring, sale, vendor, provider, write } = await arrange(t)
  const { asset_id } = await purchaseOf(db, sale)
  const render = async (id: string, caller = vendor) => {
    const { statusCode, headers, body } = await callsOf(app, caller)('GET', `/v1/assets/${id}/render`)
    t.match({ statusCode, type: headers['content-type'] }, { statusCode: 200, type: 'text/markdown; charset=utf-8' })
    return body
  }
  await write(asset_id, WRITES)
  t.equal(await render(asset_id), `Key ${SECRET} for ada@example.com, CRM-1.`)
  t.equal(await render(asset_id, provider), `Key ${SECRET} for ada@example.com, .`, 'as far as the reader is shown the values')
  t.notOk(JSON.stringify(await db.selectFrom('assets').selectAll().execute()).includes(SECRET), 'it is not stored')
  await db.updateTable('assets').set({ template_body: null, sealed_tile: sealTile(keyring, sale.account_id, asset_id, '# Own {{ key }}') }).execute()
  t.equal(await render(asset_id), '# Own {{ key }}')
  t.equal(await render((await purchaseOf(db, sale, { status: 'processing' })).asset_id), '')
})

// Guarantee: Connect's client reads assets as it expects.
t.test('the official client', async (t) => {
  const { app, db, sale, vendor, write } = await arrange(t)
  const { asset_id } = await purchaseOf(db, sale)
  await purchaseOf(db, sale, { external_id: 'other' })
  await write(asset_id, WRITES)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { client, directory } = clientOf(`http://127.0.0.1:${(app.server.address() as { port: number }).port}`, vendor)
  t.match(await directory.searchAssets({ status: ['active', 'suspended'], external_id: 'order-1001' }), [{ id: asset_id, items: [{ quantity: '10' }] }])
  t.match(await directory.getAssetsByProductIdExternalId(sale.product_id, 'order-1001'), [{ id: asset_id, product: { id: sale.product_id } }])
  t.match(await client.assets.get(asset_id), { id: asset_id, params: [{ id: 'admin_email' }, { id: 'license_key', value: SECRET }, {}] })
  const error: Json = await client.assets.get('AS-0000-0000-0000').then(() => ({}), (error: unknown) => error)
  t.strictSame([error['status'], error['errorCode']], [404, 'AST_001'])
})
