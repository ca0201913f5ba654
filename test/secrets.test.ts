// Keys in clear are in the mail and in a reveal, and nowhere else (docs/decisions: what is sealed). Looked for byte by byte, in many encodings, in
// every output of a whole service on a durable PostgreSQL that logs each statement with its parameters.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import t from 'tap'
import { testAccount, type TestAccount } from './support/app.js'
import { copyOf, durableService, filesOf, hits, type DurableService } from './support/everywhere.js'
import { assertInvariants } from './support/invariants.js'
import { receiver } from './support/receiver.js'
import { playMail } from './support/secret-mail.js'
import { playMarket } from './support/secret-market.js'
import { playTrade } from './support/secret-trade.js'
import { until } from './support/until.js'
import { callsOf, makePool, makeProduct, orderOf, type Call } from './support/vendor.js'
import { messageOf, postMessage } from './support/webhooks.js'

const CANARY = 'CANARY-9f1b7c2e-XKCD-Zürich-3d77' // the middle, which no mask shows, is what is looked for
const NEEDLE = CANARY.slice(6, -4)
const MARKER = 'MARKER-51c8e0aa-planted-in-clear'
/** The client programs of a PostgreSQL as new as the server: where pg_dump is. */
const PG_BIN = process.env['PG_PROGRAMS']

