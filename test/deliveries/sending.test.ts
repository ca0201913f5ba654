// What an account says of its mails, what comes back of them, and mailing again. Over the API, with a worker and a mail server.
import { createPublicKey } from 'node:crypto'
import PostalMime from 'postal-mime'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.js'
import { inTransaction } from '../../src/database/transaction.js'
import { claimDeliveries } from '../../src/deliveries/claim.js'
import { createApiKey } from '../../src/accounts/create-api-key.js'
import { PRESETS } from '../../src/accounts/permissions.js'
import { startWorker } from '../../src/worker.js'
import { testAccount, testApp, type TestAccount } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { mailServer } from '../support/smtp.js'
import { until } from '../support/until.js'
import { callsOf, keys, makePool, makeProduct, orderOf, type Call } from '../support/vendor.js'

type Json = Record<string, any>

const HOUSE = 'House <house@house.example>'

async function arrange (t: Test) {
  const service = await testApp(t, { MAIL_FROM: HOUSE })
  const shopOf = async (account: TestAccount): Promise<{ call: Call, order: (external_id: string, other?: object) => Promise<Json> }> => {
    const call = callsOf(service.app, account)
    await makeProduct(call, 'sku-pro')
    await makePool(call, {}, keys(60))
    return { call, order: async (external_id, other = {}) => (await call('POST', '/v1/orders', orderOf(external_id, { ...other }))).json<Json>() }
  }
  const server = await mailServer(t)
  const work = (env: NodeJS.ProcessEnv = {}): { stop (): Promise<void> } => {
    const config = readConfig({ MAIL_FROM: HOUSE, SMTP_URL: server.url, WORKER_POLL_MS: '20', ...env })
    const quiet = (): void => {}
    const worker = startWorker({ db: service.db, config, keyring: service.keyring, log: { info: quiet, warn: quiet, error: quiet } })
    t.teardown(() => worker.stop(0))
    return worker
  }
  const shop = await shopOf(service.vendor)
  const deliveryOf = async (order_id: string, at = 0): Promise<Json> => {
    const { id } = (await shop.call('GET', `/v1/deliveries?order_id=${order_id}&ordering=created`)).json<Json[]>()[at] ?? {}
    return (await shop.call('GET', `/v1/deliveries/${id}`)).json<Json>()
  }
  const sent = (order_id: string, at = 0): Promise<Json> => until('the mail is sent', async () => {
    const delivery = await deliveryOf(order_id, at)
    return delivery['status'] === 'sent' && delivery
  })
  return { ...service, ...shop, shopOf, server, work, deliveryOf, sent }
}

