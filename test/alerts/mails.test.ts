import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { sql } from 'kysely'
import PostalMime from 'postal-mime'
import t, { type Test } from 'tap'
import { claimAlertMails } from '../../src/alerts/claim.js'
import { finishAlertMail } from '../../src/alerts/finish.js'
import { writeMail, type ToldAlert } from '../../src/alerts/write-mail.js'
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { inTransaction } from '../../src/database/transaction.js'
import { ATTEMPTS_MAX } from '../../src/deliveries/schedule.js'
import { newKeyMaterial } from '../../src/sealing.js'
import { startWorker } from '../../src/worker.js'
import { assertInvariants } from '../support/invariants.js'
import { brokenMailServer, mailServer } from '../support/smtp.js'
import { until } from '../support/until.js'
import { keys, makePool, orderOf } from '../support/vendor.js'
import { messageOf } from '../support/webhooks.js'
import { alerts, change, hours, look, noteExpired, noteFailed, open, pass, plan, restock, scene, sell, type Scene } from './support.js'

const QUIET = { info () {}, warn () {}, error () {} }

/** A worker with these settings. */
function work (t: Test, { db, keyring }: Pick<Scene, 'db' | 'keyring'>, env: NodeJS.ProcessEnv) {
  const config = readConfig({ WORKER_POLL_MS: '20', MAIL_FROM: 'Latchkey <alerts@latchkey.example>', PUBLIC_URL: 'https://api.example.com', ...env })
  const worker = startWorker({ db, config, keyring, log: QUIET })
  t.teardown(() => worker.stop(0))
  return worker
}

const settings = async ({ call }: Scene, body: object) => call('PUT', '/v1/alert-settings', body)
const mailsOf = async ({ db }: Scene) => db.selectFrom('alert_mails').selectAll().orderBy('created_at').orderBy('to').execute()
/** Waits until all that was planned has come to an end. */
const sent = async (it: Scene, count: number) => until(`${count} mails to be sent`, async () => {
  const mails = await mailsOf(it)
  return mails.length === count && mails.every(({ status }) => status === 'sent') && mails
})

// Guarantee: without settings nobody is mailed, and all is shown; set, they are read back, and what is no address is refused with its place.
t.test('settings', async (t) => {
  const it = await scene(t, { low_stock_threshold: 2 }, 1)
  t.strictSame((await it.call('GET', '/v1/alert-settings')).json(), { addresses: [], muted: [], expiring_days: 30 })
  await look(it)
  await plan(it)
  t.match(await alerts(it), [{ kind: 'pool.low', mail_state: 'silent' }])
  const set = { addresses: ['a@example.com', 'b@example.com'], muted: ['pool.empty'], expiring_days: 7 }
  t.strictSame((await settings(it, set)).json(), set)
  await plan(it)
  t.match(await alerts(it), [{ mail_state: 'silent' }], 'what was before is not told now')
  for (const address of ['a@example.com, b@example.com', 'Ada <a@example.com>', 'nobody', 'a@example.com\r\nBcc: x@example.com']) {
    const answer = await settings(it, { addresses: ['ok@example.com', address] })
    t.equal(answer.statusCode, 400, address)
    t.match(answer.json<{ errors: string[] }>().errors, [/^addresses\.1: /])
  }
  t.equal((await settings(it, { addresses: Array.from({ length: 11 }, (_, i) => `a${i}@example.com`) })).statusCode, 400)
  t.strictSame((await it.call('GET', '/v1/alert-settings')).json(), set)
  t.match(await it.db.selectFrom('events').select('data').where('type', '=', 'alert_settings.updated').execute(), [{ data: { addresses: 2 } }], 'no address in the trail')
  t.strictSame((await settings(it, {})).json(), { addresses: [], muted: [], expiring_days: 30 }, 'what is left out is the default')
})

