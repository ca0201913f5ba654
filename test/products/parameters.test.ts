import { sql } from 'kysely'
import t from 'tap'
import { newId } from '../../src/ids.js'
import { testApp, testAccount } from '../support/app.js'
import { askOf, makeMarket } from '../support/market.js'
import { until } from '../support/until.js'
import { callsOf, makePool } from '../support/vendor.js'

// Guarantee: a parameter is answered whole, however little was given, and what is posted back whole changes nothing.
t.test('what a product asks for', async (t) => {
  const { app, vendor } = await testApp(t)
  const call = callsOf(app, vendor)
  const ask = askOf(call)
  const { id } = await ask('POST', '/v1/products', { name: 'Pro' })
  const below = `/v1/products/${String(id)}/parameters`
  const key = await ask('POST', below, { name: 'license_key', phase: 'fulfillment' })
  const { events, ...rest } = key
  t.match(key['id'], /^PRM-\d{3}-\d{3}-\d{3}-0001$/)
  t.strictSame(rest, {
    id: `PRM${String(id).slice(3)}-0001`,
    name: 'license_key',
    title: 'license_key',
    description: '',
    type: 'text',
    scope: 'asset',
    phase: 'fulfillment',
    hint: '',
    placeholder: '',
    position: 1,
    secret: false,
    pool_id: null,
    test_pool_id: null,
    constraints: {
      required: false,
      hidden: false,
      readonly: false,
      unique: false,
      reconciliation: false,
      shared: null,
      min_length: null,
      max_length: null,
      choices: [],
      default: null,
      hint: '',
      placeholder: '',
      meta: { choices: [] },
      dependency: null,
    },
  })
  const region = await ask('POST', below, {
    name: 'region', title: 'Region', type: 'dropdown', phase: 'ordering', constraints: { required: true, hint: 'Where', meta: { choices: [{ value: 'eu', label: 'Europe' }, { value: 'us' }] }, default: 'eu', shared: 'view' },
  })
  const choices = [{ value: 'eu', label: 'Europe', default: false }, { value: 'us', label: 'us', default: false }]
  t.match(region, { hint: 'Where', default: 'eu', position: 2, constraints: { required: true, choices, meta: { choices }, hint: 'Where', default: 'eu', shared: 'view' } })
  const again = await ask('PUT', `${below}/${String(region['id'])}`, region)
  t.strictSame({ ...again, events: {} }, { ...region, events: {} }, 'posted back whole')
  t.match(await ask('PUT', `${below}/${String(region['id'])}`, { constraints: { choices: choices.slice(1) } }), { constraints: { required: false, choices: choices.slice(1), default: null }, hint: 'Where' },
    'constraints are replaced as a whole')
  t.match(await ask('POST', below, { name: 'admin', title: null, phase: 'ordering', scope: 'tier1', type: 'email', constraints: null }), { title: 'admin', scope: 'tier1' })
  t.match(await ask('POST', below, { name: 'region_code', phase: 'configuration' }), { scope: 'product' })

  const queries: Array<[string, string[]]> = [
    ['scope=asset&phase=fulfillment', ['license_key']], ['constraints.required=false&scope=asset', ['license_key', 'region']], ['in(type,(email,dropdown))', ['region', 'admin']],
    ['ordering(-position)&limit=1', ['region_code']], ['constraints.shared=null()&phase=ordering', ['region', 'admin']], ['name=admin', ['admin']], ['constraints.unique=true', []],
  ]
  for (const [query, names] of queries) {
    t.strictSame((await ask('GET', `${below}?${query}`) as unknown as Array<{ name: string }>).map(({ name }) => name), names, query)
  }
  t.match((await call('GET', `${below}?default=x`)).json(), { status: 400, detail: /^default: there is no such field/ })
  for (const answer of [await call('POST', below, { name: 'region', phase: 'ordering' }), await call('PUT', `${below}/${String(key['id'])}`, { name: 'region' })]) {
    t.match(answer.json(), { status: 409, error_code: 'PRD_012', errors: [`name: ${String(region['id'])} has it`] })
  }
  t.match((await call('GET', `${below}/PRM-000`)).json(), { status: 404, error_code: 'PRD_004' })
  t.equal((await call('DELETE', `${below}/${String(region['id'])}`)).statusCode, 204)
  t.match(await ask('POST', below, { name: 'region', phase: 'ordering' }), { id: /-0005$/ }, 'a number is not used twice')
})

