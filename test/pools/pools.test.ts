import { sql } from 'kysely'
import t from 'tap'
import { testApp, type TestApp } from '../support/app.js'
import { poolOf } from '../support/fixtures.js'

const WORDS = { subject: 'Your key', text: 'Here: {KEY}' }

/** Calls as the vendor; a product and a pool by name. */
function shopOf ({ app, vendor }: TestApp) {
  const call = (method: 'GET' | 'POST' | 'PUT', url: string, payload?: object, { authorization } = vendor) =>
    app.inject({ method, url, headers: { authorization }, ...(payload === undefined ? {} : { payload }) })
  const product = async (name: string): Promise<string> =>
    (await call('POST', '/v1/products', { name, external_ids: [name], mail_template: WORDS })).json().id
  const pool = async (body: object): Promise<string> => {
    const made = await call('POST', '/v1/pools', body)
    if (made.statusCode !== 201) throw new Error(made.body)
    return made.json().id
  }
  return { call, product, pool }
}

// Guarantee: a line is served by the most specific pool of its mode: product before several before all, then its currency before any.
t.test('routing', async (t) => {
  const test = await testApp(t)
  const { call, product, pool } = shopOf(test)
  const [a, b, c] = [await product('a'), await product('b'), await product('c')]
  const pools: Record<string, string> = {
    'a EUR': await pool({ name: 'a EUR', product_ids: [a], currency: 'EUR' }),
    'a any': await pool({ name: 'a any', product_ids: [a] }),
    'ab EUR': await pool({ name: 'ab EUR', product_ids: [b, a], currency: 'EUR' }),
    'ab any': await pool({ name: 'ab any', product_ids: [a, b] }),
    'all USD': await pool({ name: 'all USD', currency: 'USD' }),
    'all any': await pool({ name: 'all any' }),
    'test a': await pool({ name: 'test a', product_ids: [a], mode: 'test' }),
  }
  const table: Array<[product: string, currency: string, mode: string, pool: string | null, reason: RegExp]> = [
    ['a', 'EUR', 'live', 'a EUR', /this one product, in EUR/],
    ['a', 'USD', 'live', 'a any', /this one product, in any currency/],
    ['b', 'EUR', 'live', 'ab EUR', /several products, this one among them, in EUR/],
    ['b', 'USD', 'live', 'ab any', /several products.*in any/],
    ['c', 'USD', 'live', 'all USD', /common to all products, in USD/],
    ['c', 'EUR', 'live', 'all any', /common to all products, in any/],
    [a, 'EUR', 'test', 'test a', /this one product, in any/],
    ['b', 'EUR', 'test', null, /no test pool serves PRD-.* in EUR/],
  ]
  const ask = (product: string, currency: string, mode: string) => call('GET', `/v1/pools/route?product=${product}&currency=${currency}&mode=${mode}`)
  for (const [product, currency, mode, expected, reason] of table) {
    const answer = await ask(product, currency, mode)
    t.match(answer.json(), { pool_id: expected === null ? null : pools[expected], reason }, `${product} ${currency} ${mode}`)
  }
  t.strictSame((await ask('a', 'EUR', 'live')).json().candidates.map(({ name }: { name: string }) => name),
    ['a EUR', 'a any', 'ab EUR', 'ab any', 'all any'], 'every pool that matches, in order')
  t.equal((await ask('nothing', 'EUR', 'live')).statusCode, 404)
  t.equal((await ask('a', 'euro', 'live')).statusCode, 400)

  await t.test('no two pools are equally specific', async (t) => {
    const taken = await call('POST', '/v1/pools', { name: 'again', product_ids: [a], currency: 'EUR' })
    t.equal(taken.statusCode, 409)
    t.match(taken.json(), { error_code: 'POL_003', detail: new RegExp(pools['a EUR'] as string), params: { pool_id: pools['a EUR'], product_id: a, currency: 'EUR', mode: 'live' } })
    t.match((await call('POST', '/v1/pools', { name: 'again', product_ids: [c, b] })).json(), { params: { pool_id: pools['ab any'], product_id: b, currency: null } })
    t.match((await call('POST', '/v1/pools', { name: 'again' })).json(), { params: { pool_id: pools['all any'], product_id: null } })
    const racers = await Promise.all(Array.from({ length: 5 }, () => call('POST', '/v1/pools', { name: 'race', product_ids: [c], currency: 'CHF' })))
    t.strictSame(racers.map(({ statusCode }) => statusCode).sort(), [201, 409, 409, 409, 409])
  })
  await t.test('a changed pool serves other lines', async (t) => {
    t.equal((await call('PUT', `/v1/pools/${pools['a EUR']}`, { product_ids: [c], currency: null })).statusCode, 200)
    t.match((await ask('a', 'EUR', 'live')).json(), { pool_id: pools['a any'] })
    t.match((await ask('c', 'EUR', 'live')).json(), { pool_id: pools['a EUR'] })
    t.equal((await call('PUT', `/v1/pools/${pools['a EUR']}`, { product_ids: [a] })).statusCode, 409)
    t.match((await ask('c', 'EUR', 'live')).json(), { pool_id: pools['a EUR'] }, 'a refused change changes nothing')
  })
})

