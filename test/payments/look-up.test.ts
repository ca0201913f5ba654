import { spawn } from 'node:child_process'
import { createHmac, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.js'
import { lookUpDelayMs, LOOK_UP_DELAYS_MS } from '../../src/payments/look-up-schedule.js'
import type { Keyring } from '../../src/sealing.js'
import { startWorker } from '../../src/worker.js'
import { assertInvariants } from '../support/invariants.js'
import { hang, receiver, status, type Received, type Receiver } from '../support/receiver.js'
import { program } from '../support/process.js'
import { until } from '../support/until.js'
import { postMessage, type Message } from '../support/webhooks.js'
import { orderOf, shopOf, type Shop } from './matrix.js'

const API_KEY = 'pdl_live_apikey_CANARY51c8e0aa'
const PERSON = JSON.stringify({ data: { id: 'ctm_1', email: 'ada@example.com', name: 'Ada Lovelace', locale: 'en' } })

/** Paddle's own way to sign: `ts:body`, with the whole secret. Its transactions name a customer and no address, so it has to be asked. */
const sender = {
  kind: 'paddle' as const,
  product: 'pri_pro',
  newSecret: () => `pdl_ntfset_${randomUUID()}`,
  sign ({ body }: { body: string | Buffer }, [secret = '']: readonly string[], at: Date): Message {
    const ts = String(Math.floor(at.getTime() / 1000))
    const h1 = createHmac('sha256', secret).update(`${ts}:${String(body)}`).digest('hex')
    return { headers: ['content-type', 'application/json', 'paddle-signature', `ts=${ts};h1=${h1}`], body: Buffer.from(body as string) }
  },
}

function transaction (id: string, event_id = `evt_${id}`): { body: string } {
  const line_items = [{ id: `txnitm_${id}`, price_id: 'pri_pro', quantity: 1, unit_totals: { total: '4900' }, product: { id: 'pro_1' } }]
  const data = { id, customer_id: 'ctm_1', currency_code: 'EUR', origin: 'web', items: [], details: { totals: { total: '4900', grand_total: '4900' }, line_items } }
  return { body: JSON.stringify({ event_id, event_type: 'transaction.completed', occurred_at: '2026-01-31T10:15:00Z', data }) }
}

interface Scene extends Shop { api: Receiver, log: string[], event: (id: unknown) => Promise<Record<string, unknown>> }

const person = status(200, { 'content-type': 'application/json' }, PERSON)

async function scene (t: Test, { works = true } = {}): Promise<Scene> {
  const api = await receiver(t, person)
  const shop = await shopOf(t, sender, { api_key: API_KEY, api_url: `http://127.0.0.1:${api.port}` })
  const log: string[] = []
  if (works) work(t, shop, log)
  return { ...shop, api, log, event: async (id) => (await shop.call('GET', `/v1/payment-events/${String(id)}`)).json() }
}

function work (t: Test, { db, keyring }: { db: Shop['db'], keyring: Keyring }, log: string[]): void {
  const config = readConfig({ SMTP_URL: 'smtp://127.0.0.1:1', WORKER_POLL_MS: '20', WEBHOOK_TIMEOUT_MS: '400' })
  const note = (...given: unknown[]): void => { log.push(JSON.stringify(given)) }
  const worker = startWorker({ db, config, keyring, log: { info: note, warn: note, error: note } })
  t.teardown(() => worker.stop(0))
}

const makeDue = ({ db }: Shop) => sql`update payment_events set next_attempt_at = now() where status = 'waiting' and next_attempt_at is not null`.execute(db)
const becomes = (shop: Scene, id: unknown, wanted: string) => until(`the event to be ${wanted}`, async () => {
  const event = await shop.event(id)
  return event['status'] === wanted && event
})

// Guarantee: what an event does not carry is asked for after the event is durable, with the vendor's key; then it is an order. A replay asks nothing.
t.test('a look-up', async (t) => {
  const shop = await scene(t, { works: false })
  const { status: code, json } = await shop.send(transaction('txn_1'))
  t.match({ status: code, json }, { status: 202, json: { status: 'waiting', order_id: null, reason: /asked/ } })
  t.equal(shop.api.received.length, 0, 'nothing is asked while the checkout waits for its answer')
  t.match(await shop.send(transaction('txn_1')), { status: 202, json: { id: json['id'], status: 'waiting' } }, 'sent again meanwhile')
  work(t, shop, shop.log)
  const event = await becomes(shop, json['id'], 'processed')
  t.match(event, { reason: null, attempts: 1 })
  t.match(await orderOf(shop, event['order_id']), { external_id: 'txn_1', customer: { email: 'ada@example.com', first_name: 'Ada' }, fulfillment_status: 'fulfilled' })
  t.equal(shop.api.received.length, 1)
  t.match(shop.api.received[0], { method: 'GET', path: '/customers/ctm_1', headers: { authorization: `Bearer ${API_KEY}`, 'paddle-version': '1', accept: 'application/json' } })
  shop.api.answer = status(500)
  t.match((await shop.call('POST', `/v1/payment-events/${String(json['id'])}/replay`)).json(), { status: 'processed', order_id: event['order_id'] })
  t.match(await shop.send(transaction('txn_1')), { status: 200, json: { status: 'processed' } })
  t.equal(shop.api.received.length, 1, 'neither asks again')
  await assertInvariants(t, shop.db)
})

/** What may go better later, and what its reason says. */
const passing: Record<string, [answer: Receiver['answer'], reason: RegExp, wait_ms?: number]> = {
  'a 500': [status(500), /^the customer: the checkout answered 500/],
  'a 503 that names a time': [status(503, { 'retry-after': '3600' }), /answered 503/, 3_600_000],
  'a 429': [status(429, { 'retry-after': '120' }), /answered 429/, 120_000],
  'a page that is no JSON': [status(200, {}, '<html>maintenance</html>'), /no JSON/],
  nothing: [status(204), /no JSON/],
  'JSON past 1 MiB': [status(200, {}, JSON.stringify({ pad: 'x'.repeat(1024 * 1024) })), /more than 1 MiB/],
  'JSON with NUL': [status(200, {}, '{"data":{"email":"a\\u0000"}}'), /no JSON/],
  'no answer in time': [hang, /^the customer: no answer within 400 ms/],
  'a connection that is cut': [(_, response) => { response.destroy() }, /^the customer: no answer: ECONNRESET/],
}

// Guarantee: an API that is down, slow, overrun or answers garbage puts the event off, for as long as the table or the API says; it is not lost.
t.test('put off', async (t) => {
  const shop = await scene(t)
  for (const [name, [answer, reason, wait_ms = LOOK_UP_DELAYS_MS[0] as number]] of Object.entries(passing)) {
    shop.api.answer = answer
    const { json: { id } } = await shop.send(transaction(`txn ${name}`))
    const event = await until(name, async () => {
      const event = await shop.event(id)
      return reason.test(String(event['reason'])) && event
    })
    const wait = Date.parse(String(event['next_attempt_at'])) - Date.now()
    t.match(event, { status: 'waiting', attempts: 1, order_id: null }, name)
    t.ok(wait > wait_ms * 0.8 && wait < wait_ms * 1.25, `${name}: asked again after ${wait} ms`)
  }
  shop.api.answer = person
  await makeDue(shop)
  await until('all to be orders', async () => (await shop.call('GET', '/v1/orders')).json<unknown[]>().length === Object.keys(passing).length)
  await assertInvariants(t, shop.db)
})

/** What only a person can mend. */
const final: Record<string, [answer: (elsewhere: Receiver) => Receiver['answer'], reason: RegExp]> = {
  'a 401': [() => status(401, {}, API_KEY), /answered 401: it does not accept the api_key of the source; mend it by PUT/],
  'a 403': [() => status(403), /answered 403: the api_key of the source may not read it/],
  'a 404': [() => status(404), /answered 404: it knows no such thing/],
  'a 400': [() => status(400), /answered 400: it refuses the question/],
  'a redirect': [({ url }) => status(302, { location: url }), /answered 302/],
}

// Guarantee: a key that is refused is no reason to go on asking: the event has failed with what mends it, and is replayed once it is. No
// redirect takes the key elsewhere.
t.test('refused', async (t) => {
  const shop = await scene(t)
  const elsewhere = await receiver(t)
  for (const [name, [answer, reason]] of Object.entries(final)) {
    shop.api.answer = answer(elsewhere)
    const { json: { id } } = await shop.send(transaction(`txn ${name}`))
    t.match(await becomes(shop, id, 'failed'), { reason, attempts: 1, next_attempt_at: null }, name)
    t.match((await shop.call('GET', `/v1/events?type=payment_event.failed&subject_id=${String(id)}`)).json(), { length: 1 }, `${name}: on the audit trail`)
  }
  t.equal(elsewhere.connections(), 0)
  shop.api.answer = (received: Received, response) => { (received.headers.authorization === 'Bearer better' ? person : status(401))(received, response) }
  t.equal((await shop.call('PUT', `/v1/payment-sources/${shop.source.id}`, { api_key: 'better' })).statusCode, 200)
  const failed = (await shop.call('GET', '/v1/payment-events?status=failed')).json<Array<{ id: string }>>()
  t.equal(failed.length, Object.keys(final).length)
  for (const { id } of failed) t.match((await shop.call('POST', `/v1/payment-events/${id}/replay`)).json(), { status: 'waiting', attempts: 0 })
  for (const { id } of failed) await becomes(shop, id, 'processed')
  await assertInvariants(t, shop.db)
})

// Guarantee: what the checkout answered and is not enough is asked for again when the event is replayed.
t.test('an answer that lacks something', async (t) => {
  const shop = await scene(t)
  shop.api.answer = status(200, {}, JSON.stringify({ data: { id: 'ctm_1', email: null } }))
  const { json: { id } } = await shop.send(transaction('txn_1'))
  t.match(await becomes(shop, id, 'failed'), { reason: /email/ })
  shop.api.answer = person
  t.equal((await shop.call('POST', `/v1/payment-events/${String(id)}/replay`)).json().status, 'waiting')
  await becomes(shop, id, 'processed')
  t.equal(shop.api.received.length, 2)
  await assertInvariants(t, shop.db)
})

// Guarantee: after the last try an event has failed, loudly; until then every wait is the table's.
t.test('every try', async (t) => {
  for (const [index, delay] of LOOK_UP_DELAYS_MS.entries()) {
    const wait = lookUpDelayMs(index + 1, 0) ?? 0
    t.ok(wait >= delay && wait <= delay * 1.2)
  }
  t.equal(lookUpDelayMs(LOOK_UP_DELAYS_MS.length + 1, 0), undefined)
  const shop = await scene(t)
  shop.api.answer = status(500)
  const { json: { id } } = await shop.send(transaction('txn_1'))
  for (let attempt = 1; attempt <= LOOK_UP_DELAYS_MS.length; attempt++) {
    await until(`the note of try ${attempt}`, () => shop.log.filter((line) => line.includes('payment event asked for')).length === attempt)
    t.match(await shop.event(id), { status: 'waiting', attempts: attempt, reason: /answered 500$/ })
    await makeDue(shop)
  }
  t.match(await becomes(shop, id, 'failed'), { attempts: LOOK_UP_DELAYS_MS.length + 1, reason: /answered 500; every try was used up/ })
  t.equal(shop.api.received.length, LOOK_UP_DELAYS_MS.length + 1)
})

// Guarantee: a worker that dies between the call and its note leaves the event to its lease: it is all done again, and once.
t.test('killed while it asks', async (t) => {
  const shop = await scene(t, { works: false })
  shop.api.answer = hang
  const { json: { id } } = await shop.send(transaction('txn_1'))
  const material = [...shop.keyring.versions].map(([version, key]) => `${version}=${key.toString('base64')}`)
  const child = spawn(process.execPath, [...program('test/webhooks/worker-process'), shop.url, [`fingerprint=${Buffer.alloc(32).toString('base64')}`, ...material].join(), '60000'])
  t.teardown(() => child.kill('SIGKILL'))
  await until('the call', () => shop.api.received.length === 1)
  child.kill('SIGKILL')
  t.match(await shop.event(id), { status: 'waiting', attempts: 1 })
  shop.api.answer = person
  work(t, shop, shop.log)
  await new Promise((resolve) => setTimeout(resolve, 200))
  t.equal(shop.api.received.length, 1, 'the lease is respected')
  await makeDue(shop)
  t.match(await becomes(shop, id, 'processed'), { attempts: 2 })
  t.match((await shop.call('GET', '/v1/orders')).json(), { length: 1 })
  await assertInvariants(t, shop.db)
})

// Guarantee: a checkout whose API hangs is called two at a time, and keeps no other source waiting.
t.test('fairness', async (t) => {
  const shop = await scene(t, { works: false })
  let [under_way, most] = [0, 0]
  shop.api.answer = (_, response) => {
    most = Math.max(most, ++under_way)
    response.on('close', () => { under_way-- })
  }
  for (let n = 0; n < 20; n++) await shop.send(transaction(`txn_${n}`))
  const quick = await receiver(t, person)
  const made = await shop.call('POST', '/v1/payment-sources', { kind: 'paddle', name: 'b', secret: shop.source.secret, api_key: API_KEY, api_url: `http://127.0.0.1:${quick.port}` })
  const message = sender.sign(transaction('txn_b'), [shop.source.secret], new Date())
  const posted = await postMessage(shop.port, String(made.json().id), message)
  work(t, shop, shop.log)
  await becomes(shop, posted.json['id'], 'processed')
  t.ok(most <= 2, `${most} at a time`)
})

// Guarantee: the vendor's key is in the call and nowhere else: in no log, no answer of the API, no event, and in clear nowhere in the database,
// not even where the checkout repeats it.
t.test('the key', async (t) => {
  const shop = await scene(t)
  shop.api.answer = status(200, {}, JSON.stringify({ data: { ...(JSON.parse(PERSON) as { data: object }).data, echo: `you sent ${API_KEY}` } }))
  await becomes(shop, (await shop.send(transaction('txn_1'))).json['id'], 'processed')
  shop.api.answer = status(401, { 'www-authenticate': API_KEY }, API_KEY)
  await becomes(shop, (await shop.send(transaction('txn_2'))).json['id'], 'failed')
  const shown = await Promise.all(['/v1/payment-sources', `/v1/payment-sources/${shop.source.id}`, '/v1/payment-events', '/v1/events?limit=1000', `/v1/payment-sources/${shop.source.id}/secrets`]
    .map(async (url) => (await shop.call('GET', url)).body))
  t.match(shown[1], '"has_api_key":true')
  const { rows: tables } = await sql<{ name: string }>`select quote_ident(tablename) as name from pg_tables where schemaname = 'public'`.execute(shop.db)
  for (const { name } of tables) {
    const { rows } = await sql<{ row: string }>`select r::text as row from ${sql.raw(name)} r`.execute(shop.db)
    shown.push(...rows.map(({ row }) => row))
  }
  const needle = 'CANARY51c8e0aa'
  const forms = [needle, Buffer.from(needle).toString('hex'), Buffer.from(needle).toString('base64').slice(0, 16)]
  for (const text of [...shown, ...shop.log]) for (const form of forms) if (text.includes(form)) t.fail(text.slice(0, 200))
  t.ok(shop.log.some((line) => line.includes('payment event asked for')), 'while the log tells of it')
})
