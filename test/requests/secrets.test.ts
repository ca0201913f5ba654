import { sql } from 'kysely'
import t from 'tap'
import { testApp } from '../support/app.js'
import { makeMarket, purchaseOf } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { callsOf } from '../support/vendor.js'

const SECRET = 'NEVER-TO-BE-SEEN-4711'

// Guarantee: a secret value, and a text that was given with an approval, stand in clear nowhere in the database, and in no answer but those of
// the request and its asset; lists can be neither filtered nor searched by them.
t.test('a secret parameter', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const { byVendor, byProvider } = market
  const { id, asset } = await byProvider('POST', '/v1/requests', purchaseOf(market))
  await byVendor('PUT', `/v1/requests/${id}/parameters/license_key`, { value: SECRET })
  await byVendor('POST', `/v1/requests/${id}/approve`, { activation_tile: `Your key: ${SECRET}` })
  const change = await byProvider('POST', '/v1/requests', { type: 'change', asset: { id: asset.id, items: [{ id: market.item_id, quantity: 9 }] } })
  for (const by of [byVendor, byProvider]) {
    t.equal((await by('GET', `/v1/requests/${id}`)).activation_key, `Your key: ${SECRET}`)
    for (const each of [id, change.id]) t.equal((await by('GET', `/v1/requests/${each}/parameters/${market.parameters['license_key']}`)).value, SECRET, 'a follow-up has it too')
  }
  const tables = await sql<{ name: string }>`select tablename as name from pg_tables where schemaname = 'public'`.execute(service.db)
  for (const { name } of tables.rows) {
    const { rows: [found] } = await sql<{ count: string }>`select count(*) from ${sql.table(name)} x where to_jsonb(x)::text like ${`%${SECRET}%`}
      or to_jsonb(x)::text like ${`%${Buffer.from(SECRET).toString('hex')}%`}`.execute(service.db)
    t.equal(found?.count, '0', name)
  }
  for (const url of ['/v1/events?limit=1000', `/v1/conversations/${id}/messages`, '/v1/orders', '/v1/products']) t.notMatch(JSON.stringify(await byVendor('GET', url)), SECRET, url)
  for (const query of [`asset.params.value=${SECRET}`, `search=${SECRET}`, `like(asset.params.value,*${SECRET.slice(4, 9)}*)`]) {
    t.same(await byVendor('GET', `/v1/requests?${query}`), [], query)
  }
  t.equal((await byVendor('GET', '/v1/requests?asset.params.value=admin@example.com')).length, 2, 'others can be')
})

// Guarantee: rendered texts are made when they are read: the template as it was approved, with the values.
t.test('a rendered text', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const { byVendor, byProvider, product_id } = market
  const template = await byVendor('POST', `/v1/products/${product_id}/templates`, { title: 'Key', name: 'key', body: 'For {{ admin_email }}: {{license_key}}{{ nobody }}', scope: 'asset', type: 'fulfillment' })
  const { id, asset } = await byProvider('POST', '/v1/requests', purchaseOf(market))
  await byVendor('PUT', `/v1/requests/${id}`, { asset: { params: [{ id: 'license_key', value: SECRET }] } })
  await byVendor('POST', `/v1/requests/${id}/approve`, { template_id: template.id })
  await byVendor('PUT', `/v1/products/${product_id}/templates/${template.id}`, { body: 'something else' })
  const text = `For admin@example.com: ${SECRET}`
  t.match(await byProvider('GET', `/v1/requests/${id}`), { activation_key: text, template: { id: template.id, message: text } })
  const rendered = await callsOf(service.app, market.provider)('GET', `/v1/requests/${id}/render`, undefined, { 'connect-localization': 'de-DE' })
  t.equal(rendered.body, text)
  t.match(rendered.headers, { 'content-type': /^text\/markdown/, 'connect-localization': 'de-DE' })
  t.equal((await callsOf(service.app, market.vendor)('GET', `/v1/assets/${asset.id}/render`)).body, text)
})

// Guarantee: what select hides is not sent, and nothing else is hidden by it.
t.test('select', async (t) => {
  const market = await makeMarket(await testApp(t))
  await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  const [hidden] = await market.byVendor('GET', '/v1/requests?select(-asset.items,-params,-activation_key,-template,-asset.configuration)') as unknown as Json[]
  t.notOk('activation_key' in hidden! || 'template' in hidden! || 'items' in hidden!.asset || 'params' in hidden!.asset || 'configuration' in hidden!.asset)
  t.ok('tiers' in hidden!.asset)
  const [shown] = await market.byVendor('GET', '/v1/requests?select(asset.product.capabilities)') as unknown as Json[]
  t.match(shown!.asset, { product: { capabilities: { subscription: { hold: true } } }, items: [{}] })
})

// Guarantee: a vendor that asks for nothing in particular is answered what is pending, the oldest first; a provider, or a setting, everything.
t.test('the default of the list', async (t) => {
  for (const [setting, ofVendor] of [['on', 1], ['off', 2]] as const) {
    const market = await makeMarket(await testApp(t, { REQUESTS_DEFAULT_PENDING: setting }))
    await market.byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { params: [] } }))
    await market.byProvider('POST', '/v1/requests', purchaseOf(market))
    t.equal((await market.byVendor('GET', '/v1/requests?limit=10&ordering(-created)')).length, ofVendor)
    t.equal((await market.byVendor('GET', '/v1/requests?status=pending,inquiring')).length, 2)
    t.equal((await market.byProvider('GET', '/v1/requests')).length, 2)
  }
})

// Guarantee: whoever has the code of an inquiry form reads what is asked and answers it, without an API key; nobody else does, and the code
// ends with the inquiry.
t.test('the inquiry form', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const { id, params_form_url } = await market.byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { params: [] } }))
  const { pathname, search, searchParams } = new URL(params_form_url)
  const form = await service.app.inject({ method: 'GET', url: pathname + search })
  t.match(form.json(), { id, status: 'inquiring', product: { id: market.product_id }, params: [{ id: 'admin_email', value: '' }] })
  t.equal(form.json().params.length, 1, 'only what the buyer gives')
  const code = searchParams.get('code')!
  const answer = (given: string, body: object = {}) => service.app.inject({ method: 'POST', url: `/v1/requests/${id}/pend?code=${given}`, payload: body })
  for (const wrong of ['x', code.slice(1), `${code}x`]) {
    t.equal((await answer(wrong)).statusCode, 404)
    t.equal((await service.app.inject({ method: 'GET', url: `${pathname}?code=${wrong}` })).statusCode, 404)
  }
  t.equal((await service.app.inject({ method: 'POST', url: `/v1/requests/${id}/pend` })).statusCode, 401)
  t.equal((await answer(code, { params: [{ id: 'admin_email', value: 'not one' }] })).statusCode, 400)
  t.equal((await answer(code, { params: [{ id: 'license_key', value: 'MINE' }] })).statusCode, 400, 'the vendor\'s values are not the buyer\'s')
  const both = await Promise.all([1, 2].map(() => answer(code, { asset: { params: [{ id: 'admin_email', value: 'buyer@example.com' }] } })))
  t.same(both.map(({ statusCode }) => statusCode).sort(), [204, 404])
  t.match(await market.byProvider('GET', `/v1/requests/${id}`), { status: 'pending', answered: true, asset: { params: [{ value: 'buyer@example.com' }] } })
  t.equal((await answer(code)).statusCode, 404)
})
