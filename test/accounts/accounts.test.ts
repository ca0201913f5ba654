import { createHash } from 'node:crypto'
import t from 'tap'
import { testAccount, testApp, type TestAccount } from '../support/app.js'

const CHECKSUM_DIGITS = 6

// Guarantee: the operator makes accounts and their first keys; anybody else sees only its own account.
t.test('accounts', async (t) => {
  const { app, operator, vendor, stranger } = await testApp(t)
  const as = (caller: TestAccount) => (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) =>
    app.inject({ method, url, headers: { authorization: caller.authorization }, ...(payload === undefined ? {} : { payload }) })

  const made = await as(operator)('POST', '/v1/accounts', { name: 'Vendor', type: 'vendor', object: 'ignored' })
  t.equal(made.statusCode, 201)
  t.match(made.json(), { id: /^VA-\d{3}-\d{3}$/, name: 'Vendor', type: 'vendor', events: { created: { at: /\+00:00$/ } } })
  t.strictSame(Object.keys(made.json()), ['id', 'name', 'type', 'brand', 'external_id', 'countries', 'events'])
  t.match((await as(operator)('POST', '/v1/accounts', { name: 'Provider', type: 'provider' })).json(), { id: /^PA-\d{3}-\d{3}$/ })
  t.equal((await as(operator)('POST', '/v1/accounts', { name: 'x', type: 'operator' })).statusCode, 400, 'operators are not made over HTTP')
  t.equal((await as(vendor)('POST', '/v1/accounts', { name: 'x', type: 'vendor' })).statusCode, 403)

  t.equal((await as(operator)('GET', '/v1/accounts')).json().length, 5)
  t.equal((await as(operator)('GET', '/v1/accounts?type=provider')).json().length, 1)
  const own = await as(vendor)('GET', '/v1/accounts')
  t.strictSame(own.json().map((account: { id: string }) => account.id), [vendor.account_id])
  t.equal(own.headers['content-range'], 'items 0-0/1')
  t.equal((await as(vendor)('GET', `/v1/accounts/${vendor.account_id}`)).statusCode, 200)
  const foreign = await as(vendor)('GET', `/v1/accounts/${stranger.account_id}`)
  const absent = await as(vendor)('GET', '/v1/accounts/VA-000-0000')
  t.equal(foreign.statusCode, 404)
  t.strictSame({ ...foreign.json(), request_id: '' }, { ...absent.json(), request_id: '' }, 'what is not yours is as absent')

  const first = await as(operator)('POST', '/v1/api-keys', { name: 'first', preset: 'vendor', account_id: made.json().id })
  t.equal(first.statusCode, 201, 'the operator grants what it does not have itself, to the accounts it made')
  const newcomer = await app.inject({ url: '/v1/accounts', headers: { authorization: `ApiKey ${first.json().api_key}` } })
  t.strictSame(newcomer.json(), [made.json()])
})

// Guarantee: an account is described when it is made and later; the operator reads anybody's users, and others only their own.
t.test('what is known of an account', async (t) => {
  const { app, operator, vendor, stranger } = await testApp(t)
  const as = (caller: TestAccount) => (method: 'GET' | 'POST' | 'PUT', url: string, payload?: object) =>
    app.inject({ method, url, headers: { authorization: caller.authorization }, ...(payload === undefined ? {} : { payload }) })
  const words = { brand: 'Brand', external_id: 'crm-1', countries: ['DE', 'US'] }
  const made = (await as(operator)('POST', '/v1/accounts', { name: 'Provider', type: 'provider', ...words })).json()
  t.match(made, words)
  t.match((await as(operator)('GET', '/v1/accounts?external_id=crm-1&brand=Brand')).json(), [made])
  t.match((await as(vendor)('GET', `/v1/accounts/${vendor.account_id}`)).json(), { brand: '', external_id: '', countries: [] })
  t.match((await as(vendor)('PUT', `/v1/accounts/${vendor.account_id}`, { countries: ['GB'] })).json(), { name: 'vendor of a test', brand: '', countries: ['GB'] }, 'the rest stays')
  t.match((await as(vendor)('PUT', `/v1/accounts/${vendor.account_id}`, { countries: ['Germany'] })).json(), { errors: [/^countries\.0: /] })

  const made_key = (await as(vendor)('POST', '/v1/api-keys', { name: 'Ada', email: 'ada@example.com', permissions: ['events:read'] })).json()
  t.match(made_key, { email: 'ada@example.com' })
  t.match((await as(vendor)('GET', '/v1/api-keys?email=ada@example.com')).json(), [{ id: made_key.id, email: 'ada@example.com' }])
  t.match((await as(vendor)('POST', '/v1/api-keys', { name: 'x', email: 'ada', permissions: ['events:read'] })).json(), { errors: [/^email: /] })
  const users = await as(operator)('GET', `/v1/accounts/${vendor.account_id}/users`)
  t.strictSame(users.json().map(({ id }: { id: string }) => id), [vendor.key_id, made_key.id])
  t.notMatch(users.body, /secret|permissions/)
  for (const url of [`/v1/accounts/${vendor.account_id}/users`, `/v1/accounts/${vendor.account_id}/users/${vendor.key_id}`]) {
    const foreign = await as(stranger)('GET', url)
    t.match([foreign.statusCode, foreign.json().error_code], [404, 'ACC_001'])
  }
  t.equal((await as(stranger)('GET', `/v1/accounts/${stranger.account_id}/users/${vendor.key_id}`)).statusCode, 404)
})

