import t from 'tap'
import { testAccount, testApp } from '../support/app.js'
import { askOf, makeMarket } from '../support/market.js'
import { clientOf, type Json } from '../support/sdk.js'
import { listen } from '../support/socket.js'
import { callsOf } from '../support/vendor.js'

/** What the client throws of an answer that is no 2xx. */
const refusal = (wanted: object): Error => wanted as Error

const names = (of: Json[]): string[] => of.map(({ name }) => name as string)

// Guarantee: Connect's official client reads a catalogue as it reads Connect's, as the vendor and as a provider of it.
t.test('the official client reads the catalogue', async (t) => {
  const parts = await testApp(t)
  const market = await makeMarket(parts)
  const { byVendor, product_id, item_id, parameters } = market
  const below = `/v1/products/${product_id}`
  await byVendor('POST', `${below}/templates`, { title: 'Level one', body: 'x', scope: 'tier1' })
  const { id: region } = await byVendor('POST', `${below}/parameters`, { name: 'region', phase: 'configuration' })
  const { id: action } = await byVendor('POST', `${below}/actions`, { action: 'sso', title: 'Log in', url: 'https://example.com/sso' })
  await parts.db.insertInto('assets').values({
    account_id: market.vendor.account_id,
    id: 'AS-1111-2222-3333',
    provider_id: market.provider.account_id,
    connection_id: market.connection_id,
    product_id,
    status: 'active',
    external_uid: 'x',
    marketplace_id: market.marketplace_id,
  }).execute()
  const url = `http://127.0.0.1:${await listen(parts.app)}`
  for (const caller of ['vendor', 'provider'] as const) {
    await t.test(caller, async (t) => {
      const { inventory, client } = clientOf(url, market[caller])
      t.strictSame(names(await inventory.getParametersByProduct(product_id)), ['admin_email', 'license_key', 'region'])
      t.strictSame(names(await inventory.getAssetParametersForFulfillmentByProduct(product_id)), ['license_key'])
      t.strictSame(names(await inventory.searchProductParameters(product_id, { constraints: undefined, phase: ['ordering', 'fulfillment'], $ordering: '-position' })), ['license_key', 'admin_email'])
      t.strictSame((await inventory.getProductTemplates(product_id)).length, 3)
      t.strictSame((await inventory.getProductAssetTemplates(product_id)).map(({ type }: Json) => type as string), ['fulfillment', 'inquire'])
      t.match(await inventory.getProductActionLink(product_id, action, 'AS-1111-2222-3333'), { link: /^https:\/\/example\.com\/sso\?jwt=/ })
      t.match(await client.products.search({ name: { $like: 'Front' } }), [{ id: product_id, owner: { id: market.vendor.account_id } }])
      t.match(await client.products.get(product_id), { id: product_id, stats: { listings: 1, connections: 2 } })
      t.match(await client.products.getItems(product_id), [{ id: item_id, mpn: 'SEAT-1' }])
      t.equal((await client.products.getParameters(product_id)).length, 3)
      t.equal((await client.products.getTemplates(product_id)).length, 3)
      t.match(await client.products.parameters(product_id).get(parameters['admin_email']), { name: 'admin_email', constraints: { required: true } })
      t.strictSame(await client.products.configurations(product_id).search(), [])
      t.match(await client.products.versions(product_id).search(), [{ version: 1 }])
      t.match(await client.products.versions(product_id).get(1), { id: product_id, version: 1 })
      t.strictSame(await client.products.versions(product_id).actions(1).search(), [])
      t.match(await client.products.actions(product_id).search({ scope: 'asset' }), [{ id: action }])
      t.match(await client.products.actions(product_id).link(action, 'AS-1111-2222-3333'), { link: /jwt=/ })
      await t.rejects(client.products.get('PRD-000-000-000'), refusal({ status: 404, errorCode: 'PRD_001', errors: [/./] }))
      await t.rejects(client.products.parameters(product_id).search({ nothing: 1 }), refusal({ status: 400, errorCode: 'VAL_001' }))
    })
  }
  await t.test('and writes it', async (t) => {
    const { client } = clientOf(url, market.vendor)
    const made = await client.products.create({ name: 'By the client' })
    t.match(await client.products.update(made.id, made), { name: 'By the client' })
    const parameter = await client.products.parameters(made.id).create({ name: 'seats', phase: 'ordering', scope: 'asset', type: 'text' })
    t.match(await client.products.parameters(made.id).update(parameter.id, { ...parameter, title: 'Seats' }), { title: 'Seats' })
    await client.products.parameters(made.id).delete(parameter.id)
    t.match(await client.products.configurations(product_id).create({ parameter: { id: region }, value: 'eu' }), { value: 'eu' })
    t.match(await client.products.configurations(product_id).update(region, { value: 'us' }), { value: 'us' })
    t.match(await client.products.versions(made.id).create(), { version: 2 })
    await client.products.delete(made.id)
    await t.rejects(client.products.get(made.id), refusal({ status: 404 }))
    const provider = clientOf(url, market.provider).client
    await t.rejects(provider.products.update(product_id, { name: 'mine' }), refusal({ status: 403, errorCode: 'AUTH_002' }))
  })
})

