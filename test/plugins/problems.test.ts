import { once } from 'node:events'
import net from 'node:net'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { problems, type ProblemType } from '../../src/problems.js'
import { testAccount, testApp } from '../support/app.js'
import { exchange, listen, requestBytes, type RawAnswer } from '../support/socket.js'

const MEMBERS = ['type', 'title', 'status', 'detail', 'error_code', 'errors', 'params', 'request_id']

/** The shape that every refusal has, whatever refused. */
function assertProblem (t: Test, answer: RawAnswer, type: ProblemType, contentType = 'application/json'): { detail: string, errors: string[] } {
  const body = JSON.parse(answer.body)
  const { status, title, error_code } = problems[type]
  t.equal(answer.status, status, `${type}: status`)
  t.equal(answer.headers['content-type'], contentType, `${type}: content-type, exactly`)
  t.strictSame(Object.keys(body), MEMBERS, `${type}: members`)
  t.match(body, { type: `/docs/problems#${type}`, status, title, error_code, params: {} })
  t.equal(body.request_id, answer.headers['x-request-id'], `${type}: the request id is in body and header`)
  t.ok(body.errors.length > 0 && body.errors.every((error: unknown) => typeof error === 'string'), `${type}: errors are sentences`)
  t.notMatch(answer.body, /node_modules|at .*\.[jt]s:|select |insert |relation|syntax|postgres/i, `${type}: no driver text, SQL, path or stack`)
  return body
}

