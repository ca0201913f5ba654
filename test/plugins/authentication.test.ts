import { randomBytes } from 'node:crypto'
import { Writable } from 'node:stream'
import { sql } from 'kysely'
import t from 'tap'
import { PERMISSIONS } from '../../src/accounts/permissions.js'
import { buildLogger } from '../../src/log.js'
import { buildApp } from '../../src/app.js'
import { testAccount, testApp } from '../support/app.js'

interface Operation { operationId?: string, tags?: string[], summary?: string, description?: string, security?: object[], responses: object }

const AUTH_001 = { status: 401, error_code: 'AUTH_001', errors: ['API request is unauthorized.'] }

// Guarantee: only a key that exists, with its secret, in either scheme, gets in; what it may not do names the permission.
t.test('credentials', async (t) => {
  const { app, db, vendor, stranger } = await testApp(t)
  const status = async (authorization?: string): Promise<number> =>
    (await app.inject({ url: '/v1/products', headers: authorization === undefined ? {} : { authorization } })).statusCode
  const secret = vendor.api_key.split(':')[1]
  for (const good of [`ApiKey ${vendor.api_key}`, `apikey ${vendor.api_key}`, `APIKEY  ${vendor.api_key}`, `Bearer ${vendor.api_key}`, `bearer ${vendor.api_key} `]) {
    t.equal(await status(good), 200, good.replace(vendor.api_key, '…'))
  }
  const bad = [
    undefined, '', 'ApiKey', vendor.api_key, `Basic ${vendor.api_key}`, `ApiKey ${vendor.key_id}`, `ApiKey ${vendor.key_id}:`, `ApiKey ${vendor.key_id}:x`,
    `ApiKey ${vendor.api_key}x`, `ApiKey ${vendor.api_key.slice(0, -1)}`, `ApiKey ${vendor.api_key.toUpperCase()}`, `ApiKey ${stranger.key_id}:${secret}`,
    `ApiKey SU-000-000-0000:${secret}`, `ApiKey ' or 1=1 --:${secret}`, `ApiKey ${vendor.key_id}:${'x'.repeat(5000)}`, `ApiKey ${vendor.key_id}:ÿ`,
  ]
  for (const authorization of bad) t.equal(await status(authorization), 401, String(authorization).slice(0, 40))
  const refused = await app.inject('/v1/products')
  t.match(refused.json(), AUTH_001)
  t.equal(refused.headers['content-type'], 'application/json')

  const reader = await testAccount(db, 'vendor', ['products:read'])
  const forbidden = await app.inject({ url: '/v1/pools', headers: { authorization: reader.authorization } })
  t.equal(forbidden.statusCode, 403)
  t.match(forbidden.json(), { error_code: 'AUTH_002', detail: /pools:read/, params: { permission: 'pools:read' } })
})

// Guarantee: what ends a key ends it for the next request, on every replica, whatever the replica answered before.
t.test('revoked and expired keys', async (t) => {
  const { app, db, config, keyring, vendor, intake } = await testApp(t)
  const replica = await buildApp({ config, db, keyring, intake })
  t.teardown(() => replica.close())
  const { authorization } = vendor
  t.equal((await replica.inject({ url: '/v1/products', headers: { authorization } })).statusCode, 200)
  t.equal((await app.inject({ method: 'DELETE', url: `/v1/api-keys/${vendor.key_id}`, headers: { authorization } })).statusCode, 204)
  for (const one of [app, replica]) t.match((await one.inject({ url: '/v1/products', headers: { authorization } })).json(), AUTH_001)

  const other = await testAccount(db, 'vendor')
  await sql`update api_keys set expires_at = now() where id = ${other.key_id}`.execute(db)
  t.match((await app.inject({ url: '/v1/products', headers: { authorization: other.authorization } })).json(), AUTH_001)
})

// Guarantee: no route under /v1 is open by oversight: without a permission or `public` the service does not start.
t.test('a route that declares nothing', async (t) => {
  const { db, config, keyring, intake } = await testApp(t)
  const app = await buildApp({ config, db, keyring, intake })
  t.teardown(() => app.close())
  t.throws(() => app.get('/v1/open', async () => 'x'), /declares no permission/)
  t.doesNotThrow(() => app.get('/v1/public', { config: { public: true } }, async () => 'x'))
})

// Guarantee: every operation of the document names its permission and its security, or none on purpose.
t.test('the document', async (t) => {
  const { app } = await testApp(t)
  const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, Operation>> }
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      t.ok(operation.operationId && operation.tags?.length === 1 && operation.summary, `${method} ${path} has a name, a tag and a summary`)
      if (operation.security?.length === 0) continue
      t.ok(PERMISSIONS.some((permission) => operation.description?.includes(`\`${permission}\``)), `${method} ${path} says its permission`)
      t.match(operation.responses, { 401: {}, 403: {}, 500: {}, 503: {} }, `${method} ${path} documents its refusals`)
    }
  }
  t.equal((await app.inject('/openapi.json')).json().openapi, '3.1.0')
  t.match((await app.inject('/docs/problems')).body, 'id="order-exists"')
  t.match((await app.inject('/docs/')).headers['content-type'], 'text/html')
})

// Guarantee: one line a request, and nothing in the log that a client sent: no body, header, query value, path value or failed value.
t.test('the log', async (t) => {
  const lines: string[] = []
  const stream = new Writable({ write (chunk: Buffer, _encoding, done) { lines.push(chunk.toString()); done() } })
  const { app, vendor, db } = await testApp(t, {}, { logger: buildLogger({ log_level: 'trace' }, stream) })
  const marker = `MARK-${randomBytes(8).toString('hex')}`
  const json = { authorization: vendor.authorization, 'content-type': 'application/json', 'x-marker': marker }
  const post = (url: string, payload: string) => app.inject({ method: 'POST', url, headers: json, payload })
  const answer = await post('/v1/pools', JSON.stringify({ name: marker }))
  await post('/v1/pools', JSON.stringify({ [marker]: 1 }))
  await post('/v1/pools', `{"name": "${marker}`)
  await app.inject({ url: `/v1/pools/${marker}?name=${marker}`, headers: json })
  await app.inject({ url: `/v1/${marker}?name=${marker}`, headers: json })
  await app.inject({ url: `/v1/${marker}%ZZ`, headers: json })
  await app.inject({ url: '/v1/products', headers: { authorization: `ApiKey ${vendor.key_id}:${marker}` } })
  await sql`alter table pools add constraint odd check (name not like 'MARK%') not valid`.execute(db)
  t.equal((await post('/v1/pools', JSON.stringify({ name: marker, currency: 'USD' }))).statusCode, 500)

  const log = lines.join('')
  t.notMatch(log, marker, 'no marker in any line')
  t.notMatch(log, vendor.api_key.split(':')[1] as string, 'no secret')
  const entries = lines.map((line) => JSON.parse(line))
  const made = entries.filter((entry) => entry.request_id === answer.headers['x-request-id'])
  t.match(made, [{ level: 'info', msg: 'request', method: 'POST', route: '/v1/pools', status: 201, ms: Number, account_id: vendor.account_id, key_id: vendor.key_id }])
  t.equal(made.length, 1, 'one line')
  t.match(entries.filter((entry) => entry.level === 'error'), [{ msg: 'request failed', err: { code: '23514', constraint: 'odd' } }], 'the failure is found by its code')
  const planted = buildLogger({ log_level: 'info' }, stream)
  planted.info({ key: marker, account: { secret: marker }, order: { line: { licenses: [marker] } } })
  t.notMatch(lines.at(-1), marker, 'and what is logged by oversight is struck out')
})
