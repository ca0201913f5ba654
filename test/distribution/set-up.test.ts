import { sql } from 'kysely'
import t from 'tap'
import { testApp } from '../support/app.js'
import { clientOf } from '../support/sdk.js'
import { until } from '../support/until.js'
import { callsOf, makeProduct } from '../support/vendor.js'
import { idOf, makeShelf } from './support.js'

// Guarantee: a newcomer sets up who may sell what over HTTP alone, starting from the operator's key, and each answer is in Connect's shape.
t.test('from nothing to a product on a marketplace', async (t) => {
  const { app, operator } = await testApp(t)
  const byOperator = callsOf(app, operator)
  const newcomer = async (type: 'vendor' | 'provider') => {
    const account_id = await idOf(byOperator('POST', '/v1/accounts', { name: `The ${type}`, type }))
    const { api_key } = (await byOperator('POST', '/v1/api-keys', { name: 'first', preset: type, account_id })).json()
    return { account_id, call: callsOf(app, { authorization: `ApiKey ${api_key}` }) }
  }
  const { account_id: vendor_id, call: byVendor } = await newcomer('vendor')
  const { account_id: provider_id, call: byProvider } = await newcomer('provider')
  const [vendor, provider] = [{ id: vendor_id, name: 'The vendor' }, { id: provider_id, name: 'The provider' }]
  const events = { created: { at: /\+00:00$/ }, updated: { at: /\+00:00$/ } }

  const hub = await byProvider('POST', '/v1/hubs', { id: 'HB-0000-0000', name: 'Hub', instance: { id: 'oa-1', type: 'OA' }, owner: { id: vendor_id }, stats: {} })
  t.equal(hub.statusCode, 201)
  t.match(hub.json(), {
    id: /^HB-\d{4}-\d{4}$/, name: 'Hub', description: '', company: provider, instance: { id: 'oa-1', type: 'OA' }, instance_id: 'oa-1', instance_type: 'OA', stats: { connections: 0, marketplaces: 0 }, events,
  })
  t.equal(hub.headers['location'], `/v1/hubs/${hub.json().id}`)
  const named = { id: hub.json().id, name: 'Hub' }
  const marketplace = await byProvider('POST', '/v1/marketplaces', { name: 'Market', icon: '/m.png', hub: named })
  t.equal(marketplace.statusCode, 201)
  t.match(marketplace.json(), { id: /^MP-\d{5}$/, name: 'Market', description: '', icon: '/m.png', owner: provider, hub: named, events })
  const place = { id: marketplace.json().id, name: 'Market', icon: '/m.png' }

  const product_id = await makeProduct(byVendor, 'sku')
  const contract = await byVendor('POST', '/v1/contracts', { marketplace: place, provider })
  t.equal(contract.statusCode, 201)
  t.match(contract.json(), { id: /^CRD-\d{5}-\d{5}-\d{5}$/, name: 'Market', type: 'distribution', status: 'active', marketplace: place, vendor, provider, events })
  const listing = await byVendor('POST', '/v1/listings', { product: { id: product_id }, contract: contract.json() })
  t.equal(listing.statusCode, 201)
  t.match(listing.json(), {
    id: /^LST-\d{3}-\d{3}-\d{3}$/, status: 'listed', contract: { id: contract.json().id, name: 'Market', marketplace: place }, product: { id: product_id, name: 'Product sku' }, vendor, provider, events,
  })
  const connection = await byVendor('POST', `/v1/products/${product_id}/connections`, { type: 'production', hub: named })
  t.equal(connection.statusCode, 201)
  t.match(connection.json(), {
    id: /^CT-\d{4}-\d{4}-\d{4}$/, type: 'production', status: 'active', provider, vendor, hub: { ...named, instance: { id: 'oa-1', type: 'OA' } }, product: { id: product_id }, product_version_type: 'public', created_at: /\+00:00$/,
  })
  t.equal(connection.headers['location'], `/v1/products/${product_id}/connections/${connection.json().id}`)
  const wide = await byVendor('POST', `/v1/products/${product_id}/connections`, { type: 'test', provider, hub: null })
  t.strictSame(wide.json().hub, null, 'for any system of the provider')

  t.match((await byProvider('GET', `/v1/hubs/${named.id}`)).json().stats, { connections: 1, marketplaces: 1 })
  const ids = async (url: string, call = byProvider): Promise<string[]> => (await call('GET', url)).json().map(({ id }: { id: string }) => id)
  t.strictSame(await ids(`/v1/hubs/${named.id}/connections`), [connection.json().id])
  t.strictSame(await ids(`/v1/hubs/${named.id}/marketplaces`), [place.id])
  t.strictSame(await ids(`/v1/marketplaces?owner.id=${provider_id}`), [place.id])
  t.strictSame(await ids(`/v1/marketplaces?ne(owner.id,${provider_id})`), [])
  t.strictSame(await ids(`/v1/listings?in(contract.marketplace.id,(${place.id}))&product.id=${product_id}`), [listing.json().id], 'as the end-to-end scripts ask')
  t.strictSame(await ids(`/v1/contracts?marketplace.id=${place.id}&status=active`), [contract.json().id])
  t.strictSame(await ids(`/v1/products/${product_id}/connections?type=test`), [wide.json().id])
  t.strictSame(await ids('/v1/hubs?instance.type=OA&instance.id=oa-1', byVendor), [named.id], 'a vendor sees the hubs of its providers')
  t.strictSame(await ids('/v1/hubs', byOperator), [named.id], 'the operator sees all')
})

