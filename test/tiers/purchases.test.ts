import t from 'tap'
import { testApp } from '../support/app.js'
import { makeMarket, purchaseOf, tierOf } from '../support/market.js'
import type { Json } from '../support/sdk.js'

const LEVEL_1 = { tiers: { configs: { level: 1 } } }

// Guarantee: a purchase through a reseller that is not set up waits, goes on when the set-up is approved, and fails when it fails; later
// purchases through a reseller that is set up do not wait.
t.test('purchases wait for the set-up of their reseller', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service, { product: { capabilities: LEVEL_1 } })
  const { byVendor, byProvider, product_id } = market
  await byVendor('POST', `/v1/products/${product_id}/parameters`, { name: 'partner_id', title: 'Partner', type: 'text', scope: 'tier1', phase: 'fulfillment', constraints: { required: true } })
  await byVendor('POST', `/v1/products/${product_id}/templates`, { title: 'Set up', body: 'Partner {{ partner_id }}', scope: 'tier1', type: 'fulfillment' })
  await byVendor('POST', '/v1/notifications/webhooks', {
    label: 'set-ups', product_id, object_class: 'tier_config_request', type: 'change', external_url: 'https://hooks.example.com/', active: true,
  })
  const buy = (tier1: object): Promise<Json> => byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { tiers: { customer: tierOf('Customer'), tier1 } } }))
  const open = async (): Promise<Json[]> => await byVendor('GET', '/v1/tier/config-requests?in(status,(pending,inquiring))') as Json[]
  const statusOf = async ({ id }: Json): Promise<string> => (await byProvider('GET', `/v1/requests/${id}`))['status']

  const reseller = tierOf('Reseller')
  const [first, second] = [await buy(reseller), await buy(reseller)]
  t.strictSame([first['status'], second['status']], ['tiers_setup', 'tiers_setup'])
  const [asked, ...others] = await open()
  t.match(asked, { type: 'setup', configuration: { tier_level: 1, account: { external_uid: reseller['external_uid'] }, marketplace: { id: market.marketplace_id }, contract: { id: market.contract_id } } })
  t.strictSame(others, [], 'both wait for the same')
  await byVendor('PUT', `/v1/tier/config-requests/${asked?.['id']}`, { params: [{ id: 'partner_id', value: 'P-1' }] })
  await byVendor('POST', `/v1/tier/config-requests/${asked?.['id']}/approve`)
  t.strictSame([await statusOf(first), await statusOf(second)], ['pending', 'pending'])
  t.equal((await buy(reseller))['status'], 'pending', 'one that is set up is not asked again')

  const unknown = await buy(tierOf('Unknown'))
  const [refused] = await open()
  await byVendor('POST', `/v1/tier/config-requests/${refused?.['id']}/fail`, { reason: 'unknown' })
  const failed = await byProvider('GET', `/v1/requests/${unknown['id']}`)
  t.match(failed, { status: 'failed', reason: new RegExp(`^${refused?.['id']}`), asset: { status: 'terminated' } })
  const told = await service.db.selectFrom('webhook_messages').select(['event', 'data']).orderBy('id').execute()
  t.match(told, ['pending', 'approved', 'pending', 'failed'].map((status) => ({ event: `tier_config_request.${status}`, data: { status, type: 'setup' } })))
  t.strictSame(Object.keys(told[0]?.data as object).sort(), ['id', 'status', 'tier_config_id', 'type'], 'ids and states only')
})
