import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { requestFields } from '../../src/requests/schema.js'
import { testAccount, testApp, type TestApp } from '../support/app.js'
import { makeMarket, purchaseOf, tierOf, type Market, type MarketOptions } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { callsOf, type Call } from '../support/vendor.js'

interface Arranged { service: TestApp, market: Market, provider: Call, vendor: Call }

async function arrange (t: Test, options: MarketOptions = {}): Promise<Arranged> {
  const service = await testApp(t)
  const market = await makeMarket(service, options)
  return { service, market, provider: callsOf(service.app, market.provider), vendor: callsOf(service.app, market.vendor) }
}

async function active ({ byProvider, byVendor }: Market, purchase: object): Promise<Json> {
  const { id, asset } = await byProvider('POST', '/v1/requests', purchase)
  await byVendor('PUT', `/v1/requests/${id}`, { asset: { params: [{ id: 'license_key', value: 'KEY' }] } })
  await byVendor('POST', `/v1/requests/${id}/approve`)
  return asset
}

// Guarantee: items are found by any of their names, quantities are read in any of their spellings, and noise in a body is no harm.
t.test('bodies that a purchase may have', async (t) => {
  const { market } = await arrange(t)
  const { byProvider, item_id } = market
  const [catalogued] = await byProvider('GET', `/v1/products/${market.product_id}/items`) as unknown as Json[]
  const bodies: Array<[item: object, quantity: string]> = [
    [{ id: item_id, quantity: 2 }, '2'],
    [{ global_id: item_id, quantity: '2' }, '2'],
    [{ id: catalogued!.local_id, quantity: '2.0' }, '2'],
    [{ mpn: 'SEAT-1', quantity: -1 }, 'unlimited'],
    [{ ...catalogued, quantity: 'unlimited' }, 'unlimited'],
  ]
  for (const [item, quantity] of bodies) {
    const made = await byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { items: [item] } }))
    t.match(made, { status: 'pending', asset: { items: [{ id: item_id, quantity, old_quantity: '0' }] } }, JSON.stringify(item))
  }
  const noisy = purchaseOf(market, { id: 'PR-1', status: 'pending', icon: 'x', asset: { id: null, status: 'new', external_uid: null, product: { id: market.product_id }, connection: { id: market.connection_id, type: 'preview' }, marketplace: { id: market.marketplace_id } } })
  const made = await byProvider('POST', '/v1/requests', noisy)
  t.match(made.asset, { connection: { type: 'production' }, external_uid: /^[\da-f-]{36}$/ })
  t.same(Object.keys(made.asset.tiers.tier2), [], 'a tier that is not there is {}')
  const again = await byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { tiers: { customer: { id: made.asset.tiers.customer.id }, tier1: {} } } }))
  t.equal(again.asset.tiers.customer.id, made.asset.tiers.customer.id)
  t.same(again.asset.tiers.tier1, {})
})

// Guarantee: what is wrong with a purchase is said in the words that clients compare, and nothing is made of it.
t.test('what a purchase is refused for', async (t) => {
  const { service, market, provider, vendor } = await arrange(t)
  const { item_id } = market
  const customer = tierOf('Somebody')
  const refusals: Array<[asset: object, error: string | RegExp]> = [
    [{ items: [] }, 'asset.items: This list may not be empty.'],
    [{ items: [{ id: item_id, quantity: 0 }] }, 'asset.items: This list may not be empty.'],
    [{ items: [{ id: 'nothing', quantity: 1 }] }, /^asset\.items\.0: .*"nothing"/],
    [{ items: [{ id: item_id, quantity: 1.5 }] }, /quantity/],
    [{ items: [{ id: item_id, quantity: -2 }] }, /^asset\.items\.0\.quantity: /],
    [{ items: [{ id: item_id, quantity: 1 }, { mpn: 'SEAT-1', quantity: 1 }] }, /named twice/],
    [{ connection: { id: 'CT-0000-0000-0001' } }, /^asset\.connection\.id: /],
    [{ connection: null }, /^asset\.connection\.id: /],
    [{ product: { id: 'PRD-000-000-000' } }, /^asset\.product\.id: /],
    [{ marketplace: { id: 'MP-00000' } }, /^There is no Listing for specified Product and Marketplace\./],
    [{ tiers: {} }, /^asset\.tiers\./],
    [{ tiers: { customer: { id: 'TA-0000-0000-0000' } } }, /^asset\.tiers\.customer/],
    [{ tiers: { customer: { ...customer, contact_info: {} } } }, /^asset\.tiers\.customer/],
    [{ params: [{ id: 'nothing', value: 'x' }] }, /^asset\.params: .*nothing/],
    [{ params: [{ id: 'admin_email', value: 'not one' }] }, /^asset\.params\.admin_email: /],
    [{ params: [{ id: 'license_key', value: 'MINE' }] }, /^asset\.params\.license_key: is written by the vendor/],
  ]
  const before = await service.db.selectFrom('assets').select('id').execute()
  for (const [asset, error] of refusals) {
    const answer = await provider('POST', '/v1/requests', purchaseOf(market, { asset }))
    t.match(answer.json(), { status: 400, error_code: 'VAL_001', errors: [error] }, JSON.stringify(asset))
  }
  t.same(await service.db.selectFrom('assets').select('id').execute(), before)
  t.equal((await vendor('POST', '/v1/requests', purchaseOf(market))).statusCode, 403, 'a vendor purchases nothing')
  t.equal((await provider('POST', '/v1/requests', { type: 'adjustment', asset: { id: 'AS-0000-0000-0000' } })).statusCode, 403, 'a provider adjusts nothing')
})