// Guarantee: mails go out as the account set it, signed by its key where that may, with a copy where it wants one; what it is not told is refused by name.
t.test('settings', async (t) => {
  const { db, call, order, server, work, sent, stranger, app, vendor } = await arrange(t)
  t.strictSame((await call('GET', '/v1/mail-settings')).json(), { from: { name: 'House', address: 'house@house.example' }, reply_to: null, bcc: null, rate_per_second: null, dkim: null })
  for (const [body, fault] of [
    [{ from: { address: 'a@b.example, c@d.example' } }, 'from.address'], [{ reply_to: 'x' }, 'reply_to'], [{ bcc: 'a <b@c.example>' }, 'bcc'], [{ rate_per_second: 0 }, 'rate_per_second'],
    [{ from: { name: 'x\r\nBcc: e@y.example', address: 'a@b.example' } }, 'from.name'], [{ cc: 'a@b.example' }, 'cc'],
  ] as const) {
    const reply = await call('PUT', '/v1/mail-settings', body)
    t.equal(reply.statusCode, 400, fault)
    t.match(reply.json<Json>()['errors'].join(), fault)
  }
  const settings = { from: { name: 'Acme Keys', address: 'keys@acme.example' }, reply_to: 'help@acme.example', bcc: 'archive@acme.example' }
  t.match((await call('PUT', '/v1/mail-settings', settings)).json(), { ...settings, rate_per_second: null, dkim: null })
  const made = (await call('POST', '/v1/mail-settings/dkim', { domain: 'ACME.example', selector: 's1' })).json<Json>()
  t.match(made, { ...settings, dkim: { domain: 'acme.example', selector: 's1', record: { name: 's1._domainkey.acme.example', type: 'TXT' } } })
  t.ok(createPublicKey({ key: Buffer.from(made['dkim'].record.value.split('p=')[1], 'base64'), format: 'der', type: 'spki' }))
  t.notMatch(JSON.stringify(made), /PRIVATE|sealed/)
  t.equal((await call('POST', '/v1/mail-settings/dkim', { domain: 'not a domain', selector: 's1' })).statusCode, 400)
  t.match((await callsOf(app, stranger)('GET', '/v1/mail-settings')).json(), { dkim: null, bcc: null }, 'another account has its own')
  work()
  const { id } = await order('A-1')
  await sent(id)
  await until('the copy', () => server.mails.length === 2)
  const [mail, copy] = await Promise.all(server.mails.map(({ raw }) => PostalMime.parse(raw)))
  t.match(mail, { from: settings.from, replyTo: [{ address: 'help@acme.example' }], to: [{ address: 'ada@example.com' }] })
  t.match(server.mails[0]?.raw.toString(), /^DKIM-Signature: v=1; a=rsa-sha256; c=relaxed\/relaxed; d=acme\.example;\s*q=dns\/txt; s=s1;/i)
  t.strictSame([server.mails[0]?.to, server.mails[1]?.to, copy?.to, copy?.messageId], [['ada@example.com'], ['archive@acme.example'], mail?.to, mail?.messageId])
  server.faults.rcpt = (address) => address.startsWith('archive') ? { code: 550, text: '5.1.1 no archive' } : undefined
  await sent((await order('A-2'))['id'])
  t.equal((await call('DELETE', '/v1/mail-settings/dkim')).statusCode, 204)
  await call('PUT', '/v1/mail-settings', {})
  await sent((await order('A-3'))['id'])
  t.match(await PostalMime.parse(server.mails.at(-1)?.raw ?? ''), { from: { name: 'House', address: 'house@house.example' }, replyTo: undefined })
  t.notMatch(server.mails.at(-1)?.raw.toString(), /DKIM-Signature/i)
  const events = await db.selectFrom('events').select(['type', 'data']).where('type', 'like', 'mail_settings.%').orderBy('id').execute()
  t.strictSame(events.map(({ type }) => type), ['mail_settings.updated', 'mail_settings.dkim_set', 'mail_settings.dkim_removed', 'mail_settings.updated'])
  t.notMatch(JSON.stringify(events), /keys@|help@|archive@/, 'no address in an event')
  t.not(vendor.account_id, stranger.account_id)
  await assertInvariants(t, db)
})

