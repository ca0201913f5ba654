// Connect's official client, unmodified: its classes Directory, Inventory and Subscriptions, and what its resources have beyond them.
import t, { type Test } from 'tap'
import { testApp } from '../support/app.js'
import { makeMarket, purchaseOf, tierOf } from '../support/market.js'
import { clientOf, sdk, type Json } from '../support/sdk.js'

async function listening (t: Test, product: object = {}) {
  const service = await testApp(t, { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' })
  const url = await service.app.listen({ port: 0, host: '127.0.0.1' })
  const market = await makeMarket(service, { product })
  const vendor = clientOf(url, market.vendor)
  const provider = clientOf(url, market.provider)
  const bought = await provider.fulfillment.createRequest(purchaseOf(market)) as Json
  return { ...service, url, market, vendor, provider, bought }
}

async function approved (t: Test, product: object = {}) {
  const made = await listening(t, product)
  await made.vendor.fulfillment.updateRequestParameters(made.bought['id'], [{ id: 'license_key', value: 'KEY-1' }])
  const request = await made.vendor.fulfillment.approveRequest(made.bought['id'], {})
  return { ...made, asset: request.asset as Json }
}

// Guarantee: each method of Directory.
t.test('Directory', async (t) => {
  const { vendor, provider, market, asset } = await approved(t, { capabilities: { tiers: { updates: true } } })
  for (const { directory } of [vendor, provider]) {
    t.strictSame((await directory.searchAssets({ status: 'active' })).map(({ id }: Json) => id), [asset['id']])
    t.strictSame((await directory.getAssetsByProductIdExternalId(market.product_id, asset['external_id'])).map(({ id }: Json) => id), [asset['id']])
    t.strictSame(await directory.getAssetsByProductIdExternalId(market.product_id, 'other'), [])
    t.strictSame(await directory.searchTierConfigurations(), [])
    t.equal((await directory.searchTierAccounts({ type: 'customer' }))[0].id, asset['tiers'].customer.id)
  }
  const { id } = asset['tiers'].customer
  const account = await vendor.directory.getTierAccount(id)
  t.strictSame([account.name, account.version, account.contact_info.contact.email], ['Analytical Engines', 1, 'ada@example.com'])

  const change = (name: string): Promise<Json> => provider.directory.createTierAccountRequest({ type: 'update', account: { ...account, name } })
  const first = await change('Analytical Engines Ltd')
  t.strictSame([first['type'], first['status'], first['account'].name], ['update', 'pending', 'Analytical Engines Ltd'])
  t.strictSame((await vendor.directory.searchTierAccountRequests({ status: 'pending' })).map((tar: Json) => tar['id']), [first['id']])
  t.equal((await vendor.directory.getTierAccountRequest(first['id'])).id, first['id'])
  t.equal((await vendor.directory.acceptTierAccountRequest(first['id'])).status, 'accepted')
  const second = await change('Engines')
  const ignored = await vendor.directory.ignoreTierAccountRequest(second['id'], 'not here')
  t.strictSame([ignored.status, ignored.reason], ['ignored', 'not here'])
  t.equal((await vendor.directory.getTierAccountVersion(id, 1)).name, 'Analytical Engines', 'the first version stays readable')
  t.equal((await vendor.directory.getTierAccountVersion(id, 2)).name, 'Analytical Engines Ltd')
  const unchanged = await change('Engines').then(() => undefined, (error: Json) => error)
  t.strictSame([unchanged?.['status'], unchanged?.['errorCode']], [400, 'TAR_004'])
  const late = await vendor.directory.acceptTierAccountRequest(first['id']).then(() => undefined, (error: Json) => error)
  t.strictSame([late?.['status'], late?.['errorCode']], [400, 'TAR_003'])
})

// Guarantee: each method of Inventory, for both sides.
t.test('Inventory', async (t) => {
  const { vendor, provider, market, asset } = await approved(t)
  const { product_id, byVendor } = market
  const action = await byVendor('POST', `/v1/products/${product_id}/actions`, { action: 'sso', name: 'SSO', title: 'Sign in', scope: 'asset', description: '', url: 'https://vendor.example.com/sso' })
  for (const { inventory, client } of [vendor, provider]) {
    const names = (params: Json[]): string[] => params.map(({ name }) => name as string).sort()
    t.strictSame(names(await inventory.getParametersByProduct(product_id)), ['admin_email', 'license_key'])
    t.strictSame(names(await inventory.getAssetParametersForFulfillmentByProduct(product_id)), ['license_key'])
    t.strictSame(names(await inventory.searchProductParameters(product_id, { phase: 'ordering' })), ['admin_email'])
    const templates = await inventory.getProductTemplates(product_id)
    t.ok(templates.length >= 1)
    t.equal((await inventory.getProductAssetTemplates(product_id)).length, templates.length)
    const { link } = await inventory.getProductActionLink(product_id, action.id, asset['id'])
    t.ok(link.startsWith('https://vendor.example.com/sso?'), link)
    const products = client['products']
    t.equal((await products.search({ id: product_id })).length, 1)
    t.equal((await products.get(product_id)).name, 'Front Street Pro')
    t.strictSame((await products.getItems(product_id)).map(({ id }: Json) => id), [market.item_id])
    t.equal((await products.getParameters(product_id)).length, 2)
    t.ok((await products.getTemplates(product_id)).length >= 1)
    t.strictSame((await products.getConnections(product_id)).map(({ id }: Json) => id).sort(), [market.connection_id, market.test_connection_id].sort())
    t.strictSame((await products.actions(product_id).search()).map(({ id }: Json) => id), [action.id])
    t.equal((await products.actions(product_id).get(action.id)).action, 'sso')
    t.ok((await products.versions(product_id).search()).length >= 1)
    t.equal((await products.versions(product_id).get(1)).id, product_id)
    t.type((await products.versions(product_id).actions(1).search()).length, 'number')
    t.strictSame(await products.configurations(product_id).search(), [])
    t.equal((await products.parameters(product_id).get(market.parameters['license_key'])).name, 'license_key')
    t.equal((await products.connections(product_id).get(market.connection_id)).type, 'production')
  }
})

// Guarantee: each method of Subscriptions.
t.test('Subscriptions', async (t) => {
  const { vendor, provider, asset } = await approved(t)
  for (const { subscriptions } of [vendor, provider]) {
    const [recurring] = await subscriptions.searchRecurringAssets({ id: asset['id'] })
    t.equal(recurring.id, asset['id'])
    t.equal((await subscriptions.getRecurringAsset(asset['id'])).items[0].quantity, 1, 'a number here')
  }
  const made = await provider.subscriptions.createBillingRequest({
    type: 'provider', asset: { id: asset['id'] }, period: { from: '2026-01-01T00:00:00+00:00', to: '2026-02-01T00:00:00+00:00', delta: 1, uom: 'monthly' },
  })
  t.strictSame([made.type, made.asset.id, made.period.uom], ['provider', asset['id'], 'monthly'])
  t.notMatch(JSON.stringify(made), 'KEY-1', 'a secret is no part of a bill')
  t.equal((await vendor.subscriptions.getBillingRequest(made.id)).id, made.id)
  t.strictSame((await vendor.subscriptions.searchBillingRequests({ 'asset.id': asset['id'] })).map(({ id }: Json) => id), [made.id])
  const attributes = await vendor.subscriptions.updateBillingRequestAttributes(made.id, { vendor: { external_id: '42' } })
  t.match(attributes, { vendor: { external_id: '42' } })
  t.match((await provider.subscriptions.getBillingRequest(made.id)).attributes, { vendor: { external_id: '42' } })
})

// Guarantee: accounts, hubs, tier accounts, conversations and webhooks through the client's resources.
t.test('resources', async (t) => {
  const { vendor, provider, market, bought } = await listening(t)
  const { client } = provider
  t.equal((await vendor.client.accounts.search())[0].id, market.vendor.account_id, 'the own account first')
  t.equal((await vendor.client.accounts.get(market.vendor.account_id)).type, 'vendor')
  t.equal((await vendor.client.accounts.users(market.vendor.account_id).search()).length, 1)
  t.strictSame((await client.hubs.search()).map(({ id }: Json) => id), [market.hub_id])
  t.equal((await client.hubs.get(market.hub_id)).name, 'Hub')

  const account = await client.tierAccounts.create({ type: 'reseller', ...tierOf('Reseller') })
  t.equal((await client.tierAccounts.update(account.id, { name: 'Reseller Ltd' })).version, 2)
  t.equal((await client.tierAccounts.versions(account.id).search()).length, 2)
  await client.tierAccounts.delete(account.id)

  const conversations = vendor.client['conversations']
  const [conversation] = await conversations.getConversationsByObjectId(bought['id'])
  t.equal(conversation.instance_id, bought['id'])
  const message = await conversations.createMessage(conversation.id, 'Which edition?')
  t.strictSame([message.text, message.type], ['Which edition?', 'message'])
  const messages = await conversations.messages(conversation.id).search()
  t.ok(messages.some(({ type }: Json) => type === 'state_change') && messages.some(({ id }: Json) => id === message.id))
  t.equal((await conversations.messages(conversation.id).update(message.id, { text: 'Which one?' })).text, 'Which one?')

  const webhook = await client.webhooks.create({
    label: 'ours', product_id: market.product_id, external_url: 'http://127.0.0.1:9/', object_class: 'fulfillment_request', jwt_secret: 'secret of ours', active: true, http_method: 'POST', data: {}, headers: {},
  })
  t.match(webhook.id, /^WH-\d{3}-\d{3}-\d{3}$/)
  t.equal((await client.webhooks.update(webhook.id, { active: false })).active, false, 'a part is enough')
  t.equal((await client.webhooks.search({ active: 'false' })).length, 1)
  await client.webhooks.delete(webhook.id)
  const gone = await client.webhooks.get(webhook.id).then(() => undefined, (error: Json) => error)
  t.ok(gone instanceof sdk['APIError'] && gone.status === 404)
})
