import jwt from 'jsonwebtoken'
import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { connectTime } from '../../src/connect-time.js'
import { callValidator } from '../../src/webhooks/call-validator.js'
import { findValidators } from '../../src/webhooks/find-target.js'
import { ATTEMPTS_MAX, RETRY_DELAYS_MS, retryDelayMs } from '../../src/webhooks/schedule.js'
import { hang, receiver, status, type Received } from '../support/receiver.js'
import { until } from '../support/until.js'
import { CHANGE, changeOf, due, JWT_SECRET, makeWebhook, messagesOf, reaches, scene, statistics, tell, WEBHOOKS, work } from './support.js'

const HOUR = 3600_000

// Guarantee: a signal is Connect's call: its body, its method, the owner's headers, and a token that a JWT library verifies.
t.test('a signal', async (t) => {
  const it = await scene(t)
  const hook = await receiver(t, status(200, {}, 'thank you'))
  const { id } = await makeWebhook(it, hook.url, { label: 'My hook', headers: { 'X-Team': 'blue' }, data: { room: 7 } })
  const { log } = work(t, it)
  await tell(it, changeOf(it))
  const message = await reaches(it, id, 'sent')
  t.match(message, { kind: 'signal', attempts: 1, next_attempt_at: null, last_error: null })
  t.match(message.attempt_log, [{ attempt: 1, outcome: 'sent', status_code: 200, response: 'thank you', error: null }])
  const [received] = hook.received as [Received]
  t.match(received, { method: 'POST', path: '/hook', headers: { 'content-type': 'application/json', 'x-team': 'blue', 'user-agent': 'Latchkey-Webhooks' } })
  const body = JSON.parse(received.body)
  const account_id = it.vendor.account_id
  t.match(body, { triggered_at: /\+00:00$/ })
  t.strictSame(body, {
    ...{ webhook_id: id, webhook_name: 'My hook', object_class: 'fulfillment_request', account_id, product_id: it.product_id },
    ...{ api_url: 'https://licenses.example.com/v1/requests', triggered_at: body.triggered_at, last_success_at: null, last_failure_at: null },
    ...{ processing_timeout: 600, data: { room: 7 } },
  })
  const claims = jwt.verify(String(received.headers.authorization).replace(/^Bearer /, ''), JWT_SECRET, { algorithms: ['HS256'], issuer: 'https://licenses.example.com' }) as jwt.JwtPayload
  t.match(claims, { webhook_id: id, iat: Number, exp: Number })
  t.equal((claims.exp ?? 0) - (claims.iat ?? 0), 300)
  t.throws(() => jwt.verify(String(received.headers.authorization).replace(/^Bearer /, ''), 'another'))

  await it.call('PUT', `${WEBHOOKS}/${id}`, { http_method: 'GET' })
  t.match((await it.call('POST', `${WEBHOOKS}/${id}/trigger`)).json(), { id })
  await until('the second call', () => hook.received.length === 2)
  t.match(hook.received[1], { method: 'GET', body: '', headers: { authorization: /^Bearer / } })
  const shown = await until('the note', async () => { const now = await statistics(it, id); return now.stats.triggers === 2 && now })
  t.match(shown, {
    stats: { events: 1, triggers: 2, success_triggers: 2, failure_triggers: 0, failure_since_last_success: 0 },
    last_event: connectTime(message.created_at),
    last_success: { status: 'success', status_code: 200, response: 'thank you', duration: Number, errors: [], time: /\+00:00$/ },
    last_failure: null,
    earliest_possible_trigger: null,
  })
  t.match(log.find((line) => line['message'] === 'webhook attempt'), { webhook_id: id, message_id: message.id, outcome: 'sent', status: 'sent', status_code: 200, ms: Number })
  t.notMatch(JSON.stringify([log, shown, message]), /blue|only the two|eyJ/, 'no secret in log or record')
})

