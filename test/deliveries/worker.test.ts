import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { sql } from 'kysely'
import PostalMime from 'postal-mime'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { claimDeliveries, type ClaimedDelivery } from '../../src/deliveries/claim.js'
import { findDelivery } from '../../src/deliveries/find.js'
import { finishDelivery } from '../support/deliveries.js'
import { keepClaim } from '../../src/deliveries/keep-claim.js'
import { ATTEMPTS_MAX, RETRY_DELAYS_MS, retryDelayMs } from '../../src/deliveries/schedule.js'
import { wakeWorker } from '../../src/deliveries/wake.js'
import { newKeyMaterial, readKeyring } from '../../src/sealing.js'
import { startWorker, type Worker } from '../../src/worker.js'
import { testDatabase } from '../support/database.js'
import { filledOrder, poolOf, productOf, vendorShop, type OrderOptions, type ProductOptions, type Shop } from '../support/fixtures.js'
import { brokenMailServer, closedPort, mailServer } from '../support/smtp.js'
import { program } from '../support/process.js'
import { until } from '../support/until.js'

type Line = Record<string, unknown>
interface Running { worker: Worker, log: Line[] }

/** A worker of this process; `log` collects what it writes. */
function work (t: Test, shop: Shop, env: NodeJS.ProcessEnv): Running {
  const log: Line[] = []
  const note = (fields: unknown, message?: string): void => { log.push({ ...fields as Line, message }) }
  const config = readConfig({ MAIL_FROM: 'Acme <keys@acme.example>', WORKER_POLL_MS: '20', ...env })
  const worker = startWorker({ db: shop.db, config, keyring: shop.keyring, log: { info: note, warn: note, error: note } })
  t.teardown(() => worker.stop(0))
  return { worker, log }
}

let orders = 0

/** An order of a product with keys of its own, its mail planned. */
async function order (
  shop: Shop, keys: readonly string[], options: OrderOptions = {}, product: ProductOptions = {}
): Promise<{ order_id: string, delivery_id: string, license_ids: string[] }> {
  const product_id = await productOf(shop, product)
  const stocked = await poolOf(shop, product_id, keys)
  return { ...await filledOrder(shop, product_id, stocked, { external_id: `A-${++orders}`, ...options }), license_ids: stocked.license_ids }
}

async function arrange (t: Test): Promise<Shop & { url: string }> {
  const { db, url } = await testDatabase(t)
  return { ...await vendorShop(db), url }
}

const stateOf = async ({ db, account_id }: Shop, id: string): Promise<Awaited<ReturnType<typeof findDelivery>>> => findDelivery(db, account_id, id)

/** Waits for a delivery to be in a state, with this many tries. */
async function reaches (shop: Shop, id: string, status: string, attempts?: number): Promise<Awaited<ReturnType<typeof findDelivery>>> {
  return until(`${id} to be ${status}`, async () => {
    const delivery = await stateOf(shop, id)
    return delivery.status === status && (attempts === undefined || delivery.attempts === attempts) && delivery
  })
}

/** The time of the next try has come. */
async function due ({ db }: Shop, id: string): Promise<void> {
  await db.updateTable('deliveries').set({ next_attempt_at: sql<Date>`now()` }).where('id', '=', id).execute()
}

const eventsOf = async ({ db }: Shop, id: string): Promise<string[]> =>
  (await db.selectFrom('events').select('type').where('subject_id', '=', id).orderBy('id').execute()).map(({ type }) => type)

// Guarantee: what is planned is sent once, to the customer, with all keys of the product; the state, the try and the event say so.
t.test('a planned mail is sent', async (t) => {
  const shop = await arrange(t)
  const server = await mailServer(t)
  const { delivery_id: id, order_id: orderId, license_ids: licenses } = await order(shop, ['KEY-A', 'KEY-B'])
  const { log } = work(t, shop, { SMTP_URL: server.url })
  const delivery = await reaches(shop, id, 'sent')
  t.match(delivery, { attempts: 1, next_attempt_at: null, last_error: null, message_id: `<${id}@acme.example>`, license_ids: licenses })
  t.match(delivery.attempt_log, [{ attempt: 1, outcome: 'sent', response: /^250/ }])
  t.ok(delivery.sent_at)
  t.strictSame(server.mails.map(({ to }) => to), [['ana@example.com']])
  const mail = await PostalMime.parse(server.mails[0]?.raw ?? '')
  t.equal(mail.messageId, delivery.message_id)
  t.match(mail.text, 'Your key: KEY-A\nKEY-B\n')
  t.match(mail.text, 'Acme Software')
  t.strictSame(await eventsOf(shop, id), ['delivery.sent'])
  const lines = await until('the log line', () => log.filter(({ message }) => message === 'delivery attempt').length > 0 && log)
  t.match(lines, [{ delivery_id: id, order_id: orderId, attempt: 1, outcome: 'sent', ms: Number }])
  t.notMatch(JSON.stringify([log, delivery]), /KEY-A|KEY-B/, 'no key in the log or the record')
})