// Guarantee: the operator writes hubs and marketplaces for a provider that it names; what is named wrongly is refused by its field.
t.test('naming others', async (t) => {
  const { app, db, operator, vendor } = await testApp(t)
  const { provider, byVendor, byProvider, hub_id, marketplace_id, product_id, contract_id } = await makeShelf({ app, db })
  const byOperator = callsOf(app, operator)
  const hub = await byOperator('POST', '/v1/hubs', { name: 'By the operator', owner: { id: provider.account_id } })
  t.match(hub.json(), { company: { id: provider.account_id } })
  const marketplace = await byOperator('POST', '/v1/marketplaces', { name: 'By the operator', hub: { id: hub.json().id }, owner: { id: provider.account_id } })
  t.match(marketplace.json(), { owner: { id: provider.account_id } })
  t.match((await byOperator('PUT', `/v1/marketplaces/${marketplace.json().id}`, { hub: { id: hub_id }, icon: 'x' })).json(), { name: 'By the operator', hub: { id: hub_id }, icon: 'x' })
  t.match((await byOperator('PUT', `/v1/hubs/${hub.json().id}`, { instance: { id: 'a' } })).json(), { name: 'By the operator', instance: { id: 'a', type: 'API' } })
  t.equal((await byOperator('DELETE', `/v1/hubs/${hub.json().id}`)).statusCode, 204)

  const other = await makeShelf({ app, db })
  const connections = `/v1/products/${product_id}/connections`
  const refused: Array<[field: RegExp, answer: ReturnType<typeof byVendor>]> = [
    [/^owner\.id: is required/, byOperator('POST', '/v1/hubs', { name: 'x' })],
    [/^owner\.id: there is no provider/, byOperator('POST', '/v1/hubs', { name: 'x', owner: { id: vendor.account_id } })],
    [/^owner\.id: is required/, byOperator('POST', '/v1/marketplaces', { name: 'x', hub: { id: hub_id } })],
    [/^hub: is required/, byProvider('POST', '/v1/marketplaces', { name: 'x' })],
    [/^hub\.id: /, byProvider('POST', '/v1/marketplaces', { name: 'x', hub: { id: other.hub_id } })],
    [/^hub\.id: /, byProvider('PUT', `/v1/marketplaces/${marketplace_id}`, { hub: { id: other.hub_id } })],
    [/^provider: is required/, byVendor('POST', '/v1/contracts', { marketplace: { id: marketplace_id } })],
    [/^marketplace\.id: /, byVendor('POST', '/v1/contracts', { marketplace: { id: 'MP-none' }, provider: { id: provider.account_id } })],
    [/^product\.id: /, byVendor('POST', '/v1/listings', { product: { id: other.product_id }, contract: { id: contract_id } })],
    [/^contract\.id: /, byVendor('POST', '/v1/listings', { product: { id: product_id }, contract: { id: other.contract_id } })],
    [/^type: is required/, byVendor('POST', connections, { hub: { id: hub_id } })],
    [/^provider\.id: is required/, byVendor('POST', connections, { type: 'test' })],
    [/^provider\.id: there is no provider/, byVendor('POST', connections, { type: 'test', provider: { id: vendor.account_id } })],
    [/^hub\.id: /, byVendor('POST', connections, { type: 'test', provider: { id: provider.account_id }, hub: { id: other.hub_id } })],
  ]
  for (const [field, answer] of refused) {
    const { statusCode, json } = await answer
    t.equal(statusCode, 400, String(field))
    t.match(json(), { error_code: 'VAL_001', errors: [field] })
  }
})