/** Every way a key goes, and every way it fails to. Returns what was answered, apart from what may show secrets. */
async function play (
  { db, app, port, mail }: DurableService, vendor: TestAccount
): Promise<{ call: Call, pool_id: string, answers: string[], shown: string[], secrets: string[] }> {
  const call = callsOf(app, vendor)
  const [answers, shown]: [string[], string[]] = [[], []]
  const ask: typeof call = async (...given) => {
    const answer = await call(...given)
    answers.push(answer.body, JSON.stringify(answer.headers))
    return answer
  }
  mail.faults.data = () => ({ code: 451, text: `4.7.1 not now, you sent ${CANARY}` })
  const product_id = await makeProduct(call, 'sku-pro')
  const pool_id = await makePool(call, { product_ids: [product_id] })
  const url = `/v1/pools/${pool_id}/licenses`
  for (const [query, body, type] of [
    ['', `${CANARY}\n${CANARY}\n${CANARY}-2`, 'text/plain'], ['', CANARY, 'text/plain'], ['?strict=true', `${CANARY}-3\n${CANARY}\0`, 'text/plain'], ['?dry_run=true', `${CANARY}-4`, 'text/plain'],
    ['', `${CANARY}${'x'.repeat(5000)}\n${CANARY}\x01`, 'text/plain'], ['', `license\n${CANARY}-5\n"${CANARY}`, 'text/csv'], ['', `{"licenses":["${CANARY}-6","${CANARY}\\u0000"]}`, 'application/json'],
    ['', `{"licenses":[{"${CANARY}":1}`, 'application/json'], ['', CANARY, 'application/xml'], ['', `{"licenses":"${CANARY}"}`, 'application/json'],
  ] as const) await ask('POST', `${url}${query}`, body, { 'content-type': type, 'idempotency-key': `load ${answers.length}` })
  const source = (await call('POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'shop' }, { 'idempotency-key': 'k' })).json<{ id: string, secret: string }>()
  const key = (await call('POST', '/v1/api-keys', { name: 'shop', preset: 'checkout' }, { 'idempotency-key': 'k' })).json<{ api_key: string }>()
  const event = JSON.stringify({ type: 'order.paid', data: orderOf('A-1') })
  for (const message of [messageOf(source.secret, event), messageOf(`whsec_${'A'.repeat(43)}=`, event)]) answers.push(JSON.stringify(await postMessage(port, source.id, message)))
  const order = (await ask('POST', '/v1/orders', orderOf('A-2', { line_items: [{ product: 'sku-pro', quantity: 1 }] }), { 'idempotency-key': 'o' })).json()
  await until('the mail server to refuse', async () => (await db.selectFrom('deliveries').select('id').where('last_error', 'is not', null).execute()).length >= 2)
  mail.faults.data = undefined
  await sql`update deliveries set next_attempt_at = now() where status = 'planned'`.execute(db)
  await ask('POST', `/v1/orders/${order.id}/resend`)
  await until('the mails', async () => (await db.selectFrom('deliveries').select('id').where('status', '<>', 'sent').execute()).length === 0)
  const license_id = order.line_items[0].licenses[0].id as string
  shown.push((await call('POST', `/v1/licenses/${license_id}/reveal`)).body)
  await ask('POST', `/v1/licenses/${license_id}/withdraw`, { reason: 'sold' })
  const { token } = (await call('POST', `/v1/orders/${order.id}/page-link`)).json<{ token: string }>()
  for (const given of [token, `${token}A`]) await ask('GET', '/v1/order-page', undefined, { 'order-token': given })
  shown.push((await call('POST', '/v1/order-page/reveal', { license_id }, { 'order-token': token })).body)
  await ask('POST', '/v1/order-page/reveal', { license_id: 'LI-none' }, { 'order-token': token })
  const deliveries = (await ask('GET', '/v1/deliveries')).json<Array<{ id: string }>>()
  for (const one of [url, '/v1/orders', `/v1/orders/${order.id}`, '/v1/events', '/v1/batches', `/v1/pools/${pool_id}`, '/v1/payment-events', '/v1/payment-sources', '/v1/api-keys', `/v1/licenses/${license_id}`,
    '/openapi.json', ...deliveries.map(({ id }) => `/v1/deliveries/${id}`)]) await ask('GET', one)
  return { call, pool_id, answers, shown, secrets: [vendor.api_key, key.api_key].map((api_key) => api_key.split(':')[1] as string).concat(source.secret.slice('whsec_'.length), token) }
}

// Guarantee (F1, F2, F3, C8): no license key, API key (ours, or a vendor's to a checkout) or signing secret is in clear in any log, answer, list, event,
// refusal, file of the database, WAL or dump, whatever succeeded or failed; a license key is in the mail's body and in a reveal, whole.
t.test('secrets', { timeout: 110_000 }, async (t) => {
  const running = await durableService(t)
  const { server, dataDir, db, mail, log } = running
  const vendor = await testAccount(db, 'vendor')
  const { call, pool_id, answers, shown, secrets } = await play(running, vendor)
  const hook = await receiver(t)
  const market = await playMarket(running, { vendor, pool_id, hook })
  const ordinary = mail.mails.length
  const [web, api] = [await receiver(t), await receiver(t)]
  const trade = await playTrade(running, { vendor, web, api })
  const mailing = await playMail(running, await testAccount(db, 'vendor'))
  const planted = { ...market.secrets, ...trade.secrets, ...mailing.secrets }
  const mailed = [...trade.mailed, mailing.secrets['mail-key'] as string]
  await sql`insert into events (account_id, type, subject_id, data) values ('VA-0', 'marker.planted', 'x', ${JSON.stringify({ marker: MARKER })}::jsonb)`.execute(db)
  await assertInvariants(t, db)

  const postgres_log = readFileSync(`${dataDir}.log`)
  // a caller who looks a key up as if it were an id has shown it to the database; to nobody else
  for (const url of [`/v1/licenses/${encodeURIComponent(CANARY)}`, `/v1/orders?external_id=${encodeURIComponent(CANARY)}`, `/v1/nowhere/${encodeURIComponent(CANARY)}`]) {
    answers.push((await call('GET', url)).body)
  }

  for (const [i, where] of ['a reveal', 'the order page'].entries()) t.match(shown[i], NEEDLE, `${where} shows it`)
  t.ok(ordinary >= 2)
  for (const [i, { raw }] of mail.mails.entries()) {
    const end = raw.indexOf('\r\n\r\n')
    const keys = i < ordinary ? [NEEDLE] : mailed
    t.ok(keys.some((key) => hits(raw.subarray(end), key).length > 0), 'the mail has it')
    t.notOk(keys.some((key) => hits(raw.subarray(0, end), key).length > 0), 'but not its head')
  }
  t.match(web.received.at(-1)?.path, trade.secrets['web-key'], 'a renewal tells the web service the key before it')
  t.match(web.received[0]?.headers, { 'webhook-signature': /^v1,/ }, 'and its calls are signed')
  t.strictSame(new Set(api.received.map(({ headers }) => headers.authorization)), new Set(['api/key', 'changed/api/key'].map((what) => `Bearer ${trade.secrets[what] ?? ''}`)), 'the checkout is asked with each key')
  const bodiesOfMails = Buffer.concat(mail.mails.map(({ raw }) => raw.subarray(raw.indexOf('\r\n\r\n'))))
  for (const key of mailed) t.not(hits(bodiesOfMails, key).length, 0, `${key} was mailed`)
  await sql`checkpoint`.execute(db)
  await sql`select pg_switch_wal()`.execute(db)
  const copied = await copyOf(server.url())
  const places = new Map<string, Buffer>([
    ['the log of the service', Buffer.from(log.join(''))],
    ['the answers', Buffer.from([...answers, ...market.answers, ...trade.answers, ...mailing.answers].join('\n'))],
    ['the bodies of webhooks', Buffer.from(hook.received.map(({ body }) => body).join('\n'))],
    ['the log of PostgreSQL', postgres_log],
    ['COPY of every table', copied],
    ...filesOf(server.dataDir),
  ])
  const found = (name: RegExp, text: string): boolean => [...places].some(([place, bytes]) => name.test(place) && hits(bytes, text).length > 0)
  t.ok(found(/COPY/, MARKER) && found(/\/base\//, MARKER) && found(/\/pg_wal\//, MARKER) && found(/log of PostgreSQL/, MARKER), 'the planted marker is found in data files, WAL, log and copy: the search can find')
  t.match(places.get('the log of PostgreSQL')?.toString(), /insert into orders/, 'statements are logged')
  t.match(places.get('the log of PostgreSQL')?.toString(), /ada@example\.com/, 'with their parameters')
  t.match(places.get('the log of the service')?.toString(), /delivery attempt/)
  for (const what of ['license', 'pin', 'partner', 'representation', 'tile', 'configuration']) t.match(market.shown.join('\n'), market.secrets[what], `the ${what} is shown to whom it is for`)
  t.match(market.shown.at(-1), NEEDLE, 'and the license of the pool in the request that took it')
  t.match(mailing.shown, mailing.secrets['mail-key'], 'a preview shows the license to who may see it')
  t.match(mail.mails.at(-1)?.raw.toString(), /^DKIM-Signature: [\s\S]*s=s1/m, 'mails are signed')
  t.match(copied.toString(), mailing.corrected, 'the corrected address is stored')
  const events = (await db.selectFrom('events').select('data').execute()).map(({ data }) => JSON.stringify(data)).join('\n')
  for (const [where, text] of [['log of the service', log.join('')], ['events', events]] as const) t.notMatch(text, mailing.corrected, `the ${where} does not say it`)
  const bodies = hook.received.filter(({ headers }) => headers['x-token'] === market.secrets['header']).map(({ body }) => body).join('\n')
  t.match(bodies, /"status":"draft".*"asset":\{/, 'the validator judged a draft')
  t.match(bodies, /"fulfillment_request.approved"/, 'and the others are told of the purchase')
  for (const [what, secret] of Object.entries(planted)) {
    t.strictSame([...places].flatMap(([place, bytes]) => hits(bytes, secret).map((form) => `${place}: ${form}`)), [], `nowhere the ${what}`)
  }
  const inDatabase = /COPY|PostgreSQL|^\// // the way to the form is shown as long as it is open
  t.strictSame([...places].filter(([place, bytes]) => !inDatabase.test(place) && hits(bytes, market.form_code).length > 0).map(([place]) => place), [], 'nowhere else the code of a form')
  for (const secret of [NEEDLE, ...secrets]) {
    const where = [...places].flatMap(([place, bytes]) => hits(bytes, secret).map((form) => `${place}: ${form}`))
    t.strictSame(where, [], secret === NEEDLE ? 'no license key' : 'no API key nor signing secret')
  }

  const pgDump = PG_BIN === undefined ? undefined : path.join(PG_BIN, 'pg_dump')
  const version = pgDump !== undefined && existsSync(pgDump) ? /(\d+)\./.exec((await promisify(execFile)(pgDump, ['--version'])).stdout)?.[1] : undefined
  const { rows: [wanted] } = await sql<{ major: number }>`select current_setting('server_version_num')::int / 10000 as major`.execute(db)
  await t.test('a dump by pg_dump', { skip: Number(version ?? 0) < (wanted?.major ?? 0) && `set PG_PROGRAMS to a directory with pg_dump ${wanted?.major} or newer; COPY stands for it` }, async (t) => {
    const { stdout } = await promisify(execFile)(pgDump as string, [server.url()], { encoding: 'buffer', maxBuffer: 1 << 30 })
    t.not(hits(stdout, MARKER).length, 0)
    for (const secret of [NEEDLE, ...secrets, ...Object.values(planted)]) t.strictSame(hits(stdout, secret), [])
  })
})