// Guarantee: a change is one thin message, that the library of Standard Webhooks verifies; tried again it has the same id and body and a fresh timestamp.
t.test('a change, and its second try', async (t) => {
  const it = await scene(t)
  const hook = await receiver(t, status(500, {}, 'oh no'))
  const { id, signing_secret } = await makeWebhook({ ...it, call: it.asProvider }, hook.url, CHANGE)
  t.match(signing_secret, /^whsec_/)
  work(t, it)
  await tell(it, changeOf(it, { data: { id: 'PR-1', type: 'purchase', status: 'approved' } }))
  const first = await reaches(it, id, 'planned', 1)
  t.match(first, { last_error: 'the endpoint answered 500' })
  t.match(first.attempt_log, [{ outcome: 'failed', status_code: 500, response: 'oh no' }])
  const wait = Number(first.next_attempt_at) - Number(first.attempt_log[0]?.finished_at)
  t.ok(wait >= 5000 && wait <= 6000, `the first wait of the schedule: ${wait}`)
  await until('another second', () => Date.now() - (hook.received[0]?.at ?? 0) > 1000)
  hook.answer = status(204)
  await due(it, id)
  await reaches(it, id, 'sent', 2)
  const [one, two] = hook.received as [Received, Received]
  for (const { headers, body } of [one, two]) {
    t.strictSame(new Webhook(signing_secret).verify(body, headers as Record<string, string>), {
      type: 'fulfillment_request.approved', timestamp: first.created_at.toISOString(), data: { id: 'PR-1', type: 'purchase', status: 'approved' },
    })
    t.equal(headers['webhook-id'], first.id)
    t.equal(headers.authorization, undefined)
  }
  t.equal(one.body, two.body)
  t.ok(Number(two.headers['webhook-timestamp']) > Number(one.headers['webhook-timestamp']))
  const shown = (await it.asProvider('GET', `${WEBHOOKS}/${id}`)).json()
  t.match(shown, { stats: { events: 1, triggers: 2, success_triggers: 1, failure_triggers: 1, failure_since_last_success: 0 }, last_failure: { status_code: 500, response: 'oh no', status: 'failure' } })
})

// Guarantee: while a secret is rotated a message has two signatures, so that a receiver verifies with either; afterwards the old one is worth nothing.
t.test('rotation', async (t) => {
  const it = await scene(t)
  const hook = await receiver(t)
  const { id, signing_secret: old } = await makeWebhook(it, hook.url, CHANGE)
  const rotate = async (body?: object) => (await it.call('POST', `${WEBHOOKS}/${id}/rotate-secret`, body, { 'idempotency-key': JSON.stringify(body ?? 1) })).json()
  const { signing_secret: fresh, old_until } = await rotate()
  t.not(fresh, old)
  t.ok(Math.abs(Date.parse(old_until) - Date.now() - 24 * HOUR) < 60_000, 'a day')
  t.equal((await rotate()).signing_secret, fresh, 'the answer is given again for the same key')
  work(t, it)
  await tell(it, changeOf(it))
  await until('a message', () => hook.received.length === 1)
  const verify = (secret: string, { body, headers }: Received): unknown => new Webhook(secret).verify(body, headers as Record<string, string>)
  const [both] = hook.received as [Received]
  t.equal(String(both.headers['webhook-signature']).split(' ').length, 2)
  t.doesNotThrow(() => verify(old, both))
  t.doesNotThrow(() => verify(fresh, both))
  const { signing_secret: newest } = await rotate({ overlap_hours: 0 })
  await tell(it, changeOf(it))
  await until('another', () => hook.received.length === 2)
  const [, last] = hook.received as [Received, Received]
  t.equal(String(last.headers['webhook-signature']).split(' ').length, 1)
  t.doesNotThrow(() => verify(newest, last))
  for (const secret of [old, fresh]) t.throws(() => verify(secret, last))
  t.equal((await it.call('POST', `${WEBHOOKS}/${id}/rotate-secret`, { overlap_hours: 200 })).statusCode, 400)
})

// Guarantee: changes made while a signal waits are told by one call, that starts after the last of them; one made during the call gets a call of its own.
t.test('signals are merged', async (t) => {
  const it = await scene(t)
  const hook = await receiver(t, hang)
  const { id } = await makeWebhook(it, hook.url)
  for (let i = 0; i < 20; i++) await tell(it, changeOf(it))
  const uncommitted = await it.db.startTransaction().execute()
  await uncommitted.insertInto('webhook_messages').values({ account_id: it.vendor.account_id, webhook_id: id, kind: 'signal', event: 'late' }).execute()
  work(t, it)
  await until('the call', () => hook.received.length === 1)
  t.equal((await messagesOf(it, id)).length, 1, 'twenty changes, one message')
  t.equal((await statistics(it, id)).stats.events, 20)
  await uncommitted.commit().execute()
  hook.answer = status(204)
  await until('a call for what was committed after the first began', () => hook.received.length === 2)
  await tell(it, changeOf(it))
  await until('a call', () => hook.received.length === 3)
  t.equal((await statistics(it, id)).stats.events, 22)
})