// Guarantee: who guesses the number of a marketplace learns nothing: with another provider's id it is answered like one that is not there.
t.test('a contract names the marketplace and whose it is', async (t) => {
  const { app, db } = await testApp(t)
  const [shelf, other] = [await makeShelf({ app, db }), await makeShelf({ app, db })]
  const answerTo = async (id: string, provider_id: string) => {
    const { statusCode, json } = await shelf.byVendor('POST', '/v1/contracts', { marketplace: { id }, provider: { id: provider_id } })
    const { request_id, ...body } = json()
    return { statusCode, body: JSON.parse(JSON.stringify(body).replaceAll(id, 'MP').replaceAll(provider_id, 'PA')) }
  }
  const unknown = await answerTo('MP-none', shelf.provider.account_id)
  t.match(unknown, { statusCode: 400, body: { error_code: 'VAL_001', errors: ['marketplace.id: there is no marketplace MP of PA'] } })
  t.strictSame(await answerTo(other.marketplace_id, shelf.provider.account_id), unknown, "another provider's")
  t.strictSame(await answerTo(other.marketplace_id, 'PA-000-000'), unknown, 'of nobody')
  t.equal((await answerTo(other.marketplace_id, other.provider.account_id)).statusCode, 201)
})

// Guarantee: a change replaces what is given and is recorded; nothing that something refers to is deleted, and it says what to do instead.
t.test('changing and deleting', async (t) => {
  const { app, db } = await testApp(t)
  const { vendor, provider, byVendor, byProvider, hub_id, marketplace_id, product_id, contract_id, listing_id, connection_id } = await makeShelf({ app, db })
  const connection = `/v1/products/${product_id}/connections/${connection_id}`
  const place = { marketplace: { id: marketplace_id }, provider: { id: provider.account_id } }
  const whole = (await byVendor('GET', connection)).json()
  t.strictSame((await byVendor('PUT', connection, { ...whole, status: 'revoked' })).json(), { ...whole, status: 'revoked' }, 'clients post whole objects back')
  t.equal((await byVendor('PUT', connection, { status: 'gone' })).statusCode, 400)
  t.match((await byVendor('PUT', `/v1/listings/${listing_id}`, { status: 'unlisted' })).json(), { id: listing_id, status: 'unlisted' })

  const again = await byVendor('POST', '/v1/listings', { product: { id: product_id }, contract: { id: contract_id } })
  t.match([again.statusCode, again.json()], [409, { error_code: 'LST_002', params: { listing_id } }])
  const twice = await byVendor('POST', '/v1/contracts', place)
  t.match([twice.statusCode, twice.json()], [409, { error_code: 'CRD_002', params: { contract_id } }])
  t.match((await byVendor('PUT', `/v1/contracts/${contract_id}`, { status: 'terminated' })).json(), { status: 'terminated', name: 'Marketplace' })
  const onEnded = await byVendor('POST', '/v1/listings', { product: { id: await makeProduct(byVendor, 'other') }, contract: { id: contract_id } })
  t.match(onEnded.json(), { errors: [/^contract\.id: .* is terminated$/] })
  const next = await idOf(byVendor('POST', '/v1/contracts', { ...place, name: 'Next' }))
  const revived = await byVendor('PUT', `/v1/contracts/${contract_id}`, { status: 'active' })
  t.match([revived.statusCode, revived.json()], [409, { params: { contract_id: next } }])
  await byVendor('PUT', `/v1/contracts/${next}`, { status: 'terminated' })
  const racer = await db.transaction().execute(async (trx) => {
    await trx.updateTable('contracts').set({ status: 'active' }).where('id', '=', next).execute()
    const waiting = byVendor('POST', '/v1/contracts', place)
    await until('the contract to wait for the other', async () =>
      (await sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(db)).rows.length > 0)
    return { waiting }
  })
  const late = await racer.waiting
  t.match([late.statusCode, late.json().error_code], [409, 'CRD_002'], 'of two at one moment the second is refused')

  for (const [call, url, reason] of [
    [byProvider, `/v1/hubs/${hub_id}`, /marketplaces/], [byProvider, `/v1/marketplaces/${marketplace_id}`, /contracts/], [byVendor, `/v1/contracts/${contract_id}`, /terminated instead/],
  ] as const) {
    const { statusCode, json } = await call('DELETE', url)
    t.match([statusCode, json()], [409, { error_code: 'API_009', detail: reason, params: {} }])
  }
  for (const [call, url] of [
    [byVendor, connection], [byVendor, `/v1/listings/${listing_id}`], [byVendor, `/v1/contracts/${contract_id}`], [byVendor, `/v1/contracts/${next}`],
    [byProvider, `/v1/marketplaces/${marketplace_id}`], [byProvider, `/v1/hubs/${hub_id}`],
  ] as const) {
    t.equal((await call('DELETE', url)).statusCode, 204, `from the leaves: ${url}`)
    t.equal((await call('DELETE', url)).statusCode, 404)
    t.equal((await call('GET', url)).statusCode, 404)
  }
  const recorded = await db.selectFrom('events').select(['type', 'actor', 'account_id']).where('subject_id', 'in', [hub_id, connection_id]).orderBy('created_at').execute()
  t.match(recorded, [
    { type: 'hub.created', actor: provider.key_id, account_id: provider.account_id }, { type: 'connection.created', actor: vendor.key_id, account_id: vendor.account_id },
    { type: 'connection.updated' }, { type: 'connection.deleted' }, { type: 'hub.deleted' },
  ])
})