// Guarantee: every refusal has the one body and the one media type, on the wire; nothing a client sends makes a 500.
t.test('what clients do wrong', async (t) => {
  const { app, db, vendor } = await testApp(t)
  const port = await listen(app)
  const reader = await testAccount(db, 'vendor', ['pools:read'])
  const auth = { authorization: vendor.authorization }
  const json = { ...auth, 'content-type': 'application/json' }
  const post = (body: string | Buffer, headers: Record<string, string> = json): Buffer => requestBytes('POST', '/v1/pools', headers, body)
  const cases: Array<[name: string, bytes: Buffer | string, type: ProblemType, says?: RegExp]> = [
    ['no credentials', requestBytes('GET', '/v1/pools'), 'unauthorized'],
    ['garbage credentials', requestBytes('GET', '/v1/pools', { authorization: 'ApiKey x' }), 'unauthorized'],
    ['no permission', requestBytes('POST', '/v1/pools', { ...json, authorization: reader.authorization }, '{}'), 'forbidden', /pools:write/],
    ['unknown URL', requestBytes('GET', '/v1/nothing'), 'route-not-found'],
    ['another method', requestBytes('PATCH', '/v1/pools'), 'method-not-allowed', /GET, HEAD, POST/],
    ['broken escape in the path', requestBytes('GET', '/v1/pools/%ZZ', auth), 'malformed-request'],
    ['very long id', requestBytes('GET', `/v1/pools/${'x'.repeat(300)}`, auth), 'route-not-found'],
    ['id that is no id', requestBytes('GET', '/v1/pools/99999999999', auth), 'pool-not-found'],
    ['NUL in the path', requestBytes('GET', '/v1/pools/%00', auth), 'text-not-storable'],
    ['half of a surrogate pair in the path', requestBytes('GET', '/v1/pools/%ED%A0%80', auth), 'malformed-request'],
    ['a field that lists do not have', requestBytes('GET', '/v1/pools?colour=red', auth), 'query-invalid', /colour/],
    ['malformed JSON', post('{"name": "secret-marker'), 'malformed-json'],
    ['invalid UTF-8', post(Buffer.from([0x7b, 0x22, 0x6e, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d])), 'malformed-json'],
    ['NUL in a text', post('{"name":"a\\u0000b"}'), 'text-not-storable', /^name: /],
    ['NUL deep in a text', post('{"name":"a","product_ids":["x","\\u0000"]}'), 'text-not-storable', /^product_ids\.1: /],
    ['NUL in a field name', post('{"na\\u0000me":"a"}'), 'text-not-storable'],
    ['high surrogate alone', post('{"name":"K\\ud800A"}'), 'text-not-storable', /^name: /],
    ['low surrogate alone', post('{"name":"K\\udc00A"}'), 'text-not-storable', /^name: /],
    ['20,000 nested arrays', post(`{"name":${'['.repeat(20_000)}${']'.repeat(20_000)}}`), 'validation-failed', /nested/],
    ['__proto__', post('{"name":"a","__proto__":{"x":1}}'), 'malformed-json', /__proto__/],
    ['unknown field', post('{"name":"a","colour":"red"}'), 'validation-failed', /^colour: is not a field here/],
    ['missing field', post('{}'), 'validation-failed', /^name: is required/],
    ['no body', requestBytes('POST', '/v1/pools', auth), 'validation-failed', /^body: must be object/],
    ['empty JSON body', post(''), 'validation-failed', /^body: must be object/],
    ['null for text', post('{"name":null}'), 'validation-failed', /^name: must be string/],
    ['number for text', post('{"name":12345678901234567890}'), 'validation-failed', /^name: must be string/],
    ['array for text', post('{"name":["x"]}'), 'validation-failed', /^name: must be string/],
    ['text for number', post('{"name":"a","low_stock_threshold":"7"}'), 'validation-failed', /^low_stock_threshold: must be integer or null/],
    ['boolean for number', post('{"name":"a","low_stock_threshold":true}'), 'validation-failed', /^low_stock_threshold: /],
    ['number past integer', post('{"name":"a","low_stock_threshold":2147483648}'), 'validation-failed', /^low_stock_threshold: must be <= 2147483647/],
    ['endless number', post('{"name":"a","low_stock_threshold":1e400}'), 'validation-failed', /^low_stock_threshold: /],
    ['fraction', post('{"name":"a","low_stock_threshold":1.5}'), 'validation-failed', /^low_stock_threshold: /],
    ['unknown word', post('{"name":"a","mode":"dead"}'), 'validation-failed', /^mode: must be one of "live", "test"/],
    ['XML', post('<a/>', { ...auth, 'content-type': 'application/xml' }), 'unsupported-media-type'],
    ['no media type', post('{"name":"a"}', auth), 'unsupported-media-type'],
    ['a form', post('a=b', { ...auth, 'content-type': 'application/x-www-form-urlencoded' }), 'unsupported-media-type'],
    ['nothing, called a form', post('', { ...auth, 'content-type': 'application/x-www-form-urlencoded' }), 'validation-failed', /^body: must be object/],
    ['UTF-16 label', post('{"name":"a"}', { ...auth, 'content-type': 'application/json; charset=utf-16' }), 'unsupported-media-type', /UTF-8/],
    ['compressed', post('{"name":"a"}', { ...json, 'content-encoding': 'gzip' }), 'unsupported-media-type', /content-encoding/],
    ['2 MiB', post(`{"name":"${'a'.repeat(2 * 1024 * 1024)}"}`), 'payload-too-large'],
    ['not HTTP', 'NONSENSE\r\n\r\n', 'malformed-request'],
    ['headers of 20 kB', requestBytes('GET', '/v1/pools', { 'x-long': 'x'.repeat(20_000) }), 'headers-too-large'],
    ['two lengths', 'POST /v1/pools HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n', 'malformed-request'],
  ]
  for (const [name, bytes, type, says = /./] of cases) {
    await t.test(name, async (t) => {
      const answer = await exchange(port, bytes)
      const { errors } = assertProblem(t, answer, type)
      t.match(errors[0], says)
      t.notMatch(answer.body, 'secret-marker')
    })
  }
  t.equal(await db.selectFrom('pools').select('id').executeTakeFirst(), undefined, 'nothing was made')
  const problemJson = await exchange(port, requestBytes('GET', '/v1/pools', { accept: 'text/html, application/problem+json;q=0.9' }))
  assertProblem(t, problemJson, 'unauthorized', 'application/problem+json')
  t.ok(problemJson.headers['www-authenticate'])
})

// Guarantee: what is well-formed goes through: a charset of utf-8, a trailing slash, of duplicate members the last.
t.test('what clients may do', async (t) => {
  const { app, vendor } = await testApp(t)
  const make = (payload: string, contentType = 'application/json') => app.inject({
    method: 'POST', url: '/v1/pools/', headers: { authorization: vendor.authorization.replace('ApiKey', 'BEARER'), 'content-type': contentType }, payload,
  })
  t.equal((await make('{"name":"a","currency":"EUR"}', 'application/json; charset=UTF-8')).statusCode, 201)
  const last = await make('{"name":"a","name":"ключ 🔑","currency":"USD"}')
  t.equal(last.statusCode, 201)
  t.equal(last.json().name, 'ключ 🔑')
  t.match(last.headers['content-type'], /^application\/json/)
})