// Guarantee: a missing required ordering parameter makes it inquiring at once; a draft is not asked for it.
t.test('a value that is missing', async (t) => {
  const { market } = await arrange(t)
  const made = await market.byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { params: [] } }))
  t.match(made, { status: 'inquiring', params_form_url: /code=/, asset: { status: 'processing' } })
  const draft = await market.byProvider('POST', '/v1/requests', purchaseOf(market, { status: 'draft', asset: { params: [], items: [], tiers: {} } }))
  t.equal(draft.status, 'draft')
})

// Guarantee: a purchase that is repeated, one after another or at once, is one purchase, and the 409 tells where to go on.
t.test('a purchase that is known', async (t) => {
  const { market, provider } = await arrange(t)
  const { asset } = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  // its customer is there already: otherwise the twins would wait for each other to make it
  const purchase = purchaseOf(market, { asset: { params: [], tiers: { customer: { id: asset.tiers.customer.id } } } })
  const twins = await Promise.all([1, 2, 3].map(() => provider('POST', '/v1/requests', purchase)))
  t.same(twins.map(({ statusCode }) => statusCode).sort(), [201, 409, 409])
  const made = twins.find(({ statusCode }) => statusCode === 201)!.json<Json>()
  for (const refused of twins.filter(({ statusCode }) => statusCode === 409)) {
    t.match(refused.json(), {
      error_code: 'REQ_004',
      params: {
        request_id: made.id,
        request_status: 'inquiring',
        asset_id: made.asset.id,
        asset_status: 'processing',
        params_form_url: made.params_form_url,
        template: { id: made.template.id, name: made.template.name },
        fail_message: '',
      },
    })
  }
  await market.byVendor('POST', `/v1/requests/${made.id}/fail`, { reason: 'no' })
  t.match((await provider('POST', '/v1/requests', purchase)).json(), {
    status: 409, params: { request_id: made.id, request_status: 'failed', asset_status: 'terminated', fail_message: 'no' },
  }, 'who repeats it late learns that it failed, and why')
  const revoked = await market.byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { external_uid: randomUUID() } }))
  await market.byVendor('POST', `/v1/requests/${revoked.id}/schedule`, { planned_date: '2099-01-31' })
  await market.byProvider('POST', `/v1/requests/${revoked.id}/revoke`)
  await market.byVendor('POST', `/v1/requests/${revoked.id}/confirm`)
  const { external_uid } = revoked.asset
  t.equal((await provider('POST', '/v1/requests', purchaseOf(market, { asset: { external_uid } }))).statusCode, 201, 'what was revoked may be bought again')
})

// Guarantee: drafts of one external_uid do not clash until one is purchased.
t.test('drafts of a purchase that is known', async (t) => {
  const { market, provider } = await arrange(t)
  const purchase = purchaseOf(market, { status: 'draft', asset: { external_uid: randomUUID() } })
  const [one, two] = [await market.byProvider('POST', '/v1/requests', purchase), await market.byProvider('POST', '/v1/requests', purchase)]
  t.equal((await market.byProvider('POST', `/v1/requests/${one.id}/purchase`)).status, 'pending')
  t.match((await provider('POST', `/v1/requests/${two.id}/purchase`)).json(), { status: 409, params: { request_id: one.id } })
  t.equal((await provider('DELETE', `/v1/requests/${two.id}`)).statusCode, 204)
  t.equal((await provider('GET', `/v1/requests/${two.id}`)).statusCode, 404)
  t.equal((await provider('GET', `/v1/assets/${two.asset.id}`)).statusCode, 404)
  t.equal((await provider('GET', `/v1/conversations/${two.id}`)).statusCode, 404)
})

