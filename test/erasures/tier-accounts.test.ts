import t from 'tap'
import { testApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { askOf, makeMarket, purchaseOf, tierOf } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { callsOf, makePool } from '../support/vendor.js'
import { erase, mentions } from './support.js'

const NAME = 'Wilhelmina Quux'
const personOf = (tier: Json): Json => {
  tier['contact_info'].contact = { ...tier['contact_info'].contact, first_name: 'Wilhelmina', last_name: 'Quux', email: 'Quux@example.com' }
  return tier
}

// Guarantee: a provider erases its own tier account, in every version, and what was said of its purchases at their vendors; assets, requests and licenses stay.
// Not while an asset lives, unless forced. A vendor cannot.
t.test('a provider erases a customer', async (t) => {
  const service = await testApp(t)
  const { app, db, vendor } = service
  const pool_id = await makePool(callsOf(app, vendor), {}, ['TIER-KEY-00000001', 'TIER-KEY-00000002'])
  const market = await makeMarket(service, { vendor, license_key: { pool_id } })
  const { byProvider, byVendor, provider } = market
  const [asProvider, asVendor] = [callsOf(app, provider), callsOf(app, vendor)]
  const other = await byProvider('POST', '/v1/requests', purchaseOf(market))
  const bought = await byProvider('POST', '/v1/requests', purchaseOf(market, {
    note: `for ${NAME}`, asset: { params: [{ id: 'admin_email', value: 'quux@example.com' }], tiers: { customer: personOf(tierOf(`${NAME} Ltd`)) } },
  }))
  t.match(bought, { status: 'approved' })
  for (const [ask, text] of [[byProvider, `${NAME} waits`], [byVendor, `call ${NAME}`]] as const) await ask('POST', `/v1/conversations/${bought.id}/messages`, { text })
  const { id } = bought['asset'].tiers.customer
  await byProvider('PUT', `/v1/tier/accounts/${id}`, { name: `${NAME} and Sons` })
  t.not((await mentions(service, 'quux')).length, 0)

  t.equal((await asVendor('POST', '/v1/erasures', { tier_account_id: id })).statusCode, 404, 'a vendor cannot')
  const refused = await asProvider('POST', '/v1/erasures', { email: 'quux@example.com' })
  t.match(refused.json(), { status: 409, params: { ids: [bought['asset'].id] } }, 'while it has an asset')
  const cancelled = await byProvider('POST', '/v1/requests', { type: 'cancel', asset: { id: bought['asset'].id } })
  await byVendor('POST', `/v1/requests/${cancelled.id}/approve`, {})
  t.match(await erase(service, asProvider, { email: 'QUUX@example.com' }), { kind: 'tier_account', status: 'done', tier_accounts: 1, purchases: 1, orders: 1, kept: 0 })

  t.strictSame(await mentions(service, 'quux'), [])
  for (const ask of [byProvider, byVendor]) {
    t.match(await ask('GET', `/v1/requests/${bought.id}`), { status: 'approved', note: '', asset: { tiers: { customer: { id, name: 'erased' } } } })
  }
  const { params } = (await byVendor('GET', `/v1/requests/${bought.id}`))['asset']
  t.match(params.find((param: Json) => param['name'] === 'license_key' || param.id === 'license_key'), { value: /^TIER-KEY-/ }, 'the license is still there')
  t.equal((await byProvider('GET', `/v1/tier/accounts/${id}/versions`) as unknown as Json[]).length, 2)
  t.match(await byProvider('GET', `/v1/requests/${other.id}`), { asset: { tiers: { customer: { name: 'Analytical Engines' } } } }, 'another customer is as it was')
  await assertInvariants(t, db)
})

// Guarantee: a provider erases nothing of another's, and its erasures are its own.
t.test('another provider', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const { asset } = await market.byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { tiers: { customer: personOf(tierOf(NAME)) } } }))
  const stranger = await makeMarket(service)
  const call = callsOf(service.app, stranger.provider)
  t.equal((await call('POST', '/v1/erasures', { tier_account_id: asset.tiers.customer.id, force: true })).statusCode, 404)
  t.match(await erase(service, call, { email: 'quux@example.com', force: true }), { status: 'done', tier_accounts: 0, purchases: 0 })
  t.match(await askOf(callsOf(service.app, market.provider))('GET', `/v1/tier/accounts/${asset.tiers.customer.id as string}`), { name: NAME })
})