// Guarantee: an account's mails keep its pace whoever claims them, in their order, and hold up no other account's; a lifted limit lets go of what waited.
t.test('a pace', async (t) => {
  const { db, call, order, stranger, shopOf } = await arrange(t)
  const other = await shopOf(stranger)
  await call('PUT', '/v1/mail-settings', { rate_per_second: 10 })
  const mine: string[] = []
  for (let i = 0; i < 12; i++) mine.push((await order(`A-${i}`))['deliveries'][0].id)
  const theirs = (await other.order('B-1'))['deliveries'][0].id
  const claim = async (limit = 4): Promise<string[]> =>
    (await inTransaction(db, (trx) => claimDeliveries(trx, { limit, lease_ms: 20_000, domain: 'x.example' }))).map(({ id }) => id)
  const started = Date.now()
  const first = await claim()
  t.strictSame(first, mine.slice(0, 3), 'a quarter of a second of ten a second, begun')
  const second = await claim()
  t.ok(second.includes(theirs), 'the other account is next at once')
  const got = [...first, ...second.filter((id) => id !== theirs)]
  await until('all are claimed', async () => {
    const both = await Promise.all([claim(), claim()])
    got.push(...both.flat())
    return got.length === 12
  })
  const ms = Date.now() - started
  t.ok(ms >= 600, `nine more at a hundred milliseconds each, less the quarter second: ${ms}`)
  t.strictSame([...got].sort(), [...mine].sort(), 'each once')
  t.strictSame(got.slice(0, 6), mine.slice(0, 6), 'in the order they came')

  await call('PUT', '/v1/mail-settings', { rate_per_second: 0.01 })
  for (let i = 0; i < 5; i++) await order(`C-${i}`)
  await sql`update mail_settings set paced_until = now() + interval '1 hour'`.execute(db)
  t.strictSame(await claim(), [])
  t.equal((await db.selectFrom('deliveries').select('id').where('is_paced', '=', true).execute()).length, 5)
  await sql`update mail_settings set paced_until = now()`.execute(db)
  await call('PUT', '/v1/mail-settings', {})
  t.equal((await claim(10)).length, 5, 'what waited goes when the limit is gone')
  t.strictSame(await claim(), [])
  t.match(await db.selectFrom('mail_settings').select('is_pacing').execute(), [{ is_pacing: false }], 'nobody is looked at for nothing')
})

const report = (delivery_id: string, { action = 'failed', to = 'house@house.example', returned = `Message-ID: <${delivery_id}@house.example>`, status = '5.1.1', said = 'smtp; 550 5.1.1 no such user', recipient = 'ada@example.com' } = {}): string =>
  ['Return-Path: <>', `To: ${to}`, 'From: MAILER-DAEMON@mx.example', 'Subject: Undelivered', 'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"', '', '--b', 'Content-Type: text/plain', '', 'It did not work.', '--b',
    'Content-Type: message/delivery-status', '', 'Reporting-MTA: dns; mx.example', '', `Final-Recipient: rfc822; ${recipient}`, `Action: ${action}`, `Status: ${status}`,
    `Diagnostic-Code: ${said}`, '', '--b', 'Content-Type: message/rfc822', '', returned, 'Subject: Your key', '', 'Your key', '--b--', ''].join('\r\n')