// Guarantee: a license is marked as seen, and the delivery `sending`, in a commit that comes before the connection.
t.test('seen before the socket opens', async (t) => {
  const shop = await arrange(t)
  const { delivery_id: id, license_ids: licenses } = await order(shop, ['KEY-A', 'KEY-B'])
  const server = await mailServer(t, {
    onConnect (_session, done) {
      Promise.all([
        shop.db.selectFrom('license_sightings').selectAll().execute(), stateOf(shop, id),
      ]).then(([sightings, delivery]) => { seen = sightings; status = delivery.status; done() }, done)
    },
  })
  let [seen, status]: [Array<{ license_id: string, how: string, seen_by: string | null }>, string] = [[], '']
  work(t, shop, { SMTP_URL: server.url })
  await reaches(shop, id, 'sent')
  t.equal(status, 'sending')
  t.strictSame(seen.map(({ license_id: license, how, seen_by: by }) => [license, how, by]).sort(), licenses.map((license) => [license, 'mailed', id]).sort())
})

// Guarantee (C1, C2, C5): a refusal for now is tried again under the same Message-ID, at a later time; each try is on record.
t.test('deferred and sent', async (t) => {
  const shop = await arrange(t)
  const server = await mailServer(t)
  const { delivery_id: id } = await order(shop, ['KEY-A'])
  const offered: string[] = []
  server.faults.data = ({ raw }) => { offered.push(raw.toString()); return { code: 451, text: '4.3.0 try later, you said Your key: KEY-A' } }
  work(t, shop, { SMTP_URL: server.url })
  const first = await reaches(shop, id, 'planned', 1)
  t.match(first.attempt_log, [{ attempt: 1, outcome: 'deferred', response: '451 4.3.0' }], 'the server repeats the key; the record does not')
  t.equal(first.last_error, '451 4.3.0')
  const wait = Number(first.next_attempt_at) - Number(first.attempt_log[0]?.finished_at)
  t.ok(wait >= 10_000 && wait <= 12_000, `the first wait of the schedule: ${wait}`)
  server.faults.data = undefined
  await due(shop, id)
  const second = await reaches(shop, id, 'sent', 2)
  t.equal(second.last_error, null)
  const idOf = async (raw: string | Buffer): Promise<string | undefined> => (await PostalMime.parse(raw)).messageId
  t.strictSame([await idOf(offered[0] ?? ''), await idOf(server.mails[0]?.raw ?? '')], [second.message_id, second.message_id])
  t.equal((await shop.db.selectFrom('license_sightings').selectAll().execute()).length, 1, 'seen is written once')
})

// Guarantee (C5, I7): a refusal for good, a mail that cannot be sent and one that cannot be written end or wait visibly, and others flow on.
t.test('poison', async (t) => {
  const shop = await arrange(t)
  const server = await mailServer(t)
  server.faults.rcpt = (address) => address.startsWith('gone') ? { code: 550, text: '5.1.1 no such user' } : undefined
  const gone = await order(shop, ['KEY-1'], { customer: { email: 'gone@example.com' } })
  const list = await order(shop, ['KEY-2'], { customer: { email: 'a@example.com, evil@example.com' } })
  const huge = await order(shop, Array.from({ length: 40 }, (_, i) => `${i}${'K'.repeat(4000)}`), {}, { mail_template: { subject: 's', text: '{KEY}'.repeat(100) } })
  const unreadable = await order(shop, ['KEY-4'])
  await shop.db.updateTable('licenses').set({ sealed: Buffer.alloc(40) }).where('id', 'in', unreadable.license_ids).execute()
  const broken = await order(shop, ['KEY-5'])
  const { product_id: product } = await stateOf(shop, broken.delivery_id)
  await shop.db.updateTable('mail_words').set({ words: '42' }).where('product_id', '=', product).execute()
  const good = await order(shop, ['KEY-6'], { customer: { email: 'good@example.com' } })
  work(t, shop, { SMTP_URL: server.url, WORKER_CONCURRENCY: '1' })
  await reaches(shop, good.delivery_id, 'sent')
  t.match(await reaches(shop, gone.delivery_id, 'bounced'), { attempts: 1, last_error: '550 5.1.1 no such user', next_attempt_at: null })
  t.match(await reaches(shop, list.delivery_id, 'failed'), { attempts: 1, last_error: /plain mail address/ })
  t.match(await reaches(shop, huge.delivery_id, 'failed'), { last_error: /too long/ })
  t.match(await reaches(shop, unreadable.delivery_id, 'planned', 1), { last_error: /could not be written/ })
  t.match(await reaches(shop, broken.delivery_id, 'planned', 1), { last_error: /could not be written/ })
  t.strictSame(server.recipients.sort(), ['gone@example.com', 'good@example.com'])
  t.strictSame([await eventsOf(shop, gone.delivery_id), await eventsOf(shop, list.delivery_id)], [['delivery.bounced'], ['delivery.failed']])
})