// Guarantee: a definition that could never work is refused by a sentence that names the field, on creation and on change.
t.test('definitions that are refused', async (t) => {
  const { app, vendor, stranger } = await testApp(t)
  const call = callsOf(app, vendor)
  const ask = askOf(call)
  const { id } = await ask('POST', '/v1/products', { name: 'Pro' })
  const below = `/v1/products/${String(id)}/parameters`
  const [live, test, foreign] = [await makePool(call, { name: 'l' }), await makePool(call, { name: 't', mode: 'test' }), await makePool(callsOf(app, stranger), {})]
  const faults: Array<[object, RegExp]> = [
    [{ phase: 'ordering', name: undefined }, /^name: is required/],
    [{ phase: undefined }, /^phase: is required/],
    [{ name: 'a b' }, /^name: must match pattern/],
    [{ name: 'activation_form_url' }, /^name: means something else/],
    [{ type: 'number' }, /^type: must be one of "text"/],
    [{ scope: 'tier3' }, /^scope: must be one of/],
    [{ scope: 'product' }, /^scope: of the phase ordering it must be one of asset, tier1, tier2/],
    [{ phase: 'configuration', scope: 'asset' }, /^scope: of the phase configuration it must be one of product, item, marketplace, item_marketplace/],
    [{ constraints: { required: 'yes' } }, /^constraints\.required: must be boolean or null/],
    [{ constraints: { shared: 'all' } }, /^constraints\.shared: must be one of/],
    [{ constraints: { min_length: 5, max_length: 4 } }, /^constraints\.min_length: is more than max_length/],
    [{ constraints: { max_length: 4000 } }, /^constraints\.max_length: must be <= 2048/],
    [{ type: 'phone', constraints: { max_length: 4 } }, /^constraints\.max_length: a phone has no length/],
    [{ type: 'choice' }, /^constraints\.choices: a choice needs some/],
    [{ type: 'text', constraints: { choices: [{ value: 'a' }] } }, /^constraints\.choices: a text has none/],
    [{ type: 'choice', constraints: { choices: [{ value: 'a' }, { value: 'a' }] } }, /^constraints\.choices: "a" is there twice/],
    [{ type: 'choice', constraints: { choices: [{ value: 'a' }], default: 'b' } }, /^constraints\.default: must be one of a/],
    [{ type: 'email', default: 'nobody' }, /^constraints\.default: must be one mail address/],
    [{ type: 'heading', constraints: { required: true } }, /^constraints\.required: a heading has no value/],
    [{ type: 'password', secret: false }, /^secret: a password always is/],
    [{ type: 'email', secret: true }, /^secret: only a text or a password/],
    [{ secret: true, default: 'x' }, /^constraints\.default: would be no secret/],
    [{ secret: true, constraints: { unique: true } }, /^constraints\.unique: /],
    [{ pool_id: live }, /^pool_id: only a parameter of the phase fulfillment/],
    [{ phase: 'fulfillment', scope: 'tier1', pool_id: live }, /^pool_id: only a parameter of the phase fulfillment/],
    [{ phase: 'fulfillment', type: 'url', test_pool_id: test }, /^test_pool_id: only a text or a password/],
    [{ phase: 'fulfillment', secret: false, pool_id: live }, /^secret: what is filled from a pool always is/],
    [{ phase: 'fulfillment', pool_id: test }, /^pool_id: is a test pool; here belongs a live one/],
    [{ phase: 'fulfillment', test_pool_id: live }, /^test_pool_id: is a live pool; here belongs a test one/],
    [{ phase: 'fulfillment', pool_id: foreign }, /^pool_id: the account has no such pool/],
    [{ phase: 'fulfillment', pool_id: 'PL-0' }, /^pool_id: the account has no such pool/],
  ]
  const { id: known } = await ask('POST', below, { name: 'known', phase: 'ordering' })
  for (const [fault, sentence] of faults) {
    const { statusCode, json } = await call('POST', below, { name: 'x', phase: 'ordering', ...fault })
    t.equal(statusCode, 400, String(sentence))
    t.match(json(), { error_code: 'VAL_001', errors: [sentence] })
    if (!/is required/.test(sentence.source)) t.match((await call('PUT', `${below}/${String(known)}`, fault)).json().errors, [sentence])
  }
  t.match(await ask('GET', below), [{ name: 'known', type: 'text', scope: 'asset', phase: 'ordering' }], 'nothing was kept')

  t.match(await ask('POST', below, { name: 'pin', type: 'password', phase: 'ordering' }), { secret: true })
  const bound = await ask('POST', below, { name: 'license_key', phase: 'fulfillment', pool_id: live, test_pool_id: test })
  t.match(bound, { secret: true, pool_id: live, test_pool_id: test })
  t.match(await ask('PUT', `${below}/${String(bound['id'])}`, { pool_id: null, test_pool_id: null }), { secret: true, pool_id: null, test_pool_id: null }, 'unbound it stays secret')
})

