import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { sql } from 'kysely'
import t from 'tap'
import { testApp } from '../support/app.js'
import { exchange, listen, parseAnswer } from '../support/socket.js'

interface Got { status: number, connection: string | undefined }

function get (agent: http.Agent, port: number, path: string, headers: http.OutgoingHttpHeaders = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    http.get({ agent, port, path, headers, host: '127.0.0.1' }, (response) => {
      response.resume().on('end', () => { resolve({ status: response.statusCode ?? 0, connection: response.headers.connection }) })
    }).on('error', reject)
  })
}

// Guarantee: closing answers what is in flight, tells its client to go, and does not wait for connections that carry nothing.
t.test('a drain takes under a second with keep-alive clients', async (t) => {
  const { app, db, vendor } = await testApp(t)
  const port = await listen(app)
  const agent = new http.Agent({ keepAlive: true })
  t.teardown(() => { agent.destroy() })
  await Promise.all(Array.from({ length: 5 }, () => get(agent, port, '/health/live')))
  const unused = net.connect(port, '127.0.0.1').on('error', () => {})
  await once(unused, 'connect')

  let closed: Promise<void> | undefined
  let started = 0
  const inFlight = await db.transaction().execute(async (trx) => {
    await sql`lock table pools`.execute(trx)
    const answer = get(agent, port, '/v1/pools', { authorization: vendor.authorization })
    await waitsForLock(trx)
    started = performance.now()
    closed = app.close()
    return { answer }
  })
  t.strictSame(await inFlight.answer, { status: 200, connection: 'close' })
  await closed
  const ms = performance.now() - started
  t.ok(ms < 1000, `closed after ${Math.round(ms)} ms`)
  await t.rejects(get(agent, port, '/health/live'), { code: 'ECONNREFUSED' }, 'nothing new is taken')
})

/** Until the request has reached the database and stands before the lock. */
async function waitsForLock (db: Parameters<ReturnType<typeof sql>['execute']>[0]): Promise<void> {
  for (;;) {
    const { rows } = await sql`select from pg_locks where not granted and relation = 'pools'::regclass`.execute(db)
    if (rows.length > 0) return
  }
}

// Guarantee: a client that drips its headers or its body is cut in bounded time, with an answer, and does not hold others up.
t.test('slow clients', async (t) => {
  const { app, vendor } = await testApp(t, { REQUEST_TIMEOUT_MS: '300' })
  const port = await listen(app)
  const started = performance.now()
  const slow = [
    exchange(port, 'GET /v1/pools HTTP/1.1\r\nhost: a\r\n'),
    exchange(port, `POST /v1/pools HTTP/1.1\r\nhost: a\r\nauthorization: ${vendor.authorization}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"name"`),
    exchange(port, 'POST /v1/pools HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"name"'),
  ]
  t.equal((await app.inject('/health/live')).statusCode, 200)
  const answers = await Promise.all(slow)
  t.ok(performance.now() - started < 3000)
  t.strictSame(answers.map(({ status }) => status), [408, 408, 401])
  for (const { headers, body } of answers) {
    t.equal(headers['content-type'], 'application/json')
    t.equal(headers['connection'], 'close')
    t.match(JSON.parse(body), { status: Number, request_id: headers['x-request-id'] })
  }
})

// Guarantee: requests on one connection are answered in order, each with an id of its own.
t.test('pipelined requests', async (t) => {
  const { app } = await testApp(t)
  const port = await listen(app)
  const first = 'GET /v1/nothing HTTP/1.1\r\nhost: a\r\nx-request-id: mine\r\n\r\n'
  const { headers, body } = await exchange(port, first + first.replace('host: a', 'host: a\r\nconnection: close'))
  const firstLength = Number(headers['content-length'])
  const second = parseAnswer(body.slice(firstLength))
  t.equal(second.status, 404)
  t.not(headers['x-request-id'], second.headers['x-request-id'])
  t.not(headers['x-request-id'], 'mine', 'request ids are of our own making')
})