// Guarantee: a server that is away, resets before its 250 or never greets costs tries, never a mail; tries end in `failed`.
t.test('a mail server in trouble', async (t) => {
  const shop = await arrange(t)
  const reset = await brokenMailServer(t, 'reset after data')
  const { delivery_id: id } = await order(shop, ['KEY-A'])
  const away = work(t, shop, { SMTP_URL: await closedPort() })
  t.match(await reaches(shop, id, 'planned', 1), { last_error: /ECONNREFUSED|ESOCKET/ })
  await away.worker.stop()
  const resetting = work(t, shop, { SMTP_URL: reset.url })
  await due(shop, id)
  const twice = await reaches(shop, id, 'planned', 2)
  t.equal(reset.bodies.length, 1, 'one try, one mail')
  t.match(reset.bodies[0], `Message-ID: ${twice.message_id}`)
  await resetting.worker.stop()
  const server = await mailServer(t)
  server.faults.data = () => ({ code: 451, text: 'later' })
  await shop.db.updateTable('deliveries').set({ attempts: ATTEMPTS_MAX - 1 }).where('id', '=', id).execute()
  work(t, shop, { SMTP_URL: server.url })
  await due(shop, id)
  t.match(await reaches(shop, id, 'failed', ATTEMPTS_MAX), { last_error: /^451/, next_attempt_at: null })
  t.strictSame(await eventsOf(shop, id), ['delivery.failed'])
})

// Guarantee: the published schedule reaches past four days, never shortens a wait and spreads mails that were put off together.
t.test('the schedule', async (t) => {
  t.ok(RETRY_DELAYS_MS.reduce((sum, delay) => sum + delay) >= 4 * 24 * 3600 * 1000)
  RETRY_DELAYS_MS.forEach((delay, i) => {
    const waits = Array.from({ length: 50 }, () => retryDelayMs(i + 1) ?? 0)
    t.ok(waits.every((wait) => wait >= delay && wait <= delay * 1.2) && new Set(waits).size > 1)
  })
  t.equal(retryDelayMs(ATTEMPTS_MAX), undefined)
})

