import t from 'tap'
import { assertInvariants } from '../support/invariants.js'
import { purchaseOf } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { callsOf, keys, load, stockOf } from '../support/vendor.js'
import { boundMarket, keyOf, withWorker } from './bound.js'

const items = (item_id: string, quantity: number | string): object => ({ items: [{ id: item_id, quantity }] })

// Guarantee: a purchase is filled and approved by itself while there is stock, with one license per unit, through an order like any other.
t.test('a purchase from a stocked pool', async (t) => {
  const { service, market, pool_id } = await boundMarket(t, keys(5))
  const { byProvider, byVendor } = market
  const request = await byProvider('POST', '/v1/requests', purchaseOf(market, { asset: items(market.item_id, 2) }))
  t.match(request, { status: 'approved', fulfillment_status: 'fulfilled', asset: { status: 'active' } })
  t.same(keyOf(request).split('\n').sort(), keys(5).slice(0, 2))
  t.notOk('order_id' in request, 'the order is the vendor\'s')
  const seen = await byVendor('GET', `/v1/requests/${request.id}`)
  t.match(seen, { assignee: '', order_id: /^OR-/ })
  t.match(await byVendor('GET', `/v1/orders/${seen.order_id}`), { source_id: 'requests', external_id: request.id, mode: 'live', status: 'paid', fulfillment_status: 'fulfilled' })
  t.same(await byVendor('GET', '/v1/deliveries'), [], 'the product does not mail')
  t.match(await stockOf(callsOf(service.app, market.vendor), pool_id), { available: 3, allocated: 2 })

  const cancel = await byProvider('POST', '/v1/requests', { type: 'cancel', asset: { id: request.asset.id } })
  await byVendor('POST', `/v1/requests/${cancel.id}/approve`)
  t.match(await stockOf(callsOf(service.app, market.vendor), pool_id), { available: 3, allocated: 0, revoked: 2 }, 'cancelled: what was seen is revoked')
  await assertInvariants(t, service.db)
})

// Guarantee: without stock it stays pending and says so, and completes by itself when stock arrives; racing for the last license, one gets it.
t.test('an empty pool, and two that race for the last license', async (t) => {
  const { service, market, pool_id } = await boundMarket(t, keys(1))
  const call = callsOf(service.app, market.vendor)
  const made = await Promise.all([1, 2].map(() => market.byProvider('POST', '/v1/requests', purchaseOf(market))))
  t.same(made.map(({ status }) => status).sort(), ['approved', 'pending'])
  const waiting = made.find(({ status }) => status === 'pending')!
  t.match(await market.byVendor('GET', `/v1/requests/${waiting.id}`), { pool_note: `waiting for stock of pool ${pool_id}`, fulfillment_status: 'backordered' })
  t.notOk('pool_note' in waiting, 'pools are the vendor\'s')
  const said = await market.byProvider('GET', `/v1/conversations/${waiting.id}/messages`)
  t.ok(said.some(({ text }: Json) => /not enough stock/.test(text)))
  withWorker(t, service)
  await load(call, pool_id, ['LATE-KEY-0001'])
  const done = await until('the approval', async () => {
    const request = await market.byProvider('GET', `/v1/requests/${waiting.id}`)
    return request.status === 'approved' && request
  })
  t.equal(keyOf(done), 'LATE-KEY-0001')
  t.notOk('pool_note' in await market.byVendor('GET', `/v1/requests/${waiting.id}`))
  await assertInvariants(t, service.db)
})

// Guarantee: a vendor may write the key by hand and approve while it waits: the order is cancelled and takes nothing of the stock to come.
t.test('approved by hand while it waits', async (t) => {
  const { service, market, pool_id } = await boundMarket(t, [])
  const { id } = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  await market.byVendor('PUT', `/v1/requests/${id}`, { asset: { params: [{ id: 'license_key', value: 'BY-HAND' }] } })
  const done = await market.byVendor('POST', `/v1/requests/${id}/approve`)
  t.equal(keyOf(done), 'BY-HAND')
  t.match(await market.byVendor('GET', `/v1/orders/${done.order_id}`), { status: 'cancelled' })
  await load(callsOf(service.app, market.vendor), pool_id, keys(1))
  t.match(await stockOf(callsOf(service.app, market.vendor), pool_id), { available: 1, allocated: 0, backordered: 0 })
  await assertInvariants(t, service.db)
})

// Guarantee: a failed request gives back what it waited for or was filled with and nobody saw.
t.test('failed while it waits, and after it was filled', async (t) => {
  const { service, market, pool_id } = await boundMarket(t, keys(1))
  await market.byVendor('POST', `/v1/products/${market.product_id}/parameters`, {
    name: 'login', title: 'Login', type: 'text', scope: 'asset', phase: 'fulfillment', constraints: { required: true },
  })
  const filled = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  t.match(await market.byVendor('GET', `/v1/requests/${filled.id}`), { status: 'pending', pool_note: /values of login$/, fulfillment_status: 'fulfilled' })
  t.equal(keyOf(await market.byProvider('GET', `/v1/requests/${filled.id}`)), '', 'nobody sees the key before the approval')
  const short = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  const call = callsOf(service.app, market.vendor)
  t.match(await stockOf(call, pool_id), { available: 0, allocated: 1, backordered: 1 })
  for (const { id } of [short, filled]) await market.byVendor('POST', `/v1/requests/${id}/fail`, { reason: 'no' })
  t.match(await stockOf(call, pool_id), { available: 1, allocated: 0, revoked: 0, backordered: 0 })
  const third = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  await market.byVendor('PUT', `/v1/requests/${third.id}/parameters/login`, { value: 'ada' })
  t.equal(keyOf(await market.byVendor('POST', `/v1/requests/${third.id}/approve`)), keys(1)[0], 'the vendor gives the rest and approves')
  await assertInvariants(t, service.db)
})

// Guarantee: test connections take from the pool for tests; what the pool cannot give is left to the vendor, who is told why.
t.test('what is not filled', async (t) => {
  const { service, market, pool_id, test_pool_id } = await boundMarket(t, keys(3))
  const purchase = async (other: object): Promise<Json> => {
    const { id } = await market.byProvider('POST', '/v1/requests', purchaseOf(market, { asset: other }))
    return market.byVendor('GET', `/v1/requests/${id}`)
  }
  t.match(await purchase({ connection: { id: market.test_connection_id } }), { status: 'pending', pool_note: `waiting for stock of pool ${test_pool_id}` })
  t.match(await purchase(items(market.item_id, 'unlimited')), { status: 'pending', pool_note: /unlimited/ })
  t.match(await purchase(items(market.item_id, 10_001)), { status: 'pending', pool_note: /above 10000/ })
  t.match(await stockOf(callsOf(service.app, market.vendor), pool_id), { available: 3 })
  await assertInvariants(t, service.db)
})

// Guarantee: a pool whose rule is one license per line gives one, however many units; the customer is mailed if the product says so.
t.test('one license per line, and a mail', async (t) => {
  const { service, market } = await boundMarket(t, keys(1), { pool: { quantity_rule: 'line' }, product: { mail_on_request: true } })
  const request = await market.byProvider('POST', '/v1/requests', purchaseOf(market, { asset: items(market.item_id, 'unlimited') }))
  t.equal(keyOf(request), keys(1)[0])
  t.match(await market.byVendor('GET', '/v1/deliveries'), [{ to: 'ada@example.com', status: 'planned' }])
  await assertInvariants(t, service.db)
})