// Guarantee: about a kind and pool there is one mail an hour, whatever is raised meanwhile; that comes with the next, except what is over by then.
// Other pools and kinds do not wait for it.
t.test('one mail an hour', async (t) => {
  const it = await scene(t, { low_stock_threshold: 3 }, 2)
  await settings(it, { addresses: ['a@example.com', 'b@example.com'], muted: ['pool.empty'] })
  const round = async (): Promise<void> => { await pass(it); await look(it); await plan(it) }
  await round()
  await round()
  t.match(await mailsOf(it), [{ to: 'a@example.com' }, { to: 'b@example.com' }])
  for (let i = 0; i < 3; i++) {
    await restock(it, 3)
    await round()
    await sell(it, 3)
    await round()
  }
  t.equal((await alerts(it)).length, 4)
  t.strictSame((await alerts(it)).map(({ mail_state: state }) => state), ['mailed', 'silent', 'silent', 'waiting'], 'two were over before their hour came')
  t.equal((await mailsOf(it)).length, 2)
  await makePool(it.call, { name: 'Other', low_stock_threshold: 5, currency: 'USD' }, keys(1, 'OTHER'))
  await sell(it, 2)
  await round()
  t.equal((await mailsOf(it)).length, 4, 'another pool is told at once')
  t.match(await alerts(it, '&kind=pool.empty'), [{ mail_state: 'silent' }], 'muted')
  await hours(it, 0.9)
  await round()
  t.equal((await mailsOf(it)).length, 4)
  await hours(it, 0.2)
  await Promise.all([plan(it), plan(it), plan(it)])
  const mails = await mailsOf(it)
  t.equal(mails.length, 6, 'the hour is over: one mailing, by whichever worker')
  t.strictSame((await alerts(it, '&kind=pool.low')).map(({ mail_state: state }) => state).filter((state) => state === 'waiting'), [])
  await assertInvariants(t, it.db)
})

// Guarantee: the mail says in words what happened, the numbers and what to do, as text and HTML; several alerts come in one; nothing of a customer,
// no key, and whatever a pool is called changes neither headers nor markup.
t.test('what arrives', async (t) => {
  const server = await mailServer(t)
  const it = await scene(t, { name: 'Pro\t<b>"&\u{1f511}', low_stock_threshold: 3, on_shortage: 'backorder' }, 2)
  await settings(it, { addresses: ['stock@example.com'] })
  await sell(it, 4)
  await makePool(it.call, { name: 'Tests', mode: 'test', low_stock_threshold: 2 }, keys(1, 'TEST-KEY-1'))
  await look(it)
  await plan(it)
  const worker = work(t, it, { SMTP_URL: server.url })
  await sent(it, 1)
  const got = server.mails.find(({ to }) => to[0] === 'stock@example.com')
  const mail = await PostalMime.parse(got?.raw ?? '')
  const [{ message_id: id } = { message_id: null }] = await mailsOf(it)
  t.equal(mail.messageId, id)
  t.match(id, /^<AM-[0-9a-f]{27}@latchkey.example>$/)
  t.equal(mail.headers.find(({ key }) => key === 'auto-submitted')?.value, 'auto-generated')
  t.strictSame(mail.to, [{ address: 'stock@example.com', name: '' }])
  t.match(mail.subject, 'Pool "Pro <b>"&\u{1f511}": 1 paid order line waits for 4 licenses, since ')
  t.match(mail.subject, / \(and 2 more\)$/)
  for (const part of [mail.text ?? '', (mail.html ?? '').replaceAll(/&(lt|gt|quot|amp);/g, (_, name: string) => ({ lt: '<', gt: '>', quot: '"' })[name] ?? '&')]) {
    t.match(part, 'Pool "Pro <b>"&\u{1f511}" has 2 licenses left, fewer than 3.')
    t.match(part, 'Pool "Tests" (for tests) has 1 license left, fewer than 2.')
    t.match(part, 'What to do: load licenses')
    t.match(part, `https://api.example.com/v1/alerts/${(await alerts(it))[0]?.id ?? ''}`)
    t.match(part, 'docs/alerts.md#poolbackordered')
    t.notMatch(part, /ada@example|Ada|FIRST-\d|TEST-KEY/)
  }
  t.notMatch(mail.html, '<b>')
  await worker.stop()
  const { mails } = (await it.call('GET', `/v1/alerts/${(await alerts(it))[0]?.id ?? ''}`)).json<{ mails: object[] }>()
  t.match(mails, [{ to: 'stock@example.com', status: 'sent', attempts: 1, last_error: null }])
})