// Guarantee: an account is renamed by itself or by the operator, and by nobody else.
t.test('renaming', async (t) => {
  const { app, operator, vendor, stranger } = await testApp(t)
  const rename = (id: string, name: string, caller = vendor) =>
    app.inject({ method: 'PUT', url: `/v1/accounts/${id}`, headers: { authorization: caller.authorization }, payload: { id: 'VA-999-999', name, type: 'operator' } })
  t.match((await rename(vendor.account_id, 'Analytical Engines')).json(), { id: vendor.account_id, name: 'Analytical Engines', type: 'vendor' })
  t.equal((await rename(vendor.account_id, 'Mine', stranger)).statusCode, 404)
  t.match((await rename(vendor.account_id, 'By the operator', operator)).json(), { id: vendor.account_id, name: 'By the operator' })
  t.equal((await rename(vendor.account_id, '')).statusCode, 400)
  t.equal((await rename('VA-000-000', 'x', operator)).statusCode, 404)
})

// Guarantee: a secret is shown once and can be told from other text by its form; no key grants what its maker lacks.
t.test('api keys', async (t) => {
  const { app, db, operator, vendor, stranger } = await testApp(t)
  const post = (payload: object, caller = vendor) => app.inject({ method: 'POST', url: '/v1/api-keys', headers: { authorization: caller.authorization }, payload })

  const made = await post({ name: 'shop', permissions: ['orders:write', 'orders:read'], expires_at: '2999-01-01T00:00:00Z' })
  t.equal(made.statusCode, 201)
  const [id, secret = ''] = made.json().api_key.split(':')
  t.match(made.json(), { id, account_id: vendor.account_id, name: 'shop', permissions: ['orders:write', 'orders:read'], expires_at: '2999-01-01T00:00:00+00:00', revoked_at: null })
  t.match(id, /^SU-\d{3}-\d{3}-\d{3}$/)
  t.match(secret, /^lk_[0-9a-f]{46}$/)
  t.equal(createHash('sha256').update(secret.slice(3, 43)).digest('hex').slice(0, CHECKSUM_DIGITS), secret.slice(43), 'its checksum')

  const listed = await app.inject({ url: '/v1/api-keys', headers: { authorization: vendor.authorization } })
  t.strictSame(listed.json().map((key: { id: string }) => key.id), [vendor.key_id, id], 'its own, the oldest first')
  t.notMatch(listed.body, secret)
  t.notMatch(JSON.stringify(await db.selectFrom('events').selectAll().execute()), secret)
  t.match(await db.selectFrom('events').selectAll().where('subject_id', '=', id).execute(), [{ type: 'api_key.created', actor: vendor.key_id, account_id: vendor.account_id }])

  const limited = await testAccount(db, 'vendor', ['api-keys:write', 'orders:read'])
  const exceeded = await post({ name: 'more', permissions: ['orders:read', 'licenses:reveal'] }, limited)
  t.equal(exceeded.statusCode, 403)
  t.match(exceeded.json(), { error_code: 'AUTH_003', params: { permissions: ['licenses:reveal'] } })
  t.equal((await post({ name: 'preset', preset: 'vendor' }, limited)).statusCode, 403)
  t.equal((await post({ name: 'own', preset: 'vendor' }, operator)).statusCode, 403, 'not even the operator, for itself')
  t.equal((await post({ name: 'x', preset: 'vendor', account_id: stranger.account_id })).statusCode, 404, 'only the operator names another account')
  t.equal((await post({ name: 'x', preset: 'vendor', account_id: 'VA-000-0000' })).statusCode, 400)
  t.equal((await post({ name: 'x' })).statusCode, 400)
  t.equal((await post({ name: 'x', preset: 'checkout', permissions: ['orders:read'] })).statusCode, 400)
  t.equal((await post({ name: 'x', permissions: ['orders:everything'] })).statusCode, 400)
  t.equal((await post({ name: 'x', permissions: [] })).statusCode, 400)

  const revoke = (key: string, caller = vendor) => app.inject({ method: 'DELETE', url: `/v1/api-keys/${key}`, headers: { authorization: caller.authorization } })
  t.equal((await revoke(id, stranger)).statusCode, 404, 'not yours')
  t.equal((await revoke('SU-000-000-0000')).statusCode, 404)
  t.equal((await revoke(id)).statusCode, 204)
  t.equal((await revoke(id)).statusCode, 204, 'again is no error')
  t.equal((await db.selectFrom('events').select('id').where('type', '=', 'api_key.revoked').execute()).length, 1)
  t.equal((await revoke(stranger.key_id, operator)).statusCode, 204, 'the operator revokes any')
})
