import { sql, type Kysely } from 'kysely'
import t, { type Test } from 'tap'
import type { Database } from '../../src/database/connect.js'
import { testApp } from '../support/app.js'
import { makeMarket, purchaseOf, tierOf, type Market } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { callsOf } from '../support/vendor.js'

const TAKEN = 'asset.params.subdomain: must be unique, and is in use elsewhere'
const EMAIL = { id: 'admin_email', value: 'ada@example.com' }

const parameter = async ({ byVendor, product_id }: Market, given: object): Promise<string> =>
  (await byVendor('POST', `/v1/products/${product_id}/parameters`, given))['id']
const valuesOf = ({ asset }: Json): Record<string, unknown> =>
  Object.fromEntries(asset.params.map(({ id, value, structured_value }: Json) => [id, structured_value ?? value]))
const isWaiting = async (db: Kysely<Database>) =>
  (await sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(db)).rows[0]

// Guarantee: of a parameter that is unique no two assets of a product have one value, drafts and those who ask at once included; an asset
// may keep its own, and that of a terminated one is free.
t.test('unique', async (t) => {
  const parts = await testApp(t)
  const market = await makeMarket(parts)
  const { byVendor, byProvider, provider } = market
  await parameter(market, { name: 'subdomain', type: 'subdomain', phase: 'ordering', constraints: { unique: true } })
  const call = callsOf(parts.app, provider)
  const body = (subdomain: string, other: object = {}) => purchaseOf(market, { ...other, asset: { params: [EMAIL, { id: 'subdomain', value: subdomain }] } })
  const buy = (subdomain: string, other: object = {}) => byProvider('POST', '/v1/requests', body(subdomain, other))
  const refused = async (t: Test, answer: ReturnType<typeof call>, what: string): Promise<void> => {
    const { statusCode, json } = await answer
    t.strictSame([statusCode, json().errors], [400, [TAKEN]], what)
  }

  const first = await buy('shop')
  await refused(t, call('POST', '/v1/requests', body('shop')), 'a purchase under way has it')
  await byVendor('PUT', `/v1/requests/${first['id']}`, { asset: { params: [{ id: 'license_key', value: 'K-1' }] } })
  await byVendor('POST', `/v1/requests/${first['id']}/approve`)
  await refused(t, call('POST', '/v1/requests', body('shop')), 'an active asset has it')
  await parameter(market, { name: 'other', phase: 'ordering', constraints: { unique: true } })
  t.match(await byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { params: [EMAIL, { id: 'other', value: 'shop' }] } })), { status: 'pending' }, 'another parameter may')

  const change = await byVendor('POST', '/v1/requests', { type: 'adjustment', asset: { id: first['asset'].id, params: [{ id: 'subdomain', value: 'shop' }] } })
  t.match(valuesOf(change), { subdomain: 'shop' }, 'its own')
  const draft = await buy('shop', { status: 'draft' })
  t.match(draft['asset'].params.find(({ id }: Json) => id === 'subdomain'), { value: 'shop', value_error: 'must be unique, and is in use elsewhere' }, 'a draft says so')
  await refused(t, call('POST', `/v1/requests/${draft['id']}/purchase`), 'and goes no further')
  const [one, other] = [await buy('free', { status: 'draft' }), await buy('free', { status: 'draft' })]
  t.match(one['asset'].params.find(({ id }: Json) => id === 'subdomain'), { value_error: '' }, 'drafts take nothing')
  t.match(await byProvider('POST', `/v1/requests/${one['id']}/purchase`), { status: 'pending' })
  await refused(t, call('POST', `/v1/requests/${other['id']}/purchase`), 'the second draft is late')
  await byVendor('POST', `/v1/requests/${one['id']}/fail`, { reason: 'x' })
  t.match(await byProvider('POST', `/v1/requests/${other['id']}/purchase`), { status: 'pending' }, 'what failed has nothing')

  const racing = await Promise.all([1, 2, 3, 4, 5].map(() => call('POST', '/v1/requests', body('race'))))
  t.strictSame(racing.map(({ statusCode }) => statusCode).sort(), [201, 400, 400, 400, 400], 'of five at once')
})

// Guarantee: resellers are held to it likewise.
t.test('unique among resellers', async (t) => {
  const parts = await testApp(t)
  const market = await makeMarket(parts, { product: { capabilities: { tiers: { configs: { level: 1 } } } } })
  const { byProvider, provider, product_id, connection_id } = market
  await parameter(market, { name: 'partner', scope: 'tier1', phase: 'ordering', constraints: { unique: true } })
  await parameter(market, { name: 'plan', scope: 'tier1', phase: 'ordering', default: 'basic', constraints: { readonly: true } })
  const call = callsOf(parts.app, provider)
  const setUp = async (params: object[], status?: string) => {
    const account = await byProvider('POST', '/v1/tier/accounts', { ...tierOf('Reseller'), type: 'reseller' })
    return call('POST', '/v1/tier/config-requests', { status, params, configuration: { product: { id: product_id }, connection: { id: connection_id }, account: { id: account['id'] }, tier_level: 1 } })
  }
  const draft = (await setUp([{ id: 'partner', value: 'P-1' }], 'draft')).json()
  const first = await setUp([{ id: 'partner', value: 'P-1' }])
  t.match(first.json(), { status: 'pending', params: [{ id: 'partner', value: 'P-1' }, { id: 'plan', value: 'basic' }] }, 'with its default')
  t.match((await setUp([{ id: 'partner', value: 'P-1' }])).json(), { status: 400, errors: ['params.partner: must be unique, and is in use elsewhere'] })
  t.match((await setUp([{ id: 'plan', value: 'pro' }])).json(), { status: 400, errors: ['params.plan: is written by the vendor'] })
  t.match((await call('POST', `/v1/tier/config-requests/${draft.id}/submit`)).json(), { status: 400, errors: ['params.partner: must be unique, and is in use elsewhere'] })
  const unset = await setUp([])
  t.match(unset.json(), { status: 'pending' }, 'nothing is like nothing else')
})