// Guarantee: a failure of ours says nothing about itself to the caller.
t.test('what goes wrong with us', async (t) => {
  const { app, db, vendor } = await testApp(t)
  await sql`alter table pools rename to puddles`.execute(db)
  const port = await listen(app)
  assertProblem(t, await exchange(port, requestBytes('GET', '/v1/pools', { authorization: vendor.authorization })), 'internal-error')
})

// Guarantee: while the database cannot answer, every answer is a 503 with Retry-After in bounded time, and liveness stays.
t.test('the database cannot answer', async (t) => {
  await t.test('a lock is held', async (t) => {
    const { app, db, vendor } = await testApp(t, { LOCK_TIMEOUT_MS: '100' })
    const port = await listen(app)
    await db.transaction().execute(async (trx) => {
      await sql`lock table pools`.execute(trx)
      const answer = await exchange(port, requestBytes('GET', '/v1/pools', { authorization: vendor.authorization }))
      assertProblem(t, answer, 'unavailable')
      t.equal(answer.headers['retry-after'], '1')
    })
    t.equal((await exchange(port, requestBytes('GET', '/v1/pools', { authorization: vendor.authorization }))).status, 200, 'and goes on at once')
  })
  await t.test('a statement takes too long', async (t) => {
    const { app, db, vendor } = await testApp(t, { STATEMENT_TIMEOUT_MS: '200' })
    await db.transaction().execute(async (trx) => {
      await sql`lock table pools`.execute(trx)
      const answer = await app.inject({ url: '/v1/pools', headers: { authorization: vendor.authorization } })
      t.equal(answer.statusCode, 503)
    })
  })
  await t.test('no connection is free', async (t) => {
    const { app, db, vendor } = await testApp(t, { DATABASE_CONNECTIONS_MAX: '1', CONNECTION_TIMEOUT_MS: '100' })
    await db.transaction().execute(async (trx) => {
      await sql`select 1`.execute(trx)
      const answer = await app.inject({ url: '/v1/pools', headers: { authorization: vendor.authorization } })
      t.equal(answer.statusCode, 503)
      t.equal(answer.headers['retry-after'], '1')
    })
    t.equal((await app.inject({ url: '/v1/pools', headers: { authorization: vendor.authorization } })).statusCode, 200)
  })
  await t.test('nobody is there, or nobody answers', async (t) => {
    const sockets: net.Socket[] = []
    const silent = net.createServer((socket) => { sockets.push(socket.on('error', () => {})) }).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const config = readConfig({ LOG_LEVEL: 'silent', CONNECTION_TIMEOUT_MS: '200' })
    const { port: silentPort } = silent.address() as net.AddressInfo
    t.teardown(() => { silent.close(); for (const socket of sockets) socket.destroy() })
    for (const url of ['postgres://nobody@127.0.0.1:1/none', `postgres://nobody@127.0.0.1:${silentPort}/none`]) {
      const db = connectDatabase(url, config)
      t.teardown(() => db.destroy())
      const { app } = await testApp(t, {}, { db, config })
      const port = await listen(app)
      const answer = await exchange(port, requestBytes('GET', '/v1/pools', { authorization: 'ApiKey SU-000-000-000:lk_x' }))
      assertProblem(t, answer, 'unavailable')
      assertProblem(t, await exchange(port, requestBytes('GET', '/health/ready')), 'unavailable')
      t.equal((await exchange(port, requestBytes('GET', '/health/live'))).status, 200)
    }
  })
  await t.test('it lacks a migration', async (t) => {
    const { app, db } = await testApp(t)
    t.equal((await app.inject('/health/ready')).statusCode, 200)
    await sql`delete from kysely_migration where name like '0006%'`.execute(db)
    const answer = await app.inject('/health/ready')
    t.equal(answer.statusCode, 503)
    t.match(answer.json().detail, /0006_/)
  })
})
