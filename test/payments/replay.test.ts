import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { sql } from 'kysely'
import t from 'tap'
import { reconcileCommand } from '../../src/commands/reconcile.js'
import { advanceReplays } from '../../src/payments/advance-replays.js'
import { assertInvariants } from '../support/invariants.js'
import { program } from '../support/process.js'
import { until } from '../support/until.js'
import { callsOf, keys, makePool, makeProduct } from '../support/vendor.js'
import { checkout, paid, state, type Checkout } from './support.js'

const late = (id: string): object => paid(id, { line_items: [{ product: 'sku-late', quantity: 1 }] })
const ALL = { received_from: '2020-01-01T00:00:00Z' }
const replayOf = async ({ call }: Checkout, id: unknown) => (await call('GET', `/v1/payment-replays/${String(id)}`)).json()
const ordersOf = async ({ db }: Checkout): Promise<number> => Number((await db.selectFrom('orders').select(({ fn }) => fn.countAll().as('n')).executeTakeFirstOrThrow()).n)

/** Mends what the events of `late` fail for. */
async function mend (shop: Checkout, licenses: number): Promise<void> {
  await makePool(shop.call, { product_ids: [await makeProduct(shop.call, 'sku-late')] }, keys(licenses, 'LATE'))
}

// Guarantee: a replay of a range is of that range, and counts what became of it; again it changes nothing.
t.test('a range', async (t) => {
  const shop = await checkout(t)
  const other = (await shop.call('POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'other' })).json<{ id: string }>()
  await shop.send(paid('A-1'))
  for (let n = 0; n < 5; n++) await shop.send(late(`L-${n}`))
  await shop.send({ type: 'order.unheard' })
  await shop.send({ type: 'order.refunded', data: { external_id: 'nobody' } })
  await mend(shop, 10)
  const run = async (body: object) => {
    const asked = await shop.call('POST', '/v1/payment-events/replay', body)
    t.equal(asked.statusCode, 202, asked.body)
    t.equal(asked.headers['location'], `/v1/payment-replays/${asked.json().id}`)
    await advanceReplays(shop, shop.keyring)
    return replayOf(shop, asked.json().id)
  }
  t.match(await run({ ...ALL, source_id: other.id }), { total: 0, done: 0, status: 'finished', finished_at: String })
  t.match(await run({ ...ALL, received_to: '2020-01-02T00:00:00Z' }), { total: 0, done: 0 })
  t.match(await run({ ...ALL, type: 'order.unheard' }), { total: 1, done: 1, processed: 0, failed: 0 })
  t.match(await run({ ...ALL, status: 'failed', source_id: shop.source.id }), { total: 5, done: 5, processed: 5, failed: 0, event_status: 'failed' })
  t.equal(await ordersOf(shop), 6)
  const events = await shop.db.selectFrom('payment_events').select(({ fn }) => fn.countAll().as('n')).executeTakeFirstOrThrow()
  const allocations = (await shop.db.selectFrom('allocations').selectAll().execute()).length
  t.match(await run(ALL), { total: 8, done: 8, processed: 6, failed: 0 })
  t.equal(await ordersOf(shop), 6)
  t.strictSame(await shop.db.selectFrom('payment_events').select(({ fn }) => fn.countAll().as('n')).executeTakeFirstOrThrow(), events)
  t.equal((await shop.db.selectFrom('allocations').selectAll().execute()).length, allocations, 'a second time nothing happens')
  t.equal((await shop.db.selectFrom('deliveries').selectAll().execute()).length, 6)
  const before = await state(shop)
  for (const [body, status] of [[{}, 400], [{ ...ALL, received_to: '2019-01-01T00:00:00Z' }, 400], [{ ...ALL, status: 'lost' }, 400], [{ ...ALL, source_id: 'PS-0' }, 404]] as const) {
    t.equal((await shop.call('POST', '/v1/payment-events/replay', body)).statusCode, status, JSON.stringify(body))
  }
  const stranger = callsOf(shop.app, shop.stranger)
  t.equal((await stranger('POST', '/v1/payment-events/replay', { ...ALL, source_id: shop.source.id })).statusCode, 404)
  const [{ id }] = (await shop.call('GET', '/v1/payment-replays')).json()
  t.match((await stranger('GET', `/v1/payment-replays/${id}`)).json(), { status: 404, error_code: 'PAY_005' })
  t.strictSame((await stranger('GET', '/v1/payment-replays')).json(), [])
  t.equal(await state(shop), before)
  await assertInvariants(t, shop.db)
})

// Guarantee: a replay whose worker is killed goes on where it was: each event is replayed, none is counted twice, each order placed once.
t.test('killed half way', async (t) => {
  const shop = await checkout(t)
  const total = 150
  for (let n = 0; n < total; n += 10) await Promise.all(Array.from({ length: 10 }, (_, i) => shop.send(late(`L-${n + i}`))))
  await mend(shop, total)
  const { id } = (await shop.call('POST', '/v1/payment-events/replay', { ...ALL, status: 'failed' })).json()
  const material = [...shop.keyring.versions].map(([version, key]) => `${version}=${key.toString('base64')}`)
  const child = spawn(process.execPath, [...program('test/webhooks/worker-process'), shop.url, [`fingerprint=${Buffer.alloc(32).toString('base64')}`, ...material].join(), '2000'], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  await until('some to be done', async () => (await replayOf(shop, id)).done >= 20)
  const dead = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await dead
  const half = await replayOf(shop, id)
  t.ok(half.status === 'running' && half.done < total, `${half.done} of ${total} were done`)
  await sql`update payment_replays set next_attempt_at = now()`.execute(shop.db) // its lease is over
  await Promise.all([advanceReplays(shop, shop.keyring), advanceReplays(shop, shop.keyring)])
  await until('the end', async () => (await replayOf(shop, id)).status === 'finished' || (await advanceReplays(shop, shop.keyring), false))
  t.match(await replayOf(shop, id), { total, done: total, processed: total, failed: 0 })
  t.equal(await ordersOf(shop), total)
  await assertInvariants(t, shop.db)
})

// Guarantee: a checkout's list of paid orders is told apart into those that are here, those that are kept with a reason, and those never heard of.
t.test('reconcile', async (t) => {
  const shop = await checkout(t)
  const url = `/v1/payment-sources/${shop.source.id}/reconcile`
  await shop.send(paid('A-1', { refs: ['pay_1'] }))
  await shop.send(paid('A-2'))
  const { json: failed } = await shop.send(late('A-3'))
  const { json: waiting } = await shop.send({ type: 'order.refunded', data: { external_id: 'A-4' } })
  const listed = { external_ids: ['A-1', 'pay_1', 'A-3', 'A-4', 'A-5', 'A-5', 'A-1'] }
  t.strictSame((await shop.call('POST', url, listed)).json(), {
    known: 2,
    kept: [
      { external_id: 'A-3', event_id: failed['id'], status: 'failed', reason: failed['reason'] },
      { external_id: 'A-4', event_id: waiting['id'], status: 'waiting', reason: waiting['reason'] },
    ],
    unknown: ['A-5'],
    unlisted: [],
  })
  t.match((await shop.call('POST', url, { ...listed, paid_from: '2026-01-01T00:00:00Z' })).json().unlisted, [{ id: /^OR-/, external_id: 'A-2' }])
  t.strictSame((await shop.call('POST', url, { ...listed, paid_from: '2026-02-01T00:00:00Z' })).json().unlisted, [], 'of the period only')
  const many = Array.from({ length: 10_000 }, (_, n) => `N-${n}`)
  t.equal((await shop.call('POST', url, { external_ids: many })).json().unknown.length, 10_000)
  for (const body of [{}, { external_ids: [] }, { external_ids: [''] }, { external_ids: [...many, 'x'] }]) t.equal((await shop.call('POST', url, body)).statusCode, 400)
  t.equal((await callsOf(shop.app, shop.stranger)('POST', url, listed)).statusCode, 404)
  await mend(shop, 1)
  await shop.call('POST', `/v1/payment-events/${String(failed['id'])}/replay`)
  t.match((await shop.call('POST', url, listed)).json(), { known: 3, kept: [{ external_id: 'A-4' }] })
})

// Guarantee: the command tells from a file which orders are not here, each once, and its exit code says so.
t.test('latchkey reconcile', async (t) => {
  const shop = await checkout(t)
  await shop.send(paid('A-1'))
  await shop.send(paid('A "2"'))
  await shop.send(late('A-3'))
  const config = { ...shop.config, database_url: shop.url, allow_unsafe_database: true }
  const file = path.join(t.testdir(), 'ids.csv')
  const run = async (text: string) => {
    writeFileSync(file, text)
    const [out, err] = [t.capture(console, 'log'), t.capture(console, 'error')]
    const code = await reconcileCommand(config, { source_id: shop.source.id, file }).finally(() => { out.restore(); err.restore() })
    return { code, lines: out.args().flat(), said: err.args().flat() }
  }
  t.strictSame(await run('A-1\r\n\n A-1 \n"A ""2""",49.00\n'), { code: 0, lines: [], said: ['2 ids: 2 are orders here, 0 are not'] })
  const { code, lines } = await run('\ufeffA-1;x\nA-3\t7\nA-9')
  t.equal(code, 1)
  t.match(lines, ['A-9\tunknown', /^A-3\tfailed\tPE-\w+\tline_items\.0\.product: /])
  await t.rejects(run('\n'), { message: /has no ids/ })
  writeFileSync(file, 'A-1')
  await t.rejects(reconcileCommand(config, { source_id: 'PS-0', file }), { message: 'there is no payment source PS-0' })
})
