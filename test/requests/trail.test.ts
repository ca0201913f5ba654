import t from 'tap'
import { testApp } from '../support/app.js'
import { makeMarket, purchaseOf, tierOf } from '../support/market.js'

const SECRET = 'SECRET-0001'

// Guarantee: the audit trail has every change of a request and of the set-up of a reseller, by whom, and no value of a parameter.
t.test('every write is recorded', async (t) => {
  const { app, db } = await testApp(t)
  const market = await makeMarket({ app, db }, { product: { capabilities: { tiers: { configs: { level: 1 } } } } })
  const { byVendor, byProvider, product_id, connection_id, vendor, provider } = market
  const typesOf = async (subject_id: string): Promise<Array<[string, string | null]>> =>
    (await db.selectFrom('events').select(['type', 'actor']).where('subject_id', '=', subject_id) // those of one transaction have one time
      .orderBy('created_at').orderBy('type').execute()).map(({ type, actor }) => [type, actor])

  const draft = await byProvider('POST', '/v1/requests', purchaseOf(market, { status: 'draft' }))
  const url = `/v1/requests/${draft['id']}`
  await byProvider('PUT', url, { note: 'soon', asset: { items: [{ id: market.item_id, quantity: 2 }] } })
  await byProvider('PUT', url, { note: 'soon' })
  await byProvider('POST', `${url}/purchase`)
  await byVendor('PUT', url, { asset: { params: [{ id: 'license_key', value: SECRET }] } })
  await byVendor('POST', `${url}/approve`)
  const [p, v] = [provider.key_id, vendor.key_id]
  t.strictSame(await typesOf(String(draft['id'])), [
    ['request.draft', p], ['request.parameters_written', p], ['request.updated', p], ['request.pending', p], ['request.parameters_written', v], ['request.updated', v], ['request.approved', v],
  ])

  await byVendor('POST', `/v1/products/${product_id}/parameters`, { name: 'partner_key', scope: 'tier1', phase: 'fulfillment', secret: true })
  const account = await byProvider('POST', '/v1/tier/accounts', { ...tierOf('Reseller'), type: 'reseller' })
  const { id } = await byProvider('POST', '/v1/tier/config-requests', {
    configuration: { product: { id: product_id }, connection: { id: connection_id }, account: { id: account['id'] }, tier_level: 1 },
  })
  await byVendor('PUT', `/v1/tier/config-requests/${id}`, { notes: 'known', params: [{ id: 'partner_key', value: SECRET }] })
  await byVendor('POST', `/v1/tier/config-requests/${id}/approve`)
  t.strictSame(await typesOf(String(id)), [
    ['tier_config_request.created', p], ['tier_config_request.pending', p], ['tier_config_request.parameters_written', v], ['tier_config_request.updated', v], ['tier_config_request.approved', v],
  ])
  const all = JSON.stringify(await db.selectFrom('events').selectAll().execute())
  t.notMatch(all, SECRET)
  t.notMatch(all, 'admin@example.com')
})

// Guarantee: a purchase, an approval and a contract that are sent again under their key are answered alike and happen once.
t.test('Idempotency-Key of the second door', async (t) => {
  const { app, db } = await testApp(t)
  const market = await makeMarket({ app, db })
  const call = (caller: typeof market.vendor, url: string, key: string, payload: object) =>
    app.inject({ method: 'POST', url, headers: { authorization: caller.authorization, 'idempotency-key': key }, payload })
  const purchase = purchaseOf(market)
  const [first, again] = [await call(market.provider, '/v1/requests', 'a', purchase), await call(market.provider, '/v1/requests', 'a', purchase)]
  t.strictSame([first.statusCode, again.statusCode, again.json()], [201, 201, first.json()])
  t.equal((await call(market.provider, '/v1/requests', 'a', purchaseOf(market))).statusCode, 422)
  const url = `/v1/requests/${first.json().id}`
  await market.byVendor('PUT', url, { asset: { params: [{ id: 'license_key', value: SECRET }] } })
  t.strictSame([(await call(market.vendor, `${url}/approve`, 'b', {})).statusCode, (await call(market.vendor, `${url}/approve`, 'b', {})).statusCode], [200, 200])
  t.equal((await call(market.vendor, `${url}/approve`, 'c', {})).statusCode, 400, 'under another key it is a second approval')
  t.equal((await db.selectFrom('events').select('type').where('type', '=', 'request.approved').execute()).length, 1)
  t.equal((await db.selectFrom('assets').select('id').execute()).length, 1)
})

// Guarantee: every POST that makes or moves something at the second door takes the key; what is left needs none.
t.test('who takes an Idempotency-Key', async (t) => {
  const { app } = await testApp(t)
  const { paths } = (await app.inject('/openapi.json')).json()
  const without = Object.entries<Record<string, { operationId: string, parameters?: Array<{ name: string }> }>>(paths)
    .flatMap(([, { post }]) => post === undefined || post.parameters?.some(({ name }) => /^idempotency-key$/i.test(name)) === true ? [] : [post.operationId])
  t.strictSame(without.sort(), [
    'makeOrderPageLink', 'previewMail', // nothing changes
    'receivePayment', // the event has an id of its own
    'reconcilePaymentSource', 'replayPaymentEvent', // nothing changes; an event once
    'reportBounce', // the same report again is known
    'revealLicense', 'revealOnOrderPage', // seen once
    'sendInquiryForm', // of a browser: the second finds no form
    'setConfiguration', // puts a value: again is the same
    'simulateOrder', // nothing changes
  ])
})