// Guarantee: what a purchase refers to stays, and the answer says how to end it instead.
t.test('deleting what was sold', async (t) => {
  const { app, db } = await testApp(t)
  const { vendor, provider, byVendor, byProvider, marketplace_id, product_id, contract_id, listing_id, connection_id } = await makeShelf({ app, db })
  const sold = { account_id: vendor.account_id, provider_id: provider.account_id, connection_id, product_id, marketplace_id }
  const asset = { ...sold, status: 'active', external_uid: 'x' }
  await db.insertInto('assets').values({ ...asset, id: 'AS-1111-2222-3333', contract_id }).execute()
  for (const [url, call, reason] of [
    [`/v1/products/${product_id}/connections/${connection_id}`, byVendor, /revoked instead/], [`/v1/listings/${listing_id}`, byVendor, /unlisted instead/],
    [`/v1/contracts/${contract_id}`, byVendor, /terminated instead/], [`/v1/marketplaces/${marketplace_id}`, byProvider, /there are contracts of it/],
  ] as const) {
    const { statusCode, json } = await call('DELETE', url)
    t.match([statusCode, json()], [409, { error_code: 'API_009', detail: reason }], url)
    t.equal((await call('GET', url)).statusCode, 200)
  }

  await byVendor('PUT', `/v1/contracts/${contract_id}`, { status: 'terminated' })
  const next = await idOf(byVendor('POST', '/v1/contracts', { marketplace: { id: marketplace_id }, provider: { id: provider.account_id } }))
  const reseller = { provider_id: provider.account_id, id: 'TA-1111-2222-3333', name: 'Reseller', type: 'reseller', external_uid: 'x' }
  await db.insertInto('tier_accounts').values(reseller).execute()
  await db.insertInto('tier_configs').values({ ...sold, id: 'TC-111-222-333', tier_account_id: reseller.id, tier_level: 1, status: 'active', contract_id: next }).execute()
  const usedBy = async () => (await byVendor('DELETE', `/v1/contracts/${next}`)).json().params
  t.strictSame(await usedBy(), { used_by: 'tier_configs' }, 'a set-up alone keeps it')
  await db.insertInto('assets').values({ ...asset, id: 'AS-1111-2222-4444', external_uid: 'y', contract_id: next }).execute()
  await db.deleteFrom('tier_configs').where('account_id', '=', vendor.account_id).execute()
  t.strictSame(await usedBy(), { used_by: 'assets' }, 'so does a purchase')
})

