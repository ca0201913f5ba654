import { spawn } from 'node:child_process'
import { sql } from 'kysely'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { newKeyMaterial, readKeyring } from '../../src/sealing.js'
import { assertInvariants } from '../support/invariants.js'
import { hang, receiver, status, type Received } from '../support/receiver.js'
import { program } from '../support/process.js'
import { until } from '../support/until.js'
import { load, orderOf, stockOf } from '../support/vendor.js'
import { answerKeys, demands, due, eventsOf, held, isFulfilled, issue, keysFor, order, reach, scene, SECRET, supplied, webService, work } from './support.js'

const text = (body: string, type = 'text/plain') => status(200, { 'content-type': type }, body)

// Guarantee: whatever is wrong for the time being, the demand is called again by the schedule, as the same call, and the line gets its license in the end.
t.test('temporary errors', async (t) => {
  const it = await scene(t)
  await supplied(it, webService(it, { temporary_pattern: 'ERROR-17' }))
  const { log } = work(t, it)
  const faults: Array<[answer: typeof it.service.answer, error: string]> = [
    [status(500, {}, 'SECRET'), 'the service answered 500'],
    [status(429), 'the service answered 429'],
    [text('SECRET ERROR-17'), 'the service answered a temporary error'],
    [(_, response) => { response.destroy() }, 'no answer: ECONNRESET'],
    [hang, 'no answer within 1000 ms'],
    [(_, response) => { response.writeHead(200, { 'content-length': '100' }).write('SECRET-KEY-'); setTimeout(() => { response.destroy() }, 50) }, 'the answer broke off'],
  ]
  it.service.answer = faults[0]?.[0] ?? hang
  const id = await order(it)
  for (const [i, [, error]] of faults.entries()) {
    const [demand] = await reach(it, id, 'planned', i + 1)
    t.match(demand, { attempts: i + 1, last_error: error, claim_id: null, round: 1 })
    t.ok(Number(demand?.next_attempt_at) > Date.now(), 'not at once')
    it.service.answer = faults[i + 1]?.[0] ?? issue()
    await due(it, id)
  }
  const { keys } = await isFulfilled(it, id)
  t.equal(keys.length, 1)
  t.equal(new Set(it.service.received.map(({ headers }) => headers['idempotency-key'])).size, 1, 'one call, tried again')
  t.equal(new Set(it.service.received.map(({ body }) => body)).size, 1)
  t.equal(it.service.received.length, faults.length + 1)
  t.notMatch(JSON.stringify(log), /SECRET/)
  await assertInvariants(t, it.db)
})

// Guarantee: an answer that cannot be used is fatal for its supply: the next one is asked, and after the last the demand is given up, visibly, while the line
// goes on waiting; by hand it is called anew. Nothing of such an answer is handed out or kept.
t.test('fatal errors', async (t) => {
  const it = await scene(t)
  const other = await receiver(t)
  const target = await receiver(t)
  await load(it.call, it.pool_id, ['ABCD-KNOWN-1'])
  const known = await order(it)
  t.equal((await held(it, known)).keys[0], 'ABCD-KNOWN-1')
  const { log } = work(t, it)
  const faults: Array<[answer: typeof it.service.answer, error: string]> = [
    [status(400, {}, 'SECRET'), 'the service answered 400'],
    [status(302, { location: target.url }), 'the service answered 302'],
    [text(''), 'the answer has 0 of 1 licenses'],
    [text('SECRET-1\nSECRET-2'), 'the answer has 2 of 1 licenses'],
    [text('SECRET\u0007'), 'license 1 of the answer: it holds the control character U+0007'],
    [text('SECRET', 'text/html'), 'the answer is neither text/plain nor application/json'],
    [text('ABCD-KNOWN-1'), 'the service returned a license that exists already'],
  ]
  await supplied(it, webService(it), { type: 'web_service', url: other.url, timeout_s: 1 })
  for (const [answer, error] of faults) {
    it.service.answer = answer
    other.answer = status(404)
    const id = await order(it)
    const [demand] = await reach(it, id, 'given_up')
    t.match(demand, { step: 2, round: 2, attempts: 1, last_error: 'the service answered 404', next_attempt_at: null })
    const reasons = await until('the log', () => { const lines = log.filter((line) => line['order_id'] === id); return lines.length === 2 && lines.map((line) => line['reason']) })
    t.same(reasons, [error, 'the service answered 404'])
    t.match(await held(it, id), { status: 'backordered', keys: [] })
    t.ok((await eventsOf(it, `${id}-1`)).includes('line_item.supply_failed'))
    const list = await it.call('GET', `/v1/supply-orders?order_id=${id}&status=given_up`)
    t.match(list.json(), [{ id: demand?.id, line_item_id: `${id}-1`, last_error: 'the service answered 404' }])
    it.service.answer = issue()
    const retried = await it.call('POST', `/v1/supply-orders/${demand?.id}/retry`, undefined, { 'idempotency-key': id })
    t.match(retried.json(), { round: 3, step: 1 })
    const { keys } = await isFulfilled(it, id)
    t.equal(keys.length, 1)
    t.notMatch(keys.join(), /SECRET|KNOWN/)
    t.equal((await it.call('POST', `/v1/supply-orders/${demand?.id}/retry`)).json().type, '/docs/problems#supply-order-closed')
  }
  t.equal(target.connections(), 0, 'a redirect leads nowhere')
  const ids = [...it.service.received, ...other.received].map(({ headers }) => headers['idempotency-key'])
  t.equal(new Set(ids).size, ids.length, 'another supply and a retry by hand are other calls')
  await assertInvariants(t, it.db)
  const { rows } = await sql<{ text: string }>`
    select string_agg(r::text, ' ') as text from (select r::text from supply_orders r union all select r::text from events r union all select r::text from batches r
      union all select r::text from product_supplies r) r`.execute(it.db)
  t.notMatch(rows[0]?.text + JSON.stringify(log), /SECRET|WEB-0/, 'no key and no answer in rows or log')
})