// Guarantee: follow-ups are refused in the words that clients compare, by the state of the asset, by an open request, by what they change.
t.test('what a follow-up is refused for', async (t) => {
  const { market, provider } = await arrange(t)
  const { item_id } = market
  const { id } = await active(market, purchaseOf(market))
  const ask = async (type: string, asset: object = {}, other: object = {}): Promise<Json> => (await provider('POST', '/v1/requests', { type, ...other, asset: { id, ...asset } })).json()
  t.same((await ask('change', { items: [{ id: item_id, quantity: '1' }] })).errors, ['asset.items: Item quantities are not changed.', 'Item limits is not changed in new request.'])
  t.match(await ask('change', { items: [{ id: item_id, quantity: 0 }] }), { status: 400, errors: ['asset.items: This list may not be empty.'] })
  t.match(await ask('change', { items: [] }), { status: 400, errors: ['asset.items: This list may not be empty.'] })
  const { errors, ...unchanging } = await ask('change', {}, { status: 'draft' })
  t.match([errors, unchanging.status], [undefined, 'draft'])
  t.match((await provider('POST', `/v1/requests/${unchanging.id}/submit`)).json(), { status: 400, errors: ['asset.items: Item quantities are not changed.'] })
  const submitted = await market.byProvider('POST', `/v1/requests/${unchanging.id}/submit`, { ...unchanging, asset: { ...unchanging.asset, items: [{ id: item_id, quantity: 7 }] } })
  t.match(submitted, { status: 'pending', asset: { items: [{ old_quantity: '1', quantity: '7' }] } }, 'what comes with it is written')
  await market.byVendor('POST', `/v1/requests/${unchanging.id}/fail`, { reason: 'no' })
  t.match(await ask('resume'), { status: 400, errors: [/is active/] })
  t.match(await ask('cancel', { id: 'AS-0000-0000-0000' }), { status: 400, errors: [/^asset\.id: /] })
  const open = await ask('change', { items: [{ id: item_id, quantity: 2 }] })
  t.match(await ask('cancel'), { status: 409, error_code: 'REQ_005', params: { request_id: open.id, request_status: 'pending', asset_id: id, asset_status: 'active' } })
  const draft = await ask('cancel', {}, { status: 'draft' })
  t.equal(draft.status, 'draft', 'a draft asks for nothing yet')
  t.equal((await provider('POST', `/v1/requests/${draft.id}/submit`)).statusCode, 409)
  await market.byVendor('POST', `/v1/requests/${open.id}/fail`, { reason: 'no' })
  const raced = await Promise.all([1, 2, 3].map(() => ask('suspend')))
  t.same(raced.map(({ status }) => status).sort(), [409, 409, 'pending'])
  await market.byVendor('POST', `/v1/requests/${raced.find(({ status }) => status === 'pending')!.id}/approve`)
  t.match(await ask('change', { items: [{ id: item_id, quantity: 3 }] }), { status: 400, errors: ['Request type change is not allowed when asset state is suspended'] })
  t.match((await market.byProvider('POST', `/v1/requests/${draft.id}/submit`)), { status: 'pending', asset: { status: 'terminating' } })
})

// Guarantee: what the product cannot do is a request that failed as it was made, with the reason that clients compare.
t.test('suspend without the capability', async (t) => {
  const { market } = await arrange(t, { product: { capabilities: { subscription: { hold: false } } } })
  const { id } = await active(market, purchaseOf(market))
  const failed = await market.byProvider('POST', '/v1/requests', { type: 'suspend', asset: { id } })
  t.match(failed, { status: 'failed', reason: 'The product doesn\'t support suspend/resume operations.', asset: { status: 'active' } })
})

// Guarantee: a draft follow-up that is submitted late takes the vendor's values of that time, not those of when it was written.
t.test('a draft that is submitted after an adjustment', async (t) => {
  const { market } = await arrange(t)
  const { id } = await active(market, purchaseOf(market))
  const draft = await market.byProvider('POST', '/v1/requests', { type: 'change', status: 'draft', asset: { id, items: [{ id: market.item_id, quantity: 4 }], params: [{ id: 'admin_email', value: 'new@example.com' }] } })
  const adjustment = await market.byVendor('POST', '/v1/requests', { type: 'adjustment', asset: { id, params: [{ id: 'license_key', value: 'ADJUSTED' }] } })
  await market.byVendor('POST', `/v1/requests/${adjustment.id}/approve`)
  await market.byProvider('POST', `/v1/requests/${draft.id}/submit`)
  const done = await market.byVendor('POST', `/v1/requests/${draft.id}/approve`)
  t.same(done.asset.params.map(({ value }: Json) => value), ['new@example.com', 'ADJUSTED'])
})

