import { spawn } from 'node:child_process'
import { sql } from 'kysely'
import t from 'tap'
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { newKeyMaterial, readKeyring } from '../../src/sealing.js'
import { claimMessages, type ClaimedMessage } from '../../src/webhooks/claim.js'
import { finishMessage } from '../../src/webhooks/finish.js'
import { ATTEMPTS_MAX } from '../../src/webhooks/schedule.js'
import { sealSecret } from '../../src/webhooks/secrets.js'
import { newSigningSecret } from '../../src/webhooks/sign.js'
import { hang, receiver, status } from '../support/receiver.js'
import { program } from '../support/process.js'
import { until } from '../support/until.js'
import { CHANGE, changeOf, due, eventsOf, makeWebhook, messagesOf, reaches, scene, statistics, tell, WEBHOOKS, work, type Scene } from './support.js'

const HOUR = 3600_000

// Guarantee (E3): only 2xx is success; a redirect is not followed, whatever it says; each failure is on record, and the last one ends in an event.
t.test('failures', async (t) => {
  const it = await scene(t)
  const canary = await receiver(t)
  const hook = await receiver(t)
  const { id } = await makeWebhook(it, hook.url, CHANGE)
  work(t, it, { WEBHOOK_TIMEOUT_MS: '300' })
  await tell(it, changeOf(it))
  await reaches(it, id, 'sent')
  const [{ id: message = '' } = {}] = await messagesOf(it, id)
  const answers: Array<[string, (typeof hook)['answer'], RegExp]> = [
    ...[301, 302, 303, 307, 308].map((code) => [String(code), status(code, { location: canary.url }), new RegExp(`answered ${code}`)] as [string, (typeof hook)['answer'], RegExp]),
    ['304', status(304), /answered 304/],
    ['400', status(400), /answered 400/],
    ['101', (_, response) => { response.writeHead(101, { upgrade: 'websocket', connection: 'upgrade' }).end() }, /no answer|answered 101/],
    ['hang', hang, /no answer within 300 ms/],
    ['reset', (_, response) => { response.socket?.resetAndDestroy() }, /no answer: ECONNRESET/],
    ['no HTTP', (_, response) => { response.socket?.end('SSH-2.0-x\r\n') }, /no answer: HPE_/],
    ['endless headers', (_, response) => { response.writeHead(200, { a: 'x'.repeat(100_000) }).end() }, /no answer: HPE_HEADER_OVERFLOW/],
  ]
  for (const [name, answer, reason] of answers) {
    hook.answer = answer
    await it.call('POST', `${WEBHOOKS}/${id}/messages/${message}/replay`)
    const failed = await until(name, async () => {
      const [now] = await messagesOf(it, id)
      return now?.status === 'planned' && now.last_error !== null && now.attempt_log.at(-1)?.outcome === 'failed' && now
    })
    t.match(failed.last_error, reason, name)
    t.equal(failed.attempt_log.at(-1)?.error, failed.last_error)
    hook.answer = status(204)
    await due(it, id)
    await reaches(it, id, 'sent')
  }
  t.equal(canary.connections(), 0)
  t.match(await statistics(it, id), { stats: { triggers: 1 + 2 * answers.length, failure_triggers: answers.length, failure_since_last_success: 0 } })
  t.match(new Set(hook.received.map(({ headers }) => headers['webhook-id'])).size, 1, 'a replay has the id of the message')

  hook.answer = status(503, { 'retry-after': '3600' })
  await it.call('POST', `${WEBHOOKS}/${id}/messages/${message}/replay`)
  const asked = await until('Retry-After', async () => { const [now] = await messagesOf(it, id); return now?.last_error === 'the endpoint answered 503' && now })
  t.ok(Number(asked.next_attempt_at) - Date.now() > 0.9 * HOUR)
  await it.db.updateTable('webhook_messages').set(({ ref }) => ({ attempts_before: sql<number>`${ref('attempts')} - ${ATTEMPTS_MAX.change - 1}` })).execute()
  await due(it, id)
  t.match(await reaches(it, id, 'failed'), { next_attempt_at: null, last_error: 'the endpoint answered 503' })
  t.match(await eventsOf(it, id), ['webhook.created', ...answers.map(() => 'webhook.message_replayed'), 'webhook.message_replayed', 'webhook.message_failed'])
})