// Guarantee (B5): the mail of a worker that was killed while sending is sent by the next one once the lease lapses, under the same id.
t.test('a killed worker', async (t) => {
  const { db, url } = await testDatabase(t)
  const material = newKeyMaterial()
  const shop = await vendorShop(db, readKeyring(material))
  const hanging = await brokenMailServer(t, 'never greets')
  const { delivery_id: id } = await order(shop, ['KEY-A'])
  const child = spawn(process.execPath, [...program('test/deliveries/worker-process'), url, hanging.url, material, '1500'], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  await until('the connection of the first worker', () => hanging.connections() === 1)
  const before = await stateOf(shop, id)
  // it sends for longer than its lease: as long as it lives, nobody else takes the mail
  await until('a heartbeat', async () => Number((await stateOf(shop, id)).next_attempt_at) > Number(before.next_attempt_at))
  const server = await mailServer(t)
  work(t, shop, { SMTP_URL: server.url, DELIVERY_LEASE_MS: '1500' })
  const lapse = Number(before.next_attempt_at)
  await until('the first lease to be over', () => Date.now() > lapse + 200)
  t.match(await stateOf(shop, id), { status: 'sending', attempts: 1 })
  const dead = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await dead
  const delivery = await reaches(shop, id, 'sent', 2)
  t.equal(delivery.message_id, before.message_id)
  t.match(delivery.attempt_log, [{ attempt: 1, outcome: null, finished_at: null }, { attempt: 2, outcome: 'sent' }])
  t.equal(server.mails.length, 1)
})

// Guarantee: several workers share the work, and no mail is sent by two of them.
t.test('two workers', async (t) => {
  const shop = await arrange(t)
  const server = await mailServer(t)
  const other = connectDatabase(shop.url, readConfig({}))
  t.teardown(() => other.destroy())
  const planned = []
  for (let i = 0; i < 40; i++) planned.push(await order(shop, [`KEY-${i}`], { customer: { email: `buyer${i}@example.com` } }))
  work(t, shop, { SMTP_URL: server.url })
  work(t, { ...shop, db: other }, { SMTP_URL: server.url })
  for (const { delivery_id: id } of planned) await reaches(shop, id, 'sent', 1)
  t.strictSame(server.mails.map(({ to }) => to[0]).sort(), planned.map((_, i) => `buyer${i}@example.com`).sort())
})

// Guarantee: a stop lets what is under way finish, or gives it back at once; the claim of a mail given back is worth nothing.
t.test('a graceful stop', async (t) => {
  const shop = await arrange(t)
  const hanging = await brokenMailServer(t, 'never greets')
  const { delivery_id: id } = await order(shop, ['KEY-A'])
  const { worker } = work(t, shop, { SMTP_URL: hanging.url })
  await until('the connection', () => hanging.connections() === 1)
  await worker.stop(50)
  const given = await stateOf(shop, id)
  t.match(given, { status: 'planned', last_error: 'the worker stopped' })
  t.ok(Number(given.next_attempt_at) <= Date.now(), 'due again at once')

  let answer: (() => void) | undefined
  const slow = await mailServer(t, { onConnect (_session, done) { answer = done } })
  const patient = work(t, shop, { SMTP_URL: slow.url })
  await until('the connection', () => answer)
  const stopped = patient.worker.stop(30_000)
  answer?.()
  await stopped
  t.equal((await stateOf(shop, id)).status, 'sent')
})

// Guarantee: a mail says only what the order holds: a license that was taken back drops out, and with none left nothing is sent.
t.test('licenses taken back before the mail', async (t) => {
  const shop = await arrange(t)
  const server = await mailServer(t)
  const some = await order(shop, ['KEY-A', 'KEY-B'])
  const none = await order(shop, ['KEY-C'])
  const ended = [some.license_ids[0] ?? '', ...none.license_ids]
  await shop.db.updateTable('allocations').set({ ended_as: 'released', ended_at: new Date() }).where('license_id', 'in', ended).execute()
  work(t, shop, { SMTP_URL: server.url })
  t.match(await reaches(shop, none.delivery_id, 'cancelled'), { attempts: 0, message_id: null })
  t.strictSame((await reaches(shop, some.delivery_id, 'sent')).license_ids, some.license_ids.slice(1))
  t.equal(server.mails.length, 1)
  const text = (await PostalMime.parse(server.mails[0]?.raw ?? '')).text ?? ''
  t.ok(text.includes('KEY-B') && !text.includes('KEY-A'))
  const seen = await shop.db.selectFrom('license_sightings').select('license_id').execute()
  t.strictSame(seen.map(({ license_id: license }) => license), some.license_ids.slice(1), 'what dropped out was never seen')
})

// Guarantee: a claim waits for nobody: what another claim is taking, or whose license a refund has locked, is left for later.
t.test('a claim beside a claim and a refund', async (t) => {
  const shop = await arrange(t)
  const busy = await order(shop, ['KEY-A'])
  const free = await order(shop, ['KEY-B'])
  const taken = await order(shop, ['KEY-C'])
  const claim = async (): Promise<string[]> =>
    (await inTransaction(shop.db, (trx) => claimDeliveries(trx, { limit: 10, lease_ms: 20_000, domain: 'x.example' }))).map(({ id }) => id)
  await inTransaction(shop.db, async (trx) => {
    await trx.selectFrom('allocations').select('license_id').where('license_id', 'in', busy.license_ids).forUpdate().execute()
    await trx.selectFrom('deliveries').select('id').where('id', '=', taken.delivery_id).forUpdate().execute()
    t.strictSame(await claim(), [free.delivery_id])
  })
  t.strictSame((await claim()).sort(), [busy.delivery_id, taken.delivery_id].sort())
  t.strictSame(await claim(), [], 'what is being sent is nobody else\'s')
})

// Guarantee: a claim that lapsed can neither finish nor be kept: what it says about the delivery is not written down.
t.test('a lapsed claim', async (t) => {
  const shop = await arrange(t)
  const { delivery_id: id } = await order(shop, ['KEY-A'])
  const claim = (): Promise<ClaimedDelivery[]> =>
    inTransaction(shop.db, (trx) => claimDeliveries(trx, { limit: 10, lease_ms: 20_000, domain: 'x.example' }))
  const [first] = await claim()
  await due(shop, id)
  const [second] = await claim()
  if (first === undefined || second === undefined) throw new Error('not claimed')
  t.strictSame([first.attempt, second.attempt, second.message_id], [1, 2, first.message_id])
  const finish = (claimed: ClaimedDelivery, outcome: 'sent' | 'bounced'): Promise<string | undefined> =>
    inTransaction(shop.db, (trx) => finishDelivery(trx, claimed, { outcome, response: 'x' }))
  t.equal(await finish(first, 'bounced'), undefined)
  t.equal(await keepClaim(shop.db, first, 60_000), false)
  t.match(await stateOf(shop, id), { status: 'sending', attempt_log: [{ outcome: null }, { outcome: null }] })
  t.equal(await finish(second, 'sent'), 'sent')
  t.equal(await finish(second, 'bounced'), undefined, 'and what is finished is finished')
  t.strictSame(await eventsOf(shop, id), ['delivery.sent'])
})

// Guarantee (B5, I7): all that killed workers left is resumed, more than one claim takes at once; what no worker survives ends.
t.test('many left behind', async (t) => {
  const shop = await arrange(t)
  const server = await mailServer(t)
  const left = []
  for (let i = 0; i < 25; i++) left.push(await order(shop, [`KEY-${i}`]))
  const lethal = await order(shop, ['KEY-X'])
  await shop.db.updateTable('deliveries').set({ status: 'sending', claim_id: 'CL-dead', attempts: 1, next_attempt_at: new Date(0) }).execute()
  await shop.db.updateTable('deliveries').set({ attempts: ATTEMPTS_MAX }).where('id', '=', lethal.delivery_id).execute()
  work(t, shop, { SMTP_URL: server.url, WORKER_CONCURRENCY: '2' })
  for (const { delivery_id: id } of left) await reaches(shop, id, 'sent', 2)
  t.match(await reaches(shop, lethal.delivery_id, 'failed', ATTEMPTS_MAX), { last_error: 'every try was used up' })
  t.strictSame(await eventsOf(shop, lethal.delivery_id), ['delivery.failed'])
})

// Guarantee: the bell brings the mail at once, however long the poll.
t.test('the bell', async (t) => {
  const shop = await arrange(t)
  const server = await mailServer(t)
  work(t, shop, { SMTP_URL: server.url, WORKER_POLL_MS: '60000' })
  const first = await order(shop, ['KEY-A'])
  wakeWorker()
  await reaches(shop, first.delivery_id, 'sent')
})

// Guarantee (B4): a worker whose database connections are cut goes on by itself.
t.test('the database goes away', async (t) => {
  const shop = await arrange(t)
  const server = await mailServer(t)
  const own = connectDatabase(shop.url, readConfig({}))
  t.teardown(() => own.destroy())
  const { log } = work(t, { ...shop, db: own }, { SMTP_URL: server.url })
  const first = await order(shop, ['KEY-A'])
  await reaches(shop, first.delivery_id, 'sent')
  const name = new URL(shop.url).pathname.slice(1)
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name} and pid <> pg_backend_pid()`.execute(shop.db)
  const second = await order(shop, ['KEY-B'])
  const cut = Date.now()
  await reaches(shop, second.delivery_id, 'sent')
  t.ok(Date.now() - cut < 5000)
  t.notMatch(JSON.stringify(log), /KEY-/)
})

// Guarantee: without a mail server the mails are kept as files named after their deliveries.
t.test('mails as files', async (t) => {
  const shop = await arrange(t)
  const dir = await mkdtemp(path.join(os.tmpdir(), 'worker-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const { delivery_id: id } = await order(shop, ['KEY-A'])
  work(t, shop, { DATA_DIR: dir })
  await reaches(shop, id, 'sent')
  t.match((await PostalMime.parse(await readFile(path.join(dir, 'mail', `${id}.eml`)))).text, 'KEY-A')
})