// Guarantee: a report about a mail, however it names it, makes its delivery bounced, once, without a key in what is kept; others change nothing.
t.test('bounces', async (t) => {
  const { db, app, call, order, work, sent, deliveryOf, stranger, operator } = await arrange(t)
  work()
  const tell = async (body: string | object, by = call): Promise<Json> => {
    const reply = await by('POST', '/v1/deliveries/bounces', body, typeof body === 'string' ? { 'content-type': 'message/rfc822' } : {})
    return { status_code: reply.statusCode, ...reply.json<Json>() }
  }
  const mailed = async (name: string): Promise<{ order_id: string, id: string }> => {
    const { id: order_id } = await order(name)
    return { order_id, id: (await sent(order_id))['id'] }
  }
  const one = await mailed('A-1')
  t.match(await tell(report(one.id), callsOf(app, stranger)), { status_code: 200, matched: false, delivery_id: null }, 'another account knows nothing of it')
  t.match(await tell(report(one.id, { action: 'delayed', status: '4.4.1' })), { matched: true, status: 'sent' })
  t.match(await tell(report(one.id, { action: 'delayed', status: '4.4.1' })), { matched: true, status: 'sent' })
  t.match(await tell(report(one.id, { action: 'delivered', status: '2.0.0' })), { matched: true, status: 'sent' })
  t.match(await tell(report(one.id, { said: 'smtp; 550 5.1.1 you said\r\n ABCD-EFGH-00000001' })), { status_code: 200, matched: true, delivery_id: one.id, status: 'bounced' })
  t.match(await tell(report(one.id)), { matched: true, status: 'bounced' }, 'again')
  const bounced = await deliveryOf(one.order_id)
  t.match(bounced, { status: 'bounced', last_error: /^550 5\.1\.1/, next_attempt_at: null, attempts: 1 })
  t.ok(bounced['sent_at'])
  t.match(bounced['reports'], [{ action: 'delayed', status: '4.4.1' }, { action: 'failed', status: '5.1.1', diagnostic: '550 5.1.1' }])
  t.notMatch(JSON.stringify(bounced), /ABCD-EFGH/, 'the report repeated a key')
  const events = await db.selectFrom('events').select(['type', 'data']).where('subject_id', '=', one.id).orderBy('id').execute()
  t.strictSame(events.map(({ type }) => type), ['delivery.sent', 'delivery.delayed', 'delivery.bounced'])
  t.strictSame((await call('GET', '/v1/deliveries?status=bounced')).json<Json[]>().map(({ id }) => id), [one.id])
  t.match((await call('GET', `/v1/orders/${one.order_id}`)).json<Json>()['deliveries'], [{ status: 'bounced' }])
  t.equal((await db.selectFrom('license_sightings').select('license_id').execute()).length, 1, 'its license was seen all the same')

  const ways: Array<(id: string) => string | object> = [
    (id) => report(id, { to: `bounces+${id.toLowerCase()}@house.example`, returned: 'Subject: lost' }),
    (id) => `Delivered-To: bounces+${id}@house.example\r\n${report(id, { returned: 'X: y' })}`,
    (id) => ({ delivery_id: id, action: 'failed', status: '5.1.1', diagnostic: 'no such user' }),
    (id) => ({ message_id: `<${id}@house.example>`, action: 'failed', status: '5.2.1' }),
    (id) => ({ message_id: `${id}@house.example`, action: 'failed', status: '5.2.1' }),
  ]
  for (const [i, way] of ways.entries()) {
    const { id } = await mailed(`W-${i}`)
    t.match(await tell(way(id), i === 2 ? callsOf(app, operator) : call), { matched: true, delivery_id: id, status: 'bounced' }, `way ${i}`)
  }
  for (const body of [report('DE-00000000000000000000000000'), report('x', { returned: 'Message-ID: <other@shop.example>' }), { delivery_id: 'DE-none', action: 'failed', status: '5.1.1' },
    { message_id: '<x@y.example>', action: 'failed', status: '5.1.1' }, report(one.id, { to: `bounces+${one.id}.copy@house.example` })]) {
    t.match(await tell(body), { status_code: 200, matched: false })
  }
  for (const body of ['garbage', '\0\xff', 'Subject: out of office\r\n\r\nI am away', report(one.id, { action: 'exploded' }), { action: 'failed', status: '5.1.1' },
    { delivery_id: one.id, message_id: 'x', action: 'failed', status: '5.1.1' }, { delivery_id: one.id, action: 'failed', status: 'no' }]) {
    t.match(await tell(body), { status_code: 400 }, JSON.stringify(body).slice(0, 60))
  }
  t.match(await tell(report(one.id), callsOf(app, await testAccount(db, 'vendor', PRESETS['vendor-read']))), { status_code: 403 })
  await assertInvariants(t, db)
})

// Guarantee: a report about a mail that waits for its next try ends it; one about a mail that is being sent is asked for again; neither touches a resend.
t.test('bounces of mails that are not over', async (t) => {
  const { db, call, order, deliveryOf } = await arrange(t)
  const { id: order_id, deliveries: [{ id }] } = await order('A-1')
  const tell = async (): Promise<Json> => {
    const reply = await call('POST', '/v1/deliveries/bounces', { delivery_id: id, action: 'failed', status: '5.1.1' })
    return { status_code: reply.statusCode, retry: reply.headers['retry-after'], ...reply.json<Json>() }
  }
  t.match(await tell(), { matched: true, status: 'planned' }, 'it was never sent')
  await inTransaction(db, (trx) => claimDeliveries(trx, { limit: 10, lease_ms: 20_000, domain: 'x.example' }))
  t.match(await tell(), { status_code: 503, retry: '10' })
  await db.updateTable('deliveries').set({ status: 'planned', claim_id: null }).where('id', '=', id).execute()
  await call('POST', `/v1/orders/${order_id}/resend`)
  t.match(await tell(), { matched: true, status: 'bounced' })
  t.match([await deliveryOf(order_id), await deliveryOf(order_id, 1)], [{ status: 'bounced' }, { status: 'planned', reason: 'resend' }])
})