// Guarantee: what the buyer leaves out of an ordering parameter is its default or its marked choice; a readonly one is the vendor's alone.
t.test('default and readonly', async (t) => {
  const parts = await testApp(t)
  const market = await makeMarket(parts)
  const { byVendor, byProvider, provider } = market
  const call = callsOf(parts.app, provider)
  const choices = [{ value: 'eu' }, { value: 'us', default: true }]
  for (const given of [
    { name: 'size', default: 'small' }, { name: 'region', type: 'dropdown', constraints: { choices, required: true } }, { name: 'flags', type: 'checkbox', constraints: { choices } },
    { name: 'phone', type: 'phone', default: { country_code: '+44', area_code: '20', phone_number: '79460000', extension: '' } },
    { name: 'plan', default: 'basic', constraints: { readonly: true } }, { name: 'shared', phase: 'fulfillment', constraints: { readonly: true, shared: 'edit' } },
    { name: 'made', phase: 'fulfillment', default: 'x' },
  ]) await parameter(market, { phase: 'ordering', ...given })
  const buy = (params: object[], other: object = {}) => call('POST', '/v1/requests', purchaseOf(market, { ...other, asset: { params: [EMAIL, ...params] } }))

  const left = (await buy([])).json()
  t.equal(left.status, 'pending', 'a required one with a default is not asked for')
  t.match(valuesOf(left), {
    admin_email: 'ada@example.com', size: 'small', region: 'us', flags: { eu: false, us: true }, phone: { phone_number: '79460000' }, plan: 'basic', shared: '', made: '',
  })
  t.equal(left.asset.params.find(({ id }: Json) => id === 'phone').value, '+44 20 79460000')
  const said = (await buy([{ id: 'size', value: 'large' }, { id: 'region', value: 'eu' }, { id: 'flags', structured_value: {} }, { id: 'plan', value: 'basic' }])).json()
  t.match(valuesOf(said), { size: 'large', region: 'eu', flags: '', plan: 'basic' }, 'what is said counts, and a readonly one may be said as it is')
  t.match(valuesOf((await buy([{ id: 'size', value: '' }], { status: 'draft' })).json()), { size: '', region: 'us' }, 'cleared is said')

  for (const [answer, name] of [
    [buy([{ id: 'plan', value: 'pro' }]), 'plan'], [buy([{ id: 'plan', value: 'pro' }], { status: 'draft' }), 'plan'], [buy([{ id: 'shared', value: 'x' }]), 'shared'],
  ] as const) t.match((await answer).json(), { status: 400, errors: [`asset.params.${name}: is written by the vendor`] })
  await byVendor('PUT', `/v1/requests/${left.id}`, { asset: { params: [{ id: 'plan', value: 'pro' }] } })
  t.match(valuesOf(await byProvider('GET', `/v1/requests/${left.id}`)), { plan: 'pro' }, 'the vendor may')

  const vendor = callsOf(parts.app, market.vendor)
  for (const [given, fault] of [
    [{ default: 'x', constraints: { unique: true } }, /^constraints\.default: would be the same for all/],
    [{ type: 'dropdown', constraints: { unique: true, choices } }, /^constraints\.default: would be the same for all/],
    [{ type: 'object', constraints: { unique: true } }, /^constraints\.unique: values of a object are not compared/],
    [{ phase: 'configuration', constraints: { unique: true } }, /^constraints\.unique: there is one value/],
  ] as const) t.match((await vendor('POST', `/v1/products/${market.product_id}/parameters`, { name: 'y', phase: 'ordering', ...given })).json().errors, [fault])
})

// Guarantee: a value that is written while its parameter is made secret is sealed: the writer waits, and reads what the parameter is then.
t.test('a parameter that becomes secret', async (t) => {
  const parts = await testApp(t)
  const { app, db } = parts
  const market = await makeMarket(parts)
  const id = await parameter(market, { name: 'note', phase: 'fulfillment' })
  const request = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  const written = await db.transaction().execute(async (trx) => {
    await trx.selectFrom('product_parameters').select('id').where('id', '=', id).forUpdate().execute()
    await trx.updateTable('product_parameters').set({ secret: true }).where('id', '=', id).execute()
    const running = callsOf(app, market.vendor)('PUT', `/v1/requests/${request['id']}`, { asset: { params: [{ id: 'note', value: 'PLAIN' }] } })
    await until('the value to wait', () => isWaiting(db))
    return { running }
  })
  t.equal((await written.running).statusCode, 200)
  const { value, sealed } = await db.selectFrom('parameter_values').select(['value', 'sealed']).where('parameter_id', '=', id).executeTakeFirstOrThrow()
  t.strictSame([value, sealed === null], [null, false])
})