// Guarantee: what stored values mean does not change under them, even when both are written at once.
t.test('a parameter with values', async (t) => {
  const parts = await testApp(t)
  const { byVendor, product_id, parameters, vendor } = await makeMarket(parts)
  const call = callsOf(parts.app, vendor)
  const of = (name: string): string => `/v1/products/${product_id}/parameters/${parameters[name] ?? ''}`
  const value = (parameter_id: string) => ({ account_id: vendor.account_id, owner_id: newId('OR'), parameter_id, value: 'x' })
  await parts.db.insertInto('parameter_values').values(value(parameters['admin_email']!)).execute()
  for (const change of [{ name: 'mail' }, { type: 'text' }, { scope: 'tier1' }, { phase: 'fulfillment' }, { type: 'text', secret: true }]) {
    t.match((await call('PUT', of('admin_email'), change)).json(), { status: 409, error_code: 'PRD_010', params: { fields: Object.keys(change) } }, JSON.stringify(change))
  }
  t.match(await byVendor('PUT', of('admin_email'), { title: 'Mail', constraints: { required: false } }), { title: 'Mail', constraints: { required: false } })
  t.match((await call('DELETE', of('admin_email'))).json(), { status: 409, error_code: 'PRD_010', params: { used_by: 'parameter_values' } })

  const pool = await makePool(call, { name: 'l' })
  const open = await byVendor('POST', `/v1/products/${product_id}/parameters`, { name: 'note', phase: 'fulfillment' })
  const url = `/v1/products/${product_id}/parameters/${String(open['id'])}`
  const binding = await parts.db.transaction().execute(async (trx) => {
    await trx.insertInto('parameter_values').values(value(String(open['id']))).execute()
    const running = call('PUT', url, { pool_id: pool })
    await until('the binding to wait', async () => (await sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(parts.db)).rows[0])
    return { running }
  })
  t.match((await binding.running).json(), { status: 409, error_code: 'PRD_010', params: { fields: ['secret'] } }, 'it waited for the value')
})