// Guarantee (E1): ten tries in over 75 hours of changes, hourly ones of signals, spread by chance; Retry-After is honoured, but for no more than a day.
t.test('the schedule', async (t) => {
  for (const kind of ['change', 'signal'] as const) {
    t.ok(RETRY_DELAYS_MS[kind].reduce((sum, delay) => sum + delay) >= 75 * HOUR)
    t.ok(ATTEMPTS_MAX[kind] >= 10)
    RETRY_DELAYS_MS[kind].forEach((delay, i) => {
      const waits = Array.from({ length: 50 }, () => retryDelayMs(kind, i + 1) ?? 0)
      t.ok(waits.every((wait) => wait >= delay && wait <= delay * 1.2) && new Set(waits).size > 1)
    })
    t.equal(retryDelayMs(kind, ATTEMPTS_MAX[kind]), undefined)
  }
  const between = (wait: number | undefined, low: number, high: number) => t.ok(wait !== undefined && wait >= low && wait <= high * 1.2, String(wait))
  between(retryDelayMs('change', 1, '120'), 120_000, 120_000)
  between(retryDelayMs('change', 1, '1'), 5000, 5000)
  between(retryDelayMs('change', 1, '99999999'), 24 * HOUR, 24 * HOUR)
  between(retryDelayMs('change', 1, new Date(Date.now() + 120_000).toUTCString()), 118_000, 120_000)
  for (const noise of ['-5', 'soon', 'Sun, 06 Nov 1994 08:49:37 GMT', '1e9']) between(retryDelayMs('change', 1, noise), 5000, 5000)
})

// Guarantee: a stop lets a call under way finish, or gives it back at once; inactive in between, it is not called.
t.test('a graceful stop', async (t) => {
  const it = await scene(t)
  const hook = await receiver(t, hang)
  const { id } = await makeWebhook(it, hook.url, CHANGE)
  const first = work(t, it)
  await tell(it, changeOf(it))
  await until('the call', () => hook.received.length === 1)
  await first.worker.stop(50)
  t.match(await reaches(it, id, 'planned', 1), { last_error: 'the worker stopped', attempt_log: [{ outcome: 'released' }] })
  t.match(await statistics(it, id), { stats: { triggers: 0 } })

  let answer = (): void => {}
  hook.answer = (_, response) => { answer = () => { response.end() } }
  const patient = work(t, it)
  await until('the second call', () => hook.received.length === 2)
  const stopped = patient.worker.stop(30_000)
  answer()
  await stopped
  await reaches(it, id, 'sent', 2)
})

// Guarantee: a validating webhook gets the draft and gives its answer back; whatever else it does, the validation just could not run, in bounded time.
t.test('validators', async (t) => {
  const it = await scene(t)
  const hook = await receiver(t, ({ body }, response) => { response.end(JSON.stringify({ ...JSON.parse(body), seen: true })) })
  const { id } = await makeWebhook(it, hook.url, { type: 'validator' })
  await makeWebhook(it, hook.url, { type: 'validator', active: false })
  await makeWebhook(it, hook.url, { type: 'change_validator' })
  const found = await findValidators(it.db, it.keyring, { account_id: it.vendor.account_id, product_id: it.product_id, type: 'validator' })
  t.strictSame(found.map((target) => target.id), [id])
  const [target] = found as [typeof found[number]]
  const line = { timeout_ms: 500, allowed_networks: it.config.webhook_allowed_networks }
  const ask = (draft: unknown) => callValidator({ db: it.db, line, public_url: 'https://licenses.example.com' }, target, draft)
  t.strictSame(await ask({ id: 'PR-1', asset: { params: [{ id: 'p', value: 'ü' }] } }), { id: 'PR-1', asset: { params: [{ id: 'p', value: 'ü' }] }, seen: true })
  const [{ headers }] = hook.received as [Received]
  t.match(jwt.verify(String(headers.authorization).slice('Bearer '.length), JWT_SECRET), { webhook_id: id })
  const useless: Array<(typeof hook)['answer']> = [
    hang, status(500, {}, '{}'), status(302, { location: hook.url }, '{}'), status(200, {}, 'no JSON'), status(200, {}, '{"a": "\\u0000"}'), status(204),
    status(200, {}, `{"a": "${'x'.repeat(2 * 1024 * 1024)}"}`), (_, response) => { response.destroy() },
  ]
  for (const answer of useless) {
    hook.answer = answer
    const before = Date.now()
    t.equal(await ask({}), undefined)
    t.ok(Date.now() - before < 5000)
  }
  t.match(await statistics(it, id), { stats: { triggers: 9, success_triggers: 5, failure_triggers: 4 } })
})