// Guarantee: pools are as their bodies say and refuse what they do not know; what is not yours is as absent.
t.test('pools', async (t) => {
  const test = await testApp(t)
  const { stranger, db, vendor } = test
  const { call, product } = shopOf(test)
  const a = await product('a')
  const made = await call('POST', '/v1/pools', { name: 'Pro' })
  t.equal(made.statusCode, 201)
  const pool = made.json()
  t.match(pool, {
    id: /^PL-[0-9a-f]{27}$/, name: 'Pro', product_ids: [], currency: null, mode: 'live', quantity_rule: 'unit', on_shortage: 'backorder', low_stock_threshold: null,
  })
  t.strictSame(pool.stock, { loaded: 0, available: 0, held: 0, allocated: 0, revoked: 0, expired: 0, withdrawn: 0, backordered: 0, unfit: 0 })
  t.strictSame((await call('GET', `/v1/pools/${pool.id}`)).json(), pool)

  const change = (body: object) => call('PUT', `/v1/pools/${pool.id}`, body)
  t.match((await change({ name: 'Max', quantity_rule: 'line', on_shortage: 'fail', low_stock_threshold: 5, mode: 'live' })).json(),
    { name: 'Max', quantity_rule: 'line', on_shortage: 'fail', low_stock_threshold: 5, currency: null })
  t.match((await change({ low_stock_threshold: null })).json(), { name: 'Max', low_stock_threshold: null })
  t.match((await change({ mode: 'test' })).json(), { status: 400, errors: [/^mode: is live for good/] })
  t.match((await change({ stock: {} })).json(), { status: 400, errors: [/^stock: is not a field here/] })
  t.match((await change({ product_ids: [a, 'PRD-000-000-000'] })).json(), { status: 404, errors: [/^product_ids\.1: /], params: { product_ids: ['PRD-000-000-000'] } })
  t.equal((await change({ currency: 'eur' })).statusCode, 400)

  for (const [method, payload] of [['GET', undefined], ['PUT', { name: 'mine' }]] as const) {
    const foreign = await call(method, `/v1/pools/${pool.id}`, payload, stranger)
    const absent = await call(method, `/v1/pools/PL-${'0'.repeat(27)}`, payload, stranger)
    t.equal(foreign.statusCode, 404)
    t.strictSame({ ...foreign.json(), request_id: '' }, { ...absent.json(), request_id: '' })
  }
  t.match((await call('POST', '/v1/pools', { name: 'x', product_ids: [a] }, stranger)).json(), { status: 404 }, 'a product of another account')
  t.strictSame((await call('GET', '/v1/pools?mode=live', undefined, stranger)).json(), [])
  const listed = await call('GET', '/v1/pools?on_shortage=fail')
  t.match(listed.json(), [{ id: pool.id, name: 'Max' }])
  t.equal(listed.json()[0].stock, undefined)
  t.match(await db.selectFrom('events').select(['type', 'actor']).where('subject_id', '=', pool.id).orderBy('created_at').limit(2).execute(),
    [{ type: 'pool.created', actor: vendor.key_id }, { type: 'pool.updated', actor: vendor.key_id }])
})

// Guarantee: the counts are exact and add up, and another policy counts at once for lines that wait.
t.test('stock', async (t) => {
  const test = await testApp(t)
  const { app, db, keyring, vendor } = test
  const { call, product } = shopOf(test)
  const product_id = await product('a')
  const { pool_id, license_ids } = await poolOf({ db, keyring, account_id: vendor.account_id }, product_id, ['K-1', 'K-2', 'K-3', 'K-4'])
  const stock = async () => (await call('GET', `/v1/pools/${pool_id}`)).json().stock
  t.match(await stock(), { loaded: 4, available: 4, allocated: 0 })

  const withdrawn = await app.inject({
    method: 'POST', url: `/v1/licenses/${license_ids[0]}/withdraw`, headers: { authorization: vendor.authorization }, payload: { reason: 'misprinted' },
  })
  t.equal(withdrawn.statusCode, 200, withdrawn.body)
  t.match(await stock(), { loaded: 4, available: 3, withdrawn: 1 })

  const order = (external_id: string, quantity: number) => call('POST', '/v1/orders', {
    external_id, currency: 'EUR', customer: { email: 'buyer@example.com' }, line_items: [{ external_id: '1', product: 'a', quantity }],
  })
  t.equal((await order('1', 1)).statusCode, 201)
  t.equal((await order('2', 5)).statusCode, 201)
  t.strictSame(await stock(), { loaded: 4, available: 2, held: 0, allocated: 1, revoked: 0, expired: 0, withdrawn: 1, backordered: 5, unfit: 0 })
  t.equal((await call('PUT', `/v1/pools/${pool_id}`, { name: 'renamed' })).statusCode, 200)
  t.match(await stock(), { available: 2, backordered: 5 }, 'a change of anything else serves nobody')
  t.equal((await call('PUT', `/v1/pools/${pool_id}`, { on_shortage: 'partial' })).statusCode, 200)
  t.match(await stock(), { available: 0, allocated: 3, backordered: 3 }, 'the waiting line gets what there is')
  const { rows } = await sql`select from deliveries where reason = 'backorder'`.execute(db)
  t.equal(rows.length, 1, 'and its mail is planned')
})