// Guarantee: long lists are cut and counted, of several steps of a pool the lowest is told, and the same alerts always make the same mail.
t.test('many in one', async (t) => {
  const data = { name: 'x'.repeat(5000), order_external_id: 'A\r\nBcc: x@example.com', status: 'failed', available: 1, stocked: 10 }
  const told = (kind: ToldAlert['kind'], n: number, step = 0): ToldAlert =>
    ({ id: `AL-${n}`, kind, subject_id: kind === 'delivery.failed' ? `DE-${n}` : 'PL-1', step, raised_at: new Date(0), data })
  const all = [...Array.from({ length: 1000 }, (_, n) => told('delivery.failed', n)), told('pool.low_percent', 1001, 50), told('pool.low_percent', 1002, 10)]
  const mail = writeMail('Acme', all, 'http://x')
  t.match(mail.text, 'and 950 more of this kind')
  t.match(mail.text, '10 % or less')
  t.notMatch(mail.text, '50 % or less')
  t.notMatch(mail.text + mail.subject, /\r|^Bcc/m)
  t.ok(mail.text.length < 30_000 && mail.subject.length < 200)
  t.strictSame(mail, writeMail('Acme', all, 'http://x'))
})

// Guarantee: a mail that is put off is tried again later under the same Message-ID, one that is refused ends, and both show on the alert. When every try
// is used up it has failed.
t.test('mails in trouble', async (t) => {
  const server = await mailServer(t)
  const it = await scene(t, { low_stock_threshold: 3 }, 2)
  await settings(it, { addresses: ['gone@example.com', 'later@example.com'] })
  await look(it)
  await plan(it)
  const offered: string[] = []
  server.faults.rcpt = (address) => address === 'gone@example.com' ? { code: 550, text: '5.1.1 no such user' } : undefined
  server.faults.data = ({ raw }) => { offered.push(raw.toString()); return { code: 451, text: '4.3.0 later' } }
  work(t, it, { SMTP_URL: server.url })
  const [{ id } = { id: '' }] = await alerts(it)
  const shown = async () => (await it.call('GET', `/v1/alerts/${id}`)).json<{ mails: Array<{ status: string, attempts: number, next_attempt_at: string | null }> }>().mails
  const tried = await until('both tries', async () => {
    const [gone, later] = await shown()
    return gone?.status === 'bounced' && later?.status === 'planned' && later.attempts === 1 && [gone, later]
  })
  t.match(tried, [{ to: 'gone@example.com', last_error: '550 5.1.1 no such user', next_attempt_at: null }, { to: 'later@example.com', last_error: '451 4.3.0 later' }])
  const wait = Date.parse(tried[1]?.next_attempt_at ?? '') - Date.now()
  t.ok(wait > 5_000 && wait < 13_000, `by the schedule of deliveries: ${wait}`)
  await sql`update alert_mails set attempts = ${ATTEMPTS_MAX - 1}, next_attempt_at = now() where status = 'planned'`.execute(it.db)
  await until('the last try', async () => (await shown())[1]?.status === 'failed')
  const idOf = async (raw: string | undefined) => (await PostalMime.parse(raw ?? '')).messageId
  t.equal(await idOf(offered[0]), await idOf(offered[1]))
  await assertInvariants(t, it.db)
})

// Guarantee: the mail of a worker that was killed while sending is sent by the next once the lease lapses, under the same id; what it thought of it counts
// for nothing then. What was raised and not planned when it died is planned by the next.
t.test('a killed worker', async (t) => {
  const hanging = await brokenMailServer(t, 'never greets')
  const it = await scene(t, { low_stock_threshold: 3 }, 2)
  await settings(it, { addresses: ['a@example.com'] })
  await look(it)
  const program = fileURLToPath(new URL('../deliveries/worker-process.ts', import.meta.url)).replace(/\.ts$/, import.meta.url.endsWith('.js') ? '.js' : '.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', program, it.url, hanging.url, newKeyMaterial()], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  await until('its connection', () => hanging.connections() >= 1)
  const dead = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await dead
  const [before] = await mailsOf(it)
  t.match(before, { status: 'sending', attempts: 1 })
  const server = await mailServer(t)
  work(t, it, { SMTP_URL: server.url })
  t.strictSame(await inTransaction(it.db, (trx) => claimAlertMails(trx, { limit: 9, lease_ms: 1000, domain: 'x' })), [], 'its lease holds')
  await sql`update alert_mails set next_attempt_at = now()`.execute(it.db)
  const [after] = await sent(it, 1)
  t.match(after, { message_id: before?.message_id, attempts: 2 })
  t.equal(server.mails.length, 1)
  const lapsed = { ...before, attempt: 1 } as unknown as Parameters<typeof finishAlertMail>[1]
  t.equal(await inTransaction(it.db, (trx) => finishAlertMail(trx, lapsed, { outcome: 'failed', response: 'x' })), undefined)
})