// Guarantee: a request is its vendor's and its provider's; for every other account it is not there, and no list shows it.
t.test('requests of others', async (t) => {
  const { service, market } = await arrange(t)
  const { id } = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  for (const other of [service.stranger, await testAccount(service.db, 'provider')]) {
    const call = callsOf(service.app, other)
    t.same((await call('GET', '/v1/requests?limit=10')).json(), [])
    for (const [method, path] of [['GET', ''], ['PUT', ''], ['DELETE', ''], ['GET', '/render'], ['GET', '/parameters'], ['GET', '/parameters/license_key'], ['POST', '/pend'], ['POST', '/validate']] as const) {
      const answer = await call(method, `/v1/requests/${id}${path}`, method === 'GET' || method === 'DELETE' ? undefined : {})
      t.match(answer.json(), { status: 404, error_code: 'REQ_003' }, `${method} ${path}`)
    }
  }
})

// Guarantee: clients post whole objects back: what equals what is there changes nothing, whoever sends it.
t.test('a whole request posted back', async (t) => {
  const { market } = await arrange(t)
  const { byProvider, byVendor } = market
  const still = ({ updated, answered, assignee, ...request }: Json): Json => request
  const draft = await byProvider('POST', '/v1/requests', purchaseOf(market, { status: 'draft', note: 'n', external_attributes: { a: 1 } }))
  t.same(still(await byProvider('PUT', `/v1/requests/${draft.id}`, draft)), still(draft))
  t.same(still(await byProvider('POST', `/v1/requests/${draft.id}/validate`, draft)), still(draft))
  const other = tierOf('Somebody else')
  const rewritten = await byProvider('PUT', `/v1/requests/${draft.id}`, { ...draft, asset: { ...draft.asset, external_id: 'E-2', tiers: { customer: other, tier1: {} } } })
  t.match(rewritten.asset, { external_id: 'E-2', tiers: { customer: { external_uid: other.external_uid }, tier1: {} } })
  const pending = await byProvider('POST', `/v1/requests/${draft.id}/purchase`, rewritten)
  t.same(still(await byVendor('PUT', `/v1/requests/${draft.id}`, await byVendor('GET', `/v1/requests/${draft.id}`))), still(pending))
  t.match(await byVendor('PUT', `/v1/requests/${draft.id}`, { asset: {} }), { status: 'pending' })
  await byVendor('PUT', `/v1/requests/${draft.id}`, { asset: { params: [{ id: 'license_key', value: 'KEY' }] } })
  const done = await byVendor('POST', `/v1/requests/${draft.id}/approve`, await byVendor('GET', `/v1/requests/${draft.id}`))
  t.equal(done.template.id, pending.template.id, 'the template in it is the one')
})

// Guarantee: every field that the list declares can be filtered and, where it says so, ordered by; those of the request find it.
t.test('the fields of the list', async (t) => {
  const { market, provider, vendor } = await arrange(t)
  const made = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  for (const [name, { type, values, ordering }] of Object.entries(requestFields.declared)) {
    const value = values?.[0] ?? { text: 'x', integer: '1', timestamp: '2026-01-01T00:00:00Z', boolean: 'true', bigint: '1' }[type]
    for (const query of [`eq(${name},${value})`, ...(ordering === true ? [`ordering(-${name})`] : [])]) {
      t.equal((await provider('GET', `/v1/requests?${query}`)).statusCode, 200, query)
    }
  }
  const { id, asset } = made
  const finding = [
    'in(type,(purchase,renew,transfer))', `id=${id}`, `asset.id=${asset.id}`, `asset__id=${asset.id}`, `product_id=${market.product_id}`, 'asset.product.name=like=*Street*', `asset.external_uid=${asset.external_uid}`,
    'asset.connection.type=production', `asset.connection.hub.id=${market.hub_id}`, `asset.connection.provider.id=${market.provider.account_id}`,
    `asset.tiers.customer.id=${asset.tiers.customer.id}`, `asset.tier1_id=${asset.tiers.tier1.id}`, 'asset.params.id=admin_email&asset.params.value=admin@example.com',
    `marketplace.id=${market.marketplace_id}`, `contract.id=${market.contract_id}`, 'sli.days=0', 'assignee=null()', 'gt(created,2026-01-01T00:00:00+00:00)',
    `and(eq(asset.external_uid,${asset.external_uid}),eq(type,purchase),in(status,(pending,approved)))&ordering(-created)&limit=1`,
  ]
  for (const query of finding) t.match((await vendor('GET', `/v1/requests?${query}`)).json(), [{ id }], query)
  const counted = await vendor('GET', '/v1/requests?status=pending&limit=0')
  t.match([counted.json(), counted.headers['content-range']], [[], 'items 0-0/1'])
})