// Guarantee: an endpoint that is gone, or answers nothing well for days, is called no more; the owner sees why, and what was planned goes out
// once it is active again.
t.test('hopeless endpoints', async (t) => {
  const it = await scene(t)
  const hook = await receiver(t, status(410))
  const { log } = work(t, it)
  const gone = await makeWebhook(it, hook.url, CHANGE)
  await tell(it, changeOf(it))
  t.match(await reaches(it, gone.id, 'failed'), { attempts: 1 })
  t.match(await statistics(it, gone.id), { active: false, disabled_reason: 'the endpoint answered 410' })
  t.match(await eventsOf(it, gone.id), ['webhook.created', 'webhook.message_failed', 'webhook.disabled'])
  t.match(await until('the warning', () => log.find((line) => line['message'] === 'webhook disabled')), { webhook_id: gone.id })
  await tell(it, changeOf(it))
  t.equal((await messagesOf(it, gone.id)).length, 1, 'nothing is planned for it')
  t.equal((await it.call('POST', `${WEBHOOKS}/${gone.id}/trigger`)).statusCode, 409)

  hook.answer = status(500)
  const failing = await makeWebhook(it, hook.url, CHANGE)
  await tell(it, changeOf(it))
  await reaches(it, failing.id, 'planned', 1)
  await it.db.updateTable('webhooks').set({ failing_since: sql<Date>`now() - interval '4 days 23 hours'` }).where('id', '=', failing.id).execute()
  await due(it, failing.id)
  await reaches(it, failing.id, 'planned', 2)
  t.match(await statistics(it, failing.id), { active: true, stats: { failure_since_last_success: 2 } })
  await it.db.updateTable('webhooks').set({ failing_since: sql<Date>`now() - interval '5 days 1 hour'` }).where('id', '=', failing.id).execute()
  await due(it, failing.id)
  await until('the end', async () => (await statistics(it, failing.id)).active === false)
  t.match(await statistics(it, failing.id), { disabled_reason: /5 days/ })
  hook.answer = status(200)
  const calls = hook.received.length
  await due(it, failing.id)
  await it.call('PUT', `${WEBHOOKS}/${failing.id}`, { active: true })
  await reaches(it, failing.id, 'sent', 4)
  t.equal(hook.received.length, calls + 1)
  t.match(await statistics(it, failing.id), { active: true, disabled_reason: null, stats: { failure_since_last_success: 0 } })
})

// Guarantee (E6): endpoints that hang, drip or never end their answer delay nobody else, however much is planned for them.
t.test('a neighbour that hangs', async (t) => {
  const it = await scene(t)
  const hanging = await receiver(t, hang)
  const hooks = []
  for (let i = 0; i < 6; i++) hooks.push(await makeWebhook(it, hanging.url, CHANGE))
  for (let i = 0; i < 30; i++) await tell(it, changeOf(it))
  await it.db.updateTable('webhooks').set({ failing_since: sql<Date>`now()` }).execute() // as after a first try
  const well = await receiver(t)
  const healthy = await makeWebhook(it, well.url, CHANGE)
  work(t, it, { WEBHOOK_CONCURRENCY: '4', WEBHOOK_TIMEOUT_MS: '60000' })
  await until('the hanging ones', () => hanging.received.length === 2)
  for (let i = 0; i < 10; i++) {
    const before = Date.now()
    await tell(it, changeOf(it))
    await until('the neighbour', () => well.received.length === i + 1)
    t.ok(Date.now() - before < 3000)
  }
  t.equal(hanging.received.length, 2, 'they have half of the room, and one lane each')
  t.equal((await messagesOf(it, healthy.id)).length, 10)
})

// Guarantee (E6): one webhook has at most eight calls under way, and a backlog of one does not keep another waiting.
t.test('lanes', async (t) => {
  const it = await scene(t)
  const slow = await receiver(t, hang)
  const busy = await makeWebhook(it, slow.url, CHANGE)
  for (let i = 0; i < 30; i++) await tell(it, changeOf(it))
  const well = await receiver(t)
  await makeWebhook(it, well.url, CHANGE)
  work(t, it, { WEBHOOK_TIMEOUT_MS: '60000' })
  await until('eight', () => slow.received.length === 8)
  await tell(it, changeOf(it))
  await until('the neighbour', () => well.received.length === 1)
  t.equal(slow.received.length, 8)
  const claim = (busy: Array<{ account_id: string, webhook_id: string, troubled: boolean }>) =>
    inTransaction(it.db, (trx) => claimMessages(trx, { concurrency: 10, busy, lease_ms: 60_000 }))
  t.equal((await claim(Array.from({ length: 8 }, () => ({ account_id: it.vendor.account_id, webhook_id: busy.id, troubled: false })))).length, 0)
})

