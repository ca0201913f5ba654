// Connect's official client, unmodified, against the service over a real connection: every method of its class Fulfillment.
import t, { type Test } from 'tap'
import { testApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { makeMarket, purchaseOf, tierOf, type MarketOptions } from '../support/market.js'
import { clientOf, sdk, type Json } from '../support/sdk.js'

async function listening (t: Test, options: MarketOptions = {}) {
  const service = await testApp(t)
  const url = await service.app.listen({ port: 0, host: '127.0.0.1' })
  const market = await makeMarket(service, options)
  return { ...service, url, market, vendor: clientOf(url, market.vendor), provider: clientOf(url, market.provider) }
}

const paramOf = (request: Json, id: string): Json => request['asset'].params.find((param: Json) => param['id'] === id)

// Guarantee: a vendor's usual day works with the client as Connect documents it.
t.test('search, write the license parameter, approve', async (t) => {
  const { vendor, provider, market } = await listening(t)
  const made = await provider.fulfillment.createRequest(purchaseOf(market))
  t.equal(made.status, 'pending')
  t.match(made.id, /^PR-\d{4}-\d{4}-\d{4}-001$/)
  t.match(made.asset.id, /^AS-\d{4}-\d{4}-\d{4}$/)
  t.equal(made.id.slice(3, 17), made.asset.id.slice(3), 'a request has the digits of its asset')
  t.match(made.template.id, /^TL-/, 'a pending request names its template')
  t.strictSame([made.assignee, made.activation_key, made.note, made.reason, made.answered], ['', '', '', '', false])
  t.strictSame(made.asset.items.map(({ quantity, old_quantity }: Json) => [quantity, old_quantity]), [['1', '0']], 'quantities are texts')

  const found = await vendor.fulfillment.searchRequests({ status: 'pending', 'asset.product.id': market.product_id, limit: 100, offset: 0 })
  t.strictSame(found.map(({ id }: Json) => id), [made.id])
  const written = await vendor.fulfillment.updateRequestParameters(made.id, [{ id: 'license_key', value: 'ABCD-EFGH-IJKL' }], 'written by hand')
  t.strictSame([paramOf(written, 'license_key')['value'], written.note], ['ABCD-EFGH-IJKL', 'written by hand'])
  const approved = await vendor.fulfillment.approveRequestWithTemplate(made.id, found[0].template.id)
  t.strictSame([approved.status, approved.asset.status, approved.template.id], ['approved', 'active', made.template.id])
  t.ok(approved.effective_date)

  const read = await provider.fulfillment.getRequest(made.id)
  t.strictSame([read.status, paramOf(read, 'license_key')['value']], ['approved', 'ABCD-EFGH-IJKL'], 'the provider reads the key')
})

// Guarantee: each remaining method answers as the client expects.
t.test('the other moves of a request', async (t) => {
  const { vendor, provider, market, db } = await listening(t)
  const buy = async (): Promise<Json> => provider.fulfillment.createRequest(purchaseOf(market))
  const { byVendor } = market
  const inquire = (await byVendor('GET', `/v1/products/${market.product_id}/templates?type=inquire`))[0]

  const first = await buy()
  const asked = await vendor.fulfillment.inquireRequestWithTemplate(first['id'], inquire.id, [{ id: 'admin_email', value_error: 'not yours' }], 'please correct')
  t.strictSame([asked.status, paramOf(asked, 'admin_email')['value_error'], asked.note], ['inquiring', 'not yours', 'please correct'])
  t.match(asked.params_form_url, /code=.+request_id=PR-|request_id=PR-.+code=/)
  const pended = await vendor.fulfillment.pendingRequest(first['id'])
  t.equal(pended.status, 'pending')
  t.notOk(pended.params_form_url)
  const again = await vendor.fulfillment.inquireRequest(first['id'], {}, [])
  t.equal(again.status, 'inquiring', 'with no parameter and no template')
  t.equal((await vendor.fulfillment.failRequest(first['id'])).status, 'failed', 'without a reason')

  const second = await buy()
  const failed = await vendor.fulfillment.failRequest(second['id'], 'no such customer')
  t.strictSame([failed.status, failed.reason, failed.asset.status], ['failed', 'no such customer', 'terminated'])

  const third = await buy()
  const updated = await vendor.fulfillment.updateRequest(third['id'], { ...third, asset: { ...third['asset'], params: [{ id: 'license_key', value: 'K' }] } })
  t.equal(paramOf(updated, 'license_key')['value'], 'K', 'a whole object posted back')
  const tiled = await vendor.fulfillment.approveRequest(third['id'], { activation_tile: 'Your key is K' })
  t.strictSame([tiled.status, tiled.activation_key], ['approved', 'Your key is K'])
  t.equal((await provider.fulfillment.searchRequests()).length, 3, 'a provider searches without a filter and gets all')
  t.strictSame(await vendor.fulfillment.searchRequests(), [], 'a vendor gets what is pending')
  await assertInvariants(t, db)
})

// Guarantee: getConnectionIdByProductAndHub finds the one connection, and says null of none and of several.
t.test('getConnectionIdByProductAndHub', async (t) => {
  const { vendor, market, byVendor } = await listening(t).then(({ market, ...rest }) => ({ ...rest, market, byVendor: market.byVendor }))
  const find = (): Promise<string | null> => vendor.fulfillment.getConnectionIdByProductAndHub(market.product_id, market.hub_id)
  t.equal(await find(), null, 'production and test')
  await byVendor('DELETE', `/v1/products/${market.product_id}/connections/${market.test_connection_id}`)
  t.equal(await find(), market.connection_id)
  t.equal(await vendor.fulfillment.getConnectionIdByProductAndHub(market.product_id, 'HB-0000-0000'), null)
})

/** The product asks resellers for a parameter of their own, so a first purchase waits for their set-up. */
async function withTiers (t: Test) {
  const made = await listening(t, { product: { capabilities: { tiers: { configs: { level: 1 } } } } })
  const { product_id, byVendor } = made.market
  await byVendor('POST', `/v1/products/${product_id}/parameters`, { name: 'partner_id', title: 'Partner', type: 'text', scope: 'tier1', phase: 'fulfillment', constraints: { required: true } })
  const template = await byVendor('POST', `/v1/products/${product_id}/templates`, { title: 'Set up', body: 'Partner {{ partner_id }}', scope: 'tier1', type: 'fulfillment' })
  return { ...made, template_id: template.id as string }
}

// Guarantee: every method about tier configuration requests.
t.test('tier configuration requests', async (t) => {
  const { vendor, provider, market, template_id } = await withTiers(t)
  const tier1 = tierOf('Reseller One')
  const buy = (): Promise<Json> => provider.fulfillment.createRequest(purchaseOf(market, { asset: { tiers: { customer: tierOf('Customer'), tier1 } } }))
  const waiting = await buy()
  t.equal(waiting['status'], 'tiers_setup')
  const [found] = await vendor.fulfillment.searchTierConfigRequests({ status: 'pending', 'configuration.product.id': market.product_id })
  t.strictSame([found.type, found.configuration.tier_level, found.configuration.account.external_uid], ['setup', 1, tier1['external_uid']])
  t.equal((await vendor.fulfillment.getTierConfigRequest(found.id)).id, found.id)
  t.equal((await vendor.fulfillment.updateTierConfigRequest(found.id, {})).status, 'pending', 'an empty change')

  const params = (request: Json): Json => request['params'].find(({ id }: Json) => id === 'partner_id')
  await vendor.fulfillment.inquireTierConfigRequest(found.id, [{ id: 'partner_id', value_error: 'who?' }], 'please')
  t.equal((await vendor.fulfillment.getTierConfigRequest(found.id)).status, 'inquiring')
  await vendor.fulfillment.pendingTierConfigRequest(found.id)
  const written = await vendor.fulfillment.updateTierConfigRequestParameters(found.id, [{ id: 'partner_id', value: 'P-1', value_error: '' }], 'known')
  t.strictSame([params(written)['value'], written.notes], ['P-1', 'known'])
  const approved = await vendor.fulfillment.approveTierConfigRequestWithTemplate(found.id, template_id)
  t.strictSame([approved.template.id, approved.template.representation], [template_id, 'Partner P-1'])
  t.equal((await provider.fulfillment.getRequest(waiting['id'])).status, 'pending', 'the purchase goes on')

  const [config] = await vendor.directory.searchTierConfigurations({ 'product.id': market.product_id })
  t.strictSame([config.status, config.tier_level], ['active', 1])
  const update = await provider.fulfillment.createUpdateTierConfigRequest(config.id, [{ id: 'partner_id', value: 'P-2' }])
  t.equal(update.type, 'update')
  await vendor.fulfillment.failTierConfigRequest(update.id, 'no')
  t.strictSame([(await vendor.fulfillment.getTierConfigRequest(update.id)).status, (await vendor.fulfillment.getTierConfigRequest(update.id)).reason], ['failed', 'no'])

  const direct = await provider.fulfillment.createTierConfigRequest({
    type: 'setup',
    configuration: { product: { id: market.product_id }, account: { id: (await provider.client.tierAccounts.create({ type: 'reseller', ...tierOf('Other') })).id }, tier_level: 1, connection: { id: market.connection_id } },
    params: [{ id: 'partner_id', value: 'P-3' }],
  })
  t.strictSame([direct.type, direct.status], ['setup', 'pending'])
  t.equal((await vendor.fulfillment.approveTierConfigRequest(direct.id, { template: { id: template_id } })).template.representation, 'Partner P-3')
})

const rejection = async (promise: Promise<unknown>): Promise<Json> => promise.then(() => { throw new Error('it was answered') }, (error: Json) => error)

// Guarantee: every refusal reaches the client as its APIError, with code and sentences; an inexact Content-Type would make
// a bare HttpError of it.
t.test('each class of refusal', async (t) => {
  const { vendor, provider, url, market } = await listening(t)
  const nobody = clientOf(url, { authorization: 'ApiKey SU-000-000-000:none' })
  const made = await provider.fulfillment.createRequest(purchaseOf(market))
  const refusals: Array<[name: string, status: number, call: () => Promise<unknown>]> = [
    ['no key', 401, () => nobody.fulfillment.searchRequests()],
    ['not permitted', 403, () => provider.fulfillment.approveRequest(made.id, {})],
    ['no such request', 404, () => vendor.fulfillment.getRequest('PR-0000-0000-0000-000')],
    ['no such URL', 404, () => vendor.client.requests.get('PR-1/nowhere')],
    ['a required value is missing', 400, () => vendor.fulfillment.approveRequest(made.id, {})],
    ['an unknown parameter', 400, () => vendor.fulfillment.updateRequestParameters(made.id, [{ id: 'nothing', value: 'x' }])],
    ['a wrong filter', 400, () => vendor.fulfillment.searchRequests({ nothing: 'x' })],
    ['a duplicate purchase', 409, () => provider.fulfillment.createRequest(purchaseOf(market, { asset: { external_uid: made.asset.external_uid } }))],
  ]
  for (const [name, status, call] of refusals) {
    const error = await rejection(call())
    t.ok(error instanceof sdk['APIError'], `${name}: an APIError`)
    t.equal(error['status'], status, name)
    t.type(error['errorCode'], 'string')
    t.ok(error['errors'].length >= 1 && error['errors'].every((text: unknown) => typeof text === 'string'), `${name}: ${String(error['errors'])}`)
  }
  const missing = await rejection(vendor.fulfillment.approveRequest(made.id, {}))
  t.match(missing['errors'].join(), 'license_key', 'it names the parameter')
  const twice = await rejection(provider.fulfillment.createRequest(purchaseOf(market, { asset: { external_uid: made.asset.external_uid } })))
  t.match(twice['json'].params, { request_id: made.id, request_status: 'pending', asset_id: made.asset.id, asset_status: 'processing' })
  await vendor.fulfillment.failRequest(made.id, 'no')
  const late = await rejection(vendor.fulfillment.approveRequest(made.id, {}))
  t.strictSame([late['status'], /failed/.test(late['errors'].join())], [400, true], 'it names the state')
})
