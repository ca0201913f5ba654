import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { sql } from 'kysely'
import t from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { maskKey } from '../../src/licenses/mask.js'
import { uploadOf } from '../../src/licenses/upload.js'
import { open } from '../../src/sealing.js'
import { testAccount, testApp, type TestApp } from '../support/app.js'
import { filledOrder, poolOf, productOf } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { until } from '../support/until.js'
import { addPool, load } from './support.js'

type Method = 'GET' | 'POST'

async function call ({ app, vendor }: Pick<TestApp, 'app' | 'vendor'>, method: Method, url: string, payload?: object) {
  const answer = await app.inject({ method, url, headers: { authorization: vendor.authorization }, ...(payload === undefined ? {} : { payload }) })
  return { statusCode: answer.statusCode, headers: answer.headers, body: answer.json() }
}

/** One allocated license and one in stock, of one pool. */
async function sold (service: TestApp): Promise<{ pool_id: string, order_id: string, allocated: string, available: string }> {
  const shop = { db: service.db, keyring: service.keyring, account_id: service.vendor.account_id }
  const product_id = await productOf(shop)
  const stocked = await poolOf(shop, product_id, ['  ALLOCATED-KEY-e\u0301-0001'])
  const { order_id } = await filledOrder(shop, product_id, stocked)
  await load(service, stocked.pool_id, 'AVAILABLE-KEY-0002\n')
  const { license_id } = await service.db.selectFrom('stock').select('license_id').where('pool_id', '=', stocked.pool_id).executeTakeFirstOrThrow()
  return { pool_id: stocked.pool_id, order_id, allocated: stocked.license_ids[0] as string, available: license_id }
}

// Guarantee: a reveal answers the key byte for byte, is recorded in the same transaction, and is not kept by caches.
t.test('reveal', async (t) => {
  const service = await testApp(t)
  const { allocated, order_id } = await sold(service)
  const answer = await call(service, 'POST', `/v1/licenses/${allocated}/reveal`)
  t.strictSame(answer.body, { id: allocated, key: '  ALLOCATED-KEY-e\u0301-0001', expires_at: null })
  t.equal(answer.headers['cache-control'], 'no-store')
  const seen = await service.db.selectFrom('license_sightings').select(['license_id', 'how', 'seen_by']).execute()
  t.strictSame(seen, [{ license_id: allocated, how: 'revealed', seen_by: service.vendor.key_id }])
  const events = await service.db.selectFrom('events').select(['subject_id', 'actor', 'data']).where('type', '=', 'license.revealed').execute()
  t.strictSame(events, [{ subject_id: allocated, actor: service.vendor.key_id, data: { order_id } }])
  const reader = await testAccount(service.db, 'vendor', ['licenses:read'])
  t.equal((await call({ ...service, vendor: reader }, 'POST', `/v1/licenses/${allocated}/reveal`)).statusCode, 403, 'it has a permission of its own')
  await assertInvariants(t, service.db)
})

// Guarantee: a reveal waits for whatever is ending the allocation, so that neither misses the other.
t.test('reveal locks the open allocation first', async (t) => {
  const service = await testApp(t)
  const { allocated } = await sold(service)
  let answered = false
  const reveal = await inTransaction(service.db, async (trx) => {
    await trx.selectFrom('allocations').select('position').where('license_id', '=', allocated).forUpdate().execute()
    const reveal = call(service, 'POST', `/v1/licenses/${allocated}/reveal`).finally(() => { answered = true })
    await until('the reveal waits for a lock', async () => answered ||
      (await sql`select from pg_locks where not granted`.execute(service.db)).rows.length > 0)
    t.notOk(answered, 'it waits')
    return { done: reveal }
  })
  t.equal((await reveal.done).statusCode, 200)
})