// Guarantee: a service at an address that may not be called is never connected to, neither by its number nor by what its name leads to.
t.test('addresses', async (t) => {
  const it = await scene(t)
  for (const url of ['http://10.0.0.1/x', 'http://169.254.169.254/', 'http://[::ffff:127.0.0.1]/', 'ftp://example.com/', 'https://user:pass@example.com/', 'x', 'https://example.com/#x']) {
    const answer = await it.call('PUT', `/v1/products/${it.product_id}/supplies`, [{ type: 'web_service', url }])
    t.match([answer.statusCode, answer.json().errors], [400, [/^0\.url: /]], url)
  }
  await supplied(it, webService(it), { type: 'web_service', url: it.service.url.replace('127.0.0.1', 'localhost') })
  work(t, it, { WEBHOOK_ALLOWED_NETWORKS: '10.9.8.0/24' })
  const id = await order(it)
  const [demand] = await reach(it, id, 'given_up')
  t.match(demand, { step: 2, last_error: 'the address is not one that may be called' })
  t.equal(it.service.connections(), 0)
})

// Guarantee: of restock and supply whoever comes first fills the slot, once; a key that comes too late is not lost but in stock, and serves the next.
t.test('restock and supply', async (t) => {
  const it = await scene(t)
  await supplied(it, webService(it, { timeout_s: 10 }))
  work(t, it)
  let answer = (): void => {}
  it.service.answer = ({ headers }, response) => { answer = () => { answerKeys(response, keysFor('LATE', String(headers['idempotency-key']), 1)) } }
  const first = await order(it)
  await until('the call', () => it.service.received.length === 1)
  await load(it.call, it.pool_id, ['ABCD-RESTOCK-1'])
  t.match(await held(it, first), { status: 'fulfilled', keys: ['ABCD-RESTOCK-1'] })
  answer()
  await reach(it, first, 'done')
  t.match(await stockOf(it.call, it.pool_id), { loaded: 2, available: 1, allocated: 1, backordered: 0 })
  const second = await order(it)
  t.match((await held(it, second)).keys, [/^LATE-/], 'the next order has it at once')

  it.service.answer = status(503)
  const third = await order(it)
  await reach(it, third, 'planned', 1)
  await load(it.call, it.pool_id, ['ABCD-RESTOCK-2'])
  t.match((await reach(it, third, 'cancelled'))[0], { last_error: 'the line misses nothing any more' })
  t.same((await held(it, third)).keys, ['ABCD-RESTOCK-2'])

  it.service.answer = issue()
  const many = await Promise.all(Array.from({ length: 8 }, () => order(it, 2)))
  await Promise.all([0, 1, 2, 3].map((i) => load(it.call, it.pool_id, [`ABCD-RACE-${i}-1`, `ABCD-RACE-${i}-2`])))
  const all = (await Promise.all(many.map((id) => isFulfilled(it, id)))).flatMap(({ keys }) => keys)
  t.equal(new Set(all).size, 16)
  await until('no demand to be open', async () => (await it.db.selectFrom('supply_orders').select('id').where('status', 'in', ['planned', 'calling']).execute()).length === 0)
  await assertInvariants(t, it.db)
})

// Guarantee: an order that ends while its license is being made holds nothing, and the license is in stock.
t.test('a cancellation during the call', async (t) => {
  const it = await scene(t)
  await supplied(it, webService(it, { timeout_s: 10 }))
  work(t, it)
  let answer = (): void => {}
  it.service.answer = ({ headers }, response) => { answer = () => { answerKeys(response, keysFor('LATE', String(headers['idempotency-key']), 1)) } }
  const id = await order(it)
  await until('the call', () => it.service.received.length === 1)
  const cancelled = await it.call('POST', `/v1/orders/${id}/cancel`, { reason: 'test' })
  t.equal(cancelled.statusCode, 200, cancelled.body)
  answer()
  await reach(it, id, 'done')
  t.match([await held(it, id), await stockOf(it.call, it.pool_id)], [{ status: 'unfulfilled', keys: [] }, { loaded: 1, available: 1, allocated: 0 }])
  await assertInvariants(t, it.db)
})