// Guarantee: a provider sees the products it is connected to and nothing else, and of those nothing that is the vendor's alone.
t.test('what a provider sees', async (t) => {
  const parts = await testApp(t)
  const market = await makeMarket(parts)
  const another = await makeMarket(parts)
  const { byVendor, byProvider, product_id } = market
  const { id: unconnected } = await byVendor('POST', '/v1/products', { name: 'Not offered' })
  await byVendor('POST', `/v1/products/${product_id}/connections`, { type: 'production', provider: { id: another.provider.account_id } })
  const pool = await byVendor('POST', '/v1/pools', { name: 'p' })
  await byVendor('PUT', `/v1/products/${product_id}/parameters/${market.parameters['license_key'] ?? ''}`, { pool_id: pool['id'] })

  const ids = (products: Json): string[] => (products as unknown as Array<{ id: string }>).map(({ id }) => id)
  t.strictSame(ids(await byProvider('GET', '/v1/products')), [product_id])
  t.strictSame(ids(await another.byProvider('GET', '/v1/products?ordering(name,id)')).sort(), [product_id, another.product_id].sort())
  t.strictSame(ids(await byVendor('GET', '/v1/products')).sort(), [product_id, String(unconnected)].sort())
  t.match(await another.byProvider('GET', `/v1/products/${product_id}`), { stats: { listings: 0, connections: 1 } }, 'counts of its own only')

  const call = callsOf(parts.app, market.provider)
  for (const path of ['', '/items', '/parameters', '/templates', '/configurations', '/actions', '/versions', '/versions/1', `/parameters/${another.parameters['license_key'] ?? ''}`]) {
    const foreign = await call('GET', `/v1/products/${another.product_id}${path}`)
    const absent = await call('GET', `/v1/products/PRD-000-000-000${path}`)
    t.equal(foreign.statusCode, 404, path)
    t.strictSame({ ...foreign.json(), request_id: '' }, { ...absent.json(), request_id: '' }, `${path}: as absent`)
  }
  const seen = await Promise.all(['', '/parameters', `/parameters/${market.parameters['license_key'] ?? ''}`, '/versions'].map((path) => call('GET', `/v1/products/${product_id}${path}`)))
  t.notMatch(seen.map(({ body }) => body).join(), /mail_template|locales|external_ids|mail_on_request|pool_id/)
  t.match(seen[2]!.json(), { name: 'license_key', secret: true })

  const writer = await testAccount(parts.db, 'provider', ['products:read', 'products:write'])
  await byVendor('POST', `/v1/products/${product_id}/connections`, { type: 'production', provider: { id: writer.account_id } })
  const writes = callsOf(parts.app, writer)
  for (const [method, path, payload] of [
    ['PUT', '', { name: 'mine' }], ['DELETE', '', undefined], ['POST', '/items', { name: 'x' }], ['PUT', `/items/${market.item_id}`, {}], ['POST', '/versions', undefined],
    ['POST', '/parameters', { name: 'x', phase: 'ordering' }], ['POST', '/templates', { title: 'x', body: '' }], ['POST', '/actions', { action: 'x', title: 'x', url: 'https://example.com/' }],
    ['POST', '/configurations', { parameter: { id: 'x' } }], ['DELETE', `/parameters/${market.parameters['license_key'] ?? ''}`, undefined],
  ] as const) t.match((await writes(method, `/v1/products/${product_id}${path}`, payload)).json(), { status: 404, error_code: 'PRD_001' }, `${method} ${path}`)

  for (const connection of [market.connection_id, market.test_connection_id]) {
    await byVendor('PUT', `/v1/products/${product_id}/connections/${connection}`, { status: 'revoked' })
  }
  t.equal((await call('GET', `/v1/products/${product_id}`)).statusCode, 404, 'no longer connected')
  t.strictSame(await askOf(callsOf(parts.app, await testAccount(parts.db, 'operator', ['products:read'])))('GET', '/v1/products'), [], 'the operator sees none')
})