// Guarantee (E6): of an answer without end a part is read, and what is kept is a line; a 2xx counts whether its answer ends or not.
t.test('an endless answer', async (t) => {
  const it = await scene(t)
  let written = 0
  const hook = await receiver(t, ({ headers }, response) => {
    response.writeHead(200)
    response.write(`line\r\n\u0000${headers['x-secret']} ${headers['webhook-signature']} ü`)
    const more = (): void => { while (!response.destroyed && response.write(Buffer.alloc(65_536, 'x'))) written += 65_536 }
    response.on('drain', more)
    more()
  })
  const { id } = await makeWebhook(it, hook.url, { ...CHANGE, headers: { 'x-secret': 'hush-hush' } })
  const { worker } = work(t, it, { WEBHOOK_TIMEOUT_MS: '60000' })
  await tell(it, changeOf(it))
  const { attempt_log: [attempt] } = await reaches(it, id, 'sent')
  t.match(attempt?.response, /^line \[secret\] \[secret\] üx{400}/)
  t.equal(attempt?.response?.length, 500)
  t.ok(written < 20_000_000, `${written} bytes were taken`) // the sockets' buffers, not the stream
  await worker.stop()

  hook.answer = (_, response) => { response.writeHead(202).write('and then') }
  await it.db.deleteFrom('webhook_messages').execute()
  work(t, it, { WEBHOOK_TIMEOUT_MS: '500' })
  await tell(it, changeOf(it))
  t.match((await reaches(it, id, 'sent')).attempt_log, [{ status_code: 202, response: 'and then', error: null }])
})

// Guarantee: a worker that is killed while it calls loses nothing: once its lease lapses the next one calls, under the same id.
t.test('a killed worker', async (t) => {
  const material = newKeyMaterial()
  const first = await scene(t)
  const it: Scene = { ...first, keyring: readKeyring(material) }
  const hook = await receiver(t, hang)
  const { id } = await makeWebhook(first, hook.url, CHANGE)
  // sealed anew for the process that is to be killed
  const row = await it.db.selectFrom('webhook_secrets').selectAll().executeTakeFirstOrThrow()
  await it.db.updateTable('webhook_secrets').set({ sealed: sealSecret(it.keyring, { account_id: row.account_id, id }, row.id, newSigningSecret()) }).execute()
  await tell(it, changeOf(it))
  const child = spawn(process.execPath, [...program('test/webhooks/worker-process'), it.url, material, '2000'], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  await until('the first call', () => hook.received.length === 1)
  const dead = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await dead
  hook.answer = status(204)
  work(t, it)
  const before = await reaches(it, id, 'sending', 1)
  const after = await reaches(it, id, 'sent', 2)
  t.ok(Number(after.sent_at) >= Number(before.next_attempt_at), 'not before the lease was over')
  t.match(after.attempt_log, [{ attempt: 1, outcome: null, finished_at: null }, { attempt: 2, outcome: 'sent' }])
  t.strictSame(hook.received.map(({ headers }) => headers['webhook-id']), [after.id, after.id])

  await it.db.updateTable('webhook_messages')
    .set({ status: 'sending', claim_id: 'CL-x', attempts: ATTEMPTS_MAX.change, sent_at: null, next_attempt_at: new Date(0) }).execute()
  t.match(await reaches(it, id, 'failed'), { last_error: 'every try was used up' })
  t.equal((await eventsOf(it, id)).at(-1), 'webhook.message_failed')
})

// Guarantee: a worker that was so slow that its claim lapsed writes nothing over what the next one does.
t.test('a lapsed claim', async (t) => {
  const it = await scene(t)
  const { id } = await makeWebhook(it, 'https://hooks.example.com/', CHANGE)
  await tell(it, changeOf(it))
  const claim = async (lease_ms: number) => {
    const [claimed] = await inTransaction(it.db, (trx) => claimMessages(trx, { concurrency: 10, busy: [], lease_ms }))
    return claimed as ClaimedMessage
  }
  const first = await claim(0)
  const second = await claim(60_000)
  t.match([first.attempt, second.attempt], [1, 2])
  const called = { status_code: 200, body: '', content_type: undefined, is_complete: true, retry_after: undefined, error: null, duration_ms: 5 }
  const sent = { outcome: 'sent' as const, called, response: '', error: null }
  t.equal(await inTransaction(it.db, (trx) => finishMessage(trx, first, sent)), undefined)
  t.match(await messagesOf(it, id), [{ status: 'sending', attempt_log: [{ outcome: null }, { outcome: null }] }])
  t.match(await statistics(it, id), { stats: { triggers: 0 } })
  t.match(await inTransaction(it.db, (trx) => finishMessage(trx, second, sent)), { status: 'sent', disabled: false })
  t.match(await statistics(it, id), { stats: { triggers: 1 } })
})

// Guarantee: several workers share the work, and no message is sent by two of them.
t.test('two workers', async (t) => {
  const it = await scene(t)
  const hook = await receiver(t)
  await makeWebhook(it, hook.url, CHANGE)
  const other = connectDatabase(it.url, readConfig({}))
  t.teardown(() => other.destroy())
  await tell(it, ...Array.from({ length: 200 }, () => changeOf(it)))
  work(t, it)
  work(t, { ...it, db: other })
  await until('all of them', async () => (await it.db.selectFrom('webhook_messages').select('id').where('status', '=', 'sent').execute()).length === 200)
  t.equal(hook.received.length, 200)
  t.equal(new Set(hook.received.map(({ headers }) => headers['webhook-id'])).size, 200)
})