// Guarantee: withdrawn stock is out for good and counted; what is not in stock cannot be withdrawn.
t.test('withdraw', async (t) => {
  const service = await testApp(t)
  const { pool_id, allocated, available } = await sold(service)
  const withdrawn = await call(service, 'POST', `/v1/licenses/${available}/withdraw`, { reason: 'recalled' })
  t.match(withdrawn, { statusCode: 200, body: { id: available, state: 'withdrawn', masked: 'AVAI-…-02' } })
  for (const id of [available, allocated]) {
    t.match(await call(service, 'POST', `/v1/licenses/${id}/withdraw`, { reason: 'again' }), { statusCode: 409, body: { type: /license-not-available/ } })
  }
  t.match(await call(service, 'POST', `/v1/licenses/${allocated}/withdraw`, { reason: '', note: 1 }), { statusCode: 400 })
  const rows = await service.db.selectFrom('withdrawals').select(['license_id', 'pool_id', 'reason', 'created_by']).execute()
  t.strictSame(rows, [{ license_id: available, pool_id, reason: 'recalled', created_by: service.vendor.key_id }])
  t.match((await load(service, pool_id, 'AVAILABLE-KEY-0002\n')).body, { loaded: 0, duplicates: 1 }, 'nor does a load bring it back')
  await assertInvariants(t, service.db)
})

// Guarantee: lists and reads show the state and a mask, never the key; filters, counts and order work on them.
t.test('list and read, masked', async (t) => {
  const service = await testApp(t)
  const { pool_id, order_id, allocated, available } = await sold(service)
  const { headers, body } = await call(service, 'GET', `/v1/pools/${pool_id}/licenses`)
  t.equal(headers['content-range'], 'items 0-1/2')
  t.strictSame(body.map(({ id, state, masked, order_id }: Record<string, unknown>) => ({ id, state, masked, order_id })), [
    { id: allocated, state: 'allocated', masked: '  AL-…-01', order_id }, { id: available, state: 'available', masked: 'AVAI-…-02', order_id: null },
  ])
  t.notMatch(JSON.stringify(body), /KEY/)
  t.strictSame((await call(service, 'GET', `/v1/licenses/${allocated}`)).body, body[0])
  t.strictSame((await call(service, 'GET', `/v1/pools/${pool_id}/licenses?state=available`)).body, [body[1]])
  t.strictSame((await call(service, 'GET', `/v1/pools/${pool_id}/licenses?ordering=-created_at&limit=1`)).body, [body[1]])
})

// Guarantee: at least ten characters of a masked key stay unknown, and at most six are shown.
t.test('mask', async (t) => {
  t.equal(maskKey(Buffer.from('ABCD-EFGH-IJKL-5F7F')), 'ABCD-…-7F')
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (key) => {
    const characters = Array.from(key)
    const shown = Array.from(maskKey(Buffer.from(key))).length
    return characters.length < 16 ? shown === 1 : shown === 9
  }))
  t.end()
})

// Guarantee: to another account nothing of this exists; the answers are those for what was never there.
t.test('tenancy', async (t) => {
  const service = await testApp(t)
  const { pool_id, allocated } = await sold(service)
  const { id: batch_id } = await service.db.selectFrom('batches').select('id').executeTakeFirstOrThrow()
  const stranger = { ...service, vendor: service.stranger }
  const calls: Array<[Method, (id: string) => string, string, object?]> = [
    ['GET', (id) => `/v1/pools/${id}/licenses`, pool_id],
    ['GET', (id) => `/v1/licenses/${id}`, allocated],
    ['POST', (id) => `/v1/licenses/${id}/reveal`, allocated],
    ['POST', (id) => `/v1/licenses/${id}/withdraw`, allocated, { reason: 'r' }],
    ['POST', (id) => `/v1/pools/${id}/licenses`, pool_id, { licenses: ['A'] }],
    ['GET', (id) => `/v1/batches/${id}`, batch_id],
  ]
  for (const [method, url, id, payload] of calls) {
    const [foreign, absent] = [await call(stranger, method, url(id), payload), await call(stranger, method, url('XX-0'), payload)]
    t.equal(foreign.statusCode, 404, `${method} ${url(':id')}`)
    t.strictSame({ ...foreign.body, request_id: '' }, { ...absent.body, request_id: '' })
  }
  t.strictSame((await call(stranger, 'GET', '/v1/batches')).body, [])
  t.strictSame(await service.db.selectFrom('license_sightings').selectAll().execute(), [])
})