// Guarantee: two workers, alone, find a pool that is low and tell it to each address once.
t.test('two workers, all by themselves', async (t) => {
  const server = await mailServer(t)
  const it = await scene(t, { low_stock_threshold: 3 }, 2)
  await settings(it, { addresses: ['a@example.com', 'b@example.com'] })
  const other = connectDatabase(it.url, readConfig({}))
  t.teardown(() => other.destroy())
  work(t, it, { SMTP_URL: server.url })
  work(t, { ...it, db: other }, { SMTP_URL: server.url })
  await sent(it, 2)
  t.strictSame(server.mails.map(({ to }) => to[0]).sort(), ['a@example.com', 'b@example.com'])
  t.strictSame(await open(it), ['pool.low'])
})

// Guarantee: each mail that failed or came back is told once, by ids only, and is over when the licenses were mailed again or the order ended. However many
// fail, there is a mail an hour.
t.test('failed deliveries', async (t) => {
  const it = await scene(t, {}, 10)
  await settings(it, { addresses: ['a@example.com'] })
  const [first, second, third] = [await sell(it, 1), await sell(it, 1), await sell(it, 1)]
  await noteFailed(it)
  t.strictSame(await alerts(it), [], 'planned mails are no failures')
  await sql`update deliveries set status = 'failed', next_attempt_at = null, last_error = '550 <ada@example.com> unknown' where order_id = any(${[first, second]})`.execute(it.db)
  await Promise.all([noteFailed(it), noteFailed(it), noteFailed(it)])
  await plan(it)
  await sql`update deliveries set status = 'bounced', next_attempt_at = null where order_id = ${third}`.execute(it.db)
  await noteFailed(it)
  await noteFailed(it)
  await plan(it)
  const raised = await alerts(it)
  t.strictSame(raised.map(({ kind }) => kind), ['delivery.failed', 'delivery.failed', 'delivery.failed'])
  t.match(raised.find(({ data }) => data['order_id'] === third)?.data, { order_external_id: /^S-/, status: 'bounced' })
  t.notMatch(JSON.stringify(raised), 'ada@example.com')
  t.equal((await mailsOf(it)).length, 1)
  t.strictSame(raised.map(({ mail_state: state }) => state), ['mailed', 'mailed', 'waiting'])
  t.equal((await it.call('POST', `/v1/orders/${first}/resend`)).statusCode, 202)
  await noteFailed(it)
  t.equal((await open(it)).length, 3, 'sent again, not yet arrived')
  await sql`update deliveries set status = 'sent', next_attempt_at = null, sent_at = now() where reason = 'resend'`.execute(it.db)
  await it.call('POST', `/v1/orders/${second}/cancel`, { reason: 'x' })
  await noteFailed(it)
  await noteFailed(it)
  t.equal((await open(it)).length, 1)
  t.equal((await alerts(it)).length, 3, 'none is told twice')
})