// Guarantee: mailing again goes by line, to a corrected address if the key may, from then on for all mails of the order, and not without end.
t.test('mailing again', async (t) => {
  const { db, app, call, order, server, work, deliveryOf, sent, vendor } = await arrange(t)
  await makeProduct(call, 'sku-extra')
  const lines = [{ external_id: 'L1', product: 'sku-pro', quantity: 1 }, { external_id: 'L2', product: 'sku-extra', quantity: 2 }]
  const { id } = await order('A-1', { line_items: lines })
  const resend = async (body?: object, by = call): Promise<Json> => {
    const reply = await by('POST', `/v1/orders/${id}/resend`, body)
    return { status_code: reply.statusCode, retry: Number(reply.headers['retry-after']), ...reply.json<Json>() }
  }
  for (const [body, fault] of [[{ to: 'a@b.example, c@d.example' }, 'to: '], [{ line_items: ['L1', 'L9'] }, 'line_items.1: '], [{ line_items: [] }, 'line_items'], [{ cc: 'x' }, 'cc']] as const) {
    const refused = await resend(body)
    t.equal(refused['status_code'], 400)
    t.match(refused['errors'].join(), fault)
  }
  const key = await inTransaction(db, (trx) => createApiKey(trx, { account_id: vendor.account_id, name: 'support', permissions: ['orders:read', 'orders:resend'] }, null))
  const support = callsOf(app, { authorization: `ApiKey ${key.id}:${key.secret}` })
  t.match(await resend({ to: 'eve@example.com' }, support), { status_code: 403, params: { permission: 'orders:redirect' } })
  t.match(await resend({ line_items: ['L2'] }, support), { status_code: 202, mail_to: null })
  const again = await deliveryOf(id, 2)
  t.match(again, { reason: 'resend', to: 'ada@example.com' })
  t.equal(again['license_ids'].length, 2, 'only the line that was asked for')

  const corrected = await resend({ to: 'ada.l@example.com' })
  t.match(corrected, { status_code: 202, mail_to: 'ada.l@example.com', customer: { email: 'ada@example.com' } })
  const planned = await db.selectFrom('deliveries').select('to').where('order_id', '=', id).execute()
  t.strictSame(planned.map(({ to }) => to), Array(5).fill('ada.l@example.com'), 'also those that were planned before')
  const events = await db.selectFrom('events').select(['type', 'actor', 'data']).where('subject_id', '=', id).where('type', 'in', ['order.redirected', 'order.resent']).orderBy('id').execute()
  t.match(events.map(({ type }) => type), ['order.resent', 'order.redirected', 'order.resent'])
  t.notMatch(JSON.stringify(events), /@/, 'no address in an event')
  work()
  await sent(id, 4)
  await until('all arrive', () => server.mails.length === 5)
  t.ok(server.recipients.every((address) => address === 'ada.l@example.com'))
  t.match(await resend(), { status_code: 202 }, 'and later ones')
  t.match(await sent(id, 6), { to: 'ada.l@example.com' })
  t.match(await resend({ to: 'ada@example.com' }), { status_code: 202, mail_to: null }, 'back to the customer\'s own')
  t.match(await resend({ line_items: ['L1'] }), { status_code: 202 })
  const often = await resend()
  t.match(often, { status_code: 429, type: /resend-too-often/ })
  t.ok(often['retry'] > 3500 && often['retry'] <= 3600)
  await db.updateTable('deliveries').set({ created_at: sql<Date>`created_at - interval '1 hour'` }).where('order_id', '=', id).execute()
  t.match(await resend(), { status_code: 202 }, 'an hour later')
  await db.updateTable('orders').set({ status: 'refunded' }).where('id', '=', id).execute()
  t.match(await resend({ to: 'x@example.com' }), { status_code: 409 })
})