// Guarantee: a ciphertext opens only as the license, in the pool and account that it was sealed for; nonces never repeat,
// and equal keys have unequal ciphertexts and, across accounts and modes, unequal fingerprints.
t.test('sealing', async (t) => {
  const service = await testApp(t)
  const pools = [await addPool(service), await addPool(service, { mode: 'test' })]
  for (const pool_id of pools) await load(service, pool_id, Array.from({ length: 2000 }, (_, i) => `SEALED-${i}\n`).join(''))
  const rows = await service.db.selectFrom('licenses').select(['id', 'pool_id', 'sealed', 'fingerprint']).execute()
  t.equal(new Set(rows.map(({ sealed }) => sealed.subarray(1, 13).toString('hex'))).size, 4000, 'nonces')
  t.equal(new Set(rows.map(({ sealed }) => sealed.subarray(13).toString('hex'))).size, 4000, 'ciphertexts')
  t.equal(new Set(rows.map(({ fingerprint }) => fingerprint.toString('hex'))).size, 4000, 'fingerprints')
  t.notOk(rows.some(({ sealed }) => sealed.includes('SEALED')), 'nothing in clear')
  const [one, two] = [rows[0]!, rows[1]!]
  const { account_id } = service.vendor
  t.match(open(service.keyring, [account_id, one.pool_id, one.id], one.sealed).toString(), /^SEALED-/)
  t.throws(() => open(service.keyring, [account_id, one.pool_id, one.id], two.sealed), 'of another license')
  t.throws(() => open(service.keyring, [account_id, pools[1]!, one.id], one.sealed), 'of another pool')
  t.throws(() => open(service.keyring, [service.stranger.account_id, one.pool_id, one.id], one.sealed), 'of another account')
  await service.db.updateTable('licenses').set({ sealed: two.sealed }).where('id', '=', one.id).execute()
  t.equal((await call(service, 'POST', `/v1/licenses/${one.id}/reveal`)).statusCode, 500, 'swapped by SQL it is not revealed')
  t.strictSame(await service.db.selectFrom('license_sightings').selectAll().execute(), [])
})

// Guarantee: an upload is cut for its slowness, measured while we wait for it, and never for its length.
t.test('uploads below the minimum rate', async (t) => {
  const limit = { bytes_per_second_min: 1000, window_ms: 100 }
  const bytesOf = async (stream: PassThrough): Promise<number> => {
    let bytes = 0
    for await (const chunk of uploadOf(stream, limit)) bytes += chunk.length
    return bytes
  }
  const drip = new PassThrough()
  const dripping = setInterval(() => { drip.write('x') }, 20)
  t.teardown(() => { clearInterval(dripping) })
  await t.rejects(bytesOf(drip), { message: /at least 1000 bytes a second/ })
  await t.rejects(bytesOf(new PassThrough()), { message: /at least 1000 bytes a second/ })
  const steady = new PassThrough()
  let sent = 0
  const flowing = setInterval(() => { if ((sent += 100) <= 2500) steady.write(Buffer.alloc(100)); else steady.end() }, 20)
  t.teardown(() => { clearInterval(flowing) })
  t.equal(await bytesOf(steady), 2500, 'five times the window long')
  const broken = new PassThrough()
  broken.write('x')
  setImmediate(() => { broken.destroy(new Error('aborted')) })
  await t.rejects(bytesOf(broken), { message: /broke off/ })
})