// Guarantee: what is set up beforehand is of the parameter's type and scope; a secret is sealed, opened for its vendor, masked for others.
t.test('configurations', async (t) => {
  const parts = await testApp(t)
  const market = await makeMarket(parts)
  const { byVendor, byProvider, product_id, item_id, marketplace_id, vendor } = market
  const below = `/v1/products/${product_id}/configurations`
  const call = callsOf(parts.app, vendor)
  const make = async (name: string, other: object): Promise<string> =>
    String((await byVendor('POST', `/v1/products/${product_id}/parameters`, { name, phase: 'configuration', ...other }))['id'])
  const [region, token, flags, price, shelf, inner] = [
    await make('region', { type: 'choice', constraints: { choices: [{ value: 'eu' }] } }), await make('token', { type: 'password' }),
    await make('flags', { scope: 'item', type: 'checkbox', constraints: { choices: [{ value: 'a' }] } }), await make('price', { scope: 'item_marketplace' }),
    await make('shelf', { scope: 'marketplace' }), await make('inner', { constraints: { shared: 'none' } }),
  ]
  const set = (parameter: string, body: object) => byVendor('PUT', `${below}/${parameter}`, body)
  t.match(await byVendor('POST', below, { parameter: { id: region }, value: 'eu' }), { value: 'eu', parameter: { id: region, name: 'region', scope: 'product' }, events: { created: {} } })
  t.match(await set(token, { value: 's3cret-token' }), { value: 's3cret-token' })
  t.match(await set(flags, { structured_value: { a: true }, item: { id: item_id } }), { value: '', structured_value: { a: true }, item: { id: item_id, name: 'Seat' } })
  t.match(await set(price, { value: '9', item: { id: item_id }, marketplace: { id: marketplace_id } }), { value: '9', marketplace: { id: marketplace_id, name: 'Marketplace' } })
  await set(shelf, { value: 'top', marketplace: { id: marketplace_id } })
  await set(inner, { value: 'ours' })

  const seen = async (ask: typeof byVendor, query = ''): Promise<Record<string, string>> =>
    Object.fromEntries((await ask('GET', `${below}${query}`) as unknown as Array<{ value: string, parameter: { name: string } }>).map(({ value, parameter }) => [parameter.name, value]))
  t.strictSame(await seen(byVendor), { region: 'eu', token: 's3cret-token', flags: '', price: '9', shelf: 'top', inner: 'ours' })
  t.strictSame(await seen(byProvider), { region: 'eu', token: '********', flags: '', price: '9', shelf: 'top' })
  t.strictSame(await seen(byVendor, `?marketplace.id=${marketplace_id}&item.id=${item_id}`), { price: '9' })
  t.strictSame(await seen(byVendor, '?parameter.name=region'), { region: 'eu' })
  const other = await testAccount(parts.db, 'provider')
  await byVendor('POST', `/v1/products/${product_id}/connections`, { type: 'test', provider: { id: other.account_id } })
  t.strictSame(await seen(askOf(callsOf(parts.app, other))), { region: 'eu', token: '********', flags: '' }, 'another provider does not see what is for this one\'s marketplace')
  const rows = await parts.db.selectFrom('product_configurations').selectAll().execute()
  const events = await parts.db.selectFrom('events').select('data').execute()
  t.notMatch(JSON.stringify([rows, events]), /s3cret-token/)

  const faults: Array<[string, object, RegExp]> = [
    [region, { value: 'us' }, /^value: must be one of eu/], [region, { value: 'eu', item: { id: item_id } }, /^item: the parameter is not of one/],
    [flags, { structured_value: { a: true } }, /^item\.id: is required/], [flags, { structured_value: { b: true }, item: { id: item_id } }, /^structured_value: /],
    [shelf, { value: 'x' }, /^marketplace\.id: is required/], [shelf, { value: 'x', marketplace: { id: 'MP-00000' } }, /^marketplace\.id: you have no contract/],
    [price, { value: '1', item: { id: 'PRD-1' }, marketplace: { id: marketplace_id } }, /^item\.id: the product has no such item/],
    [market.parameters['license_key']!, { value: 'x' }, /^parameter: is of the phase fulfillment/],
  ]
  for (const [parameter, body, sentence] of faults) t.match((await call('PUT', `${below}/${parameter}`, body)).json(), { status: 400, errors: [sentence] }, String(sentence))
  t.match((await call('PUT', `${below}/PRM-0`, { value: 'x' })).json(), { status: 404, error_code: 'PRD_004' })
  t.match(await set(token, { value: null }), { value: '' }, 'cleared')
  t.match((await call('PUT', `/v1/products/${product_id}/parameters/${shelf}`, { secret: true })).json(), { status: 409, error_code: 'PRD_010' })
  t.equal((await call('DELETE', `/v1/products/${product_id}/parameters/${shelf}`)).statusCode, 204, 'goes with what was set up for it')
})