// Guarantee: a mail that failed is no matter any more once its order holds nothing of it that was not mailed since, in whatever mails, or its customer was
// erased; and a license that the vendor revoked leaves nothing to mend.
t.test('what is not to be mailed any more', async (t) => {
  const it = await scene(t, {}, 10)
  const [replaced, revoked, erased, parts] = [await sell(it, 1), await sell(it, 1), await sell(it, 1), await sell(it, 2)]
  await sql`update deliveries set status = 'failed', next_attempt_at = null`.execute(it.db)
  await noteFailed(it)
  t.equal((await open(it)).length, 4)
  const licensesOf = async (order_id: string): Promise<string[]> => (await it.db.selectFrom('allocations').select('license_id').where('order_id', '=', order_id)
    .where('ended_as', 'is', null).orderBy('unit').execute()).map((row) => row.license_id)
  t.equal((await it.call('POST', `/v1/licenses/${(await licensesOf(replaced)).join()}/replace`, { reason: 'leaked' })).statusCode, 200)
  t.equal((await it.call('POST', `/v1/licenses/${(await licensesOf(revoked)).join()}/revoke`, { reason: 'leaked' })).statusCode, 200)
  await it.db.updateTable('orders').set({ customer: '{}', erased_at: new Date() }).where('id', '=', erased).execute()
  const [first, second] = await licensesOf(parts)
  const mailed = async (license_id: string | undefined): Promise<void> => {
    await it.db.insertInto('deliveries').values({
      account_id: it.vendor.account_id,
      order_id: parts,
      product_id: it.product_id,
      license_ids: [license_id ?? ''],
      to: 'ada@example.com',
      reason: 'resend',
      status: 'sent',
      next_attempt_at: null,
      sent_at: new Date(),
    }).execute()
    await noteFailed(it)
  }
  await mailed(first)
  t.strictSame((await alerts(it, '&is_open=true')).map(({ data }) => data['order_id']), [parts], 'one of two licenses was mailed')
  await mailed(second)
  t.strictSame(await open(it), [])
})

// Guarantee: a paid order that the policy of its pool left without licenses is told, and is over once it has them.
t.test('unfulfilled orders', async (t) => {
  const it = await scene(t, { on_shortage: 'fail' }, 1)
  const source = (await it.call('POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'shop' })).json<{ id: string, secret: string }>()
  const { headers, body } = messageOf(source.secret, JSON.stringify({ type: 'order.paid', data: orderOf('W-1', { line_items: [{ product: 'sku-pro', quantity: 2 }] }) }))
  const named = Object.fromEntries(headers.flatMap((name, i) => i % 2 === 0 ? [[name, headers[i + 1] as string]] : []))
  const paid = (await it.app.inject({ method: 'POST', url: `/v1/payments/${source.id}`, headers: named, payload: body })).json<{ id: string, order_id: string }>()
  await noteFailed(it)
  await noteFailed(it)
  t.match(await alerts(it), [{ kind: 'order.unfulfilled', subject_id: paid.order_id, data: { order_external_id: 'W-1', lines: 1, pool_ids: [it.pool_id] } }])
  t.equal((await it.db.selectFrom('events').select('id').where('type', '=', 'order.unfulfilled').execute()).length, 1)
  await restock(it, 5)
  await it.call('POST', `/v1/payment-events/${paid.id}/replay`)
  await noteFailed(it)
  t.strictSame(await open(it), [])
  await sql`update line_items set fulfillment_status = 'unfulfilled', ended_units = quantity`.execute(it.db)
  await noteFailed(it)
  t.strictSame(await open(it), [], 'what was refunded is nothing to mend')
})

// Guarantee: a batch of which unsold licenses expire within the days that the account set is told once, and is over when none is left that does. What has
// expired is not available.
t.test('expiring batches', async (t) => {
  const it = await scene(t, { low_stock_threshold: 3 })
  const csv = async (days: number, ...names: string[]): Promise<string> => {
    const until = new Date(Date.now() + days * 86_400_000).toISOString()
    const answer = await it.call('POST', `/v1/pools/${it.pool_id}/licenses`, `key,expires_at\n${names.map((name) => `${name},${until}`).join('\n')}`, { 'content-type': 'text/csv' })
    return answer.json<{ batch_id: string }>().batch_id
  }
  const soon = await csv(20, 'SOON-1', 'SOON-2')
  const late = await csv(90, 'LATE-1', 'LATE-2')
  await noteExpired(it)
  await noteExpired(it)
  t.match(await alerts(it), [{ kind: 'batch.expiring', subject_id: soon, data: { pool_id: it.pool_id, licenses: 2, days: 30 } }])
  await settings(it, { expiring_days: 120 })
  await noteExpired(it)
  t.strictSame((await alerts(it)).map(({ subject_id: id }) => id), [soon, late])
  await settings(it, { expiring_days: 10 })
  await noteExpired(it)
  t.strictSame(await open(it), [])
  await change(it, { min_remaining_days: 30 })
  await look(it)
  t.match(await alerts(it, '&kind=pool.low'), [{ data: { available: 2 } }], 'what does not last long enough is not available')
})