// Guarantee: Connect's own client finds the one connection of a product and a hub, hubs, and the users of an account.
t.test('the official client', async (t) => {
  const { app, db } = await testApp(t)
  const { vendor, byVendor, hub_id, product_id, connection_id } = await makeShelf({ app, db })
  const url = await app.listen({ port: 0 })
  const { client, fulfillment } = clientOf(url, vendor)
  t.equal(await fulfillment.getConnectionIdByProductAndHub(product_id, hub_id), connection_id)
  t.equal(await fulfillment.getConnectionIdByProductAndHub(product_id, 'HB-0000-0000'), null)
  t.match(await client.products.getConnections(product_id), [{ id: connection_id }])
  t.match(await client.products.connections(product_id).get(connection_id), { id: connection_id, hub: { id: hub_id } })
  const second = await client.products.connections(product_id).create({ type: 'test', hub: { id: hub_id } })
  t.equal(await fulfillment.getConnectionIdByProductAndHub(product_id, hub_id), null, 'there are two')
  await client.products.connections(product_id).delete(second.id)
  t.equal(await fulfillment.getConnectionIdByProductAndHub(product_id, hub_id), connection_id)
  t.match(await client.hubs.search({ name: { $like: 'Hu' } }), [{ id: hub_id }])
  t.match(await client.hubs.get(hub_id), { id: hub_id })

  const made = (await byVendor('POST', '/v1/api-keys', { name: 'Ada', email: 'ada@example.com', permissions: ['events:read'] })).json()
  await byVendor('POST', '/v1/api-keys', { name: 'expired', permissions: ['events:read'], expires_at: '2020-01-01T00:00:00Z' })
  t.match(await client.accounts.search(), [{ id: vendor.account_id }])
  const users = client.accounts.users(vendor.account_id)
  t.match(await users.search(), [{ id: vendor.key_id, email: '' }, { id: made.id, name: 'Ada', email: 'ada@example.com', type: 'service' }])
  t.equal((await users.search()).length, 2, 'an expired key is no user')
  t.match(await users.search({ email: 'ada@example.com' }), [{ id: made.id }])
  t.match(await users.get(made.id), { id: made.id, email: 'ada@example.com' })
  await byVendor('DELETE', `/v1/api-keys/${made.id}`)
  t.equal((await users.search()).length, 1, 'nor is one that was revoked')
  const refusal = (call: Promise<unknown>): Promise<unknown> => call.then(() => undefined, (error: unknown) => error)
  t.match(await refusal(users.get(made.id)), { status: 404, errorCode: 'AUTH_004' })
  t.match(await refusal(client.hubs.get('HB-0000-0000')), { status: 404, errorCode: 'HUB_001' })
})