// Guarantee: a worker that is killed between the answer and the commit costs no second license: the next one makes the same call again, gets the same key, and
// the slot has it once.
t.test('kill -9 after the call', async (t) => {
  const material = newKeyMaterial()
  const it = { ...await scene(t), keyring: readKeyring(material) }
  await supplied(it, webService(it, { secret: undefined }))
  const pool = await it.db.startTransaction().execute()
  await sql`select from pools where id = ${it.pool_id} for no key update`.execute(pool)
  const placed = orderOf('CRASH-1', { line_items: [{ product: 'sku-pro', quantity: 1 }] })
  const posted = it.call('POST', '/v1/orders', placed)
  await pool.rollback().execute()
  const { id } = (await posted).json<{ id: string }>()
  const lock = await it.db.startTransaction().execute()
  await sql`select from pools where id = ${it.pool_id} for no key update`.execute(lock)
  const start = () => spawn(process.execPath, [...program('test/webhooks/worker-process'), it.url, material, '1000'], {
    env: { ...process.env, NODE_OPTIONS: '' }, stdio: 'ignore',
  })
  const first = start()
  t.teardown(() => first.kill('SIGKILL'))
  await until('the call', () => it.service.received.length === 1, 30_000)
  await until('the commit to wait', async () => {
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%"pools"%'`.execute(it.db)
    return (rows[0]?.n ?? 0) > 0
  }, 30_000)
  first.kill('SIGKILL')
  await until('it to be dead', () => first.signalCode !== null)
  await lock.rollback().execute()
  t.match(await demands(it, id), [{ status: 'calling', batch_id: null }])
  await sql`update supply_orders set next_attempt_at = now()`.execute(it.db) // the lease has lapsed
  work(t, it)
  const { keys } = await isFulfilled(it, id)
  t.equal(keys.length, 1)
  t.equal(it.service.received.length, 2)
  t.equal(it.service.received[0]?.headers['idempotency-key'], it.service.received[1]?.headers['idempotency-key'])
  t.match(await stockOf(it.call, it.pool_id), { loaded: 1, available: 0, allocated: 1 })
  await assertInvariants(t, it.db)
})

// Guarantee: names are sent as the vendor wants them, in the documented order, by POST and by GET; a GET is encoded so that any server reads it, and
// signed by its query.
t.test('names and encoding', async (t) => {
  const it = await scene(t)
  work(t, it)
  const customer = { email: 'zoe+1@example.com', first_name: 'Zoë & "Co"', last_name: 'Ö/Ä', company: '50% = ?', country: 'DE' }
  const names = { Order: 'order_no', Zone: 'z', Fullname: 'fullname', Email: 'mail', Unit: 'n', Company: 'Firma', Locale: 'locale' }
  await supplied(it, webService(it, { names, secret: SECRET }))
  const one = await order(it, 2, { external_id: 'A&B=ü 1', customer, locale: 'de_DE' })
  await isFulfilled(it, one)
  const values = (n: number): string => `{"order_no":"A&B=ü 1","Item":"${one}-1","ID":"${it.product_id}","Quantity":"1","Order_sum":"98.00","Currency":"EUR","z":"DE",` +
    `"n":"${n}","fullname":"Zoë & \\"Co\\" Ö/Ä","mail":"zoe+1@example.com","Firma":"50% = ?","locale":"de_DE"}`
  t.same(it.service.received.map(({ body }) => body).sort(), [values(1), values(2)])

  await supplied(it, { type: 'web_service', url: `${it.service.url}?fixed=1`, method: 'GET', names: { Order: 'order_no', Email: 'mail' }, secret: SECRET })
  const two = await order(it, 1, { external_id: 'A&B=ü 2', customer })
  await isFulfilled(it, two)
  const { method, path, body, headers } = it.service.received.at(-1) as Received
  const query = `fixed=1&order_no=A%26B%3D%C3%BC%202&Item=${two}-1&ID=${it.product_id}&Quantity=1&Order_sum=49.00&Currency=EUR&Zone=DE&mail=zoe%2B1%40example.com`
  t.same([method, path, body], ['GET', `/hook?${query}`, ''])
  const sent_at = new Date(Number(headers['webhook-timestamp']) * 1000)
  t.equal(headers['webhook-signature'], new Webhook(SECRET).sign(String(headers['webhook-id']), sent_at, query))
  await assertInvariants(t, it.db)
})
