import t from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { claimDeliveries } from '../../src/deliveries/claim.js'
import { readLetter } from '../support/deliveries.js'
import { reclaimExpired } from '../../src/holds/reclaim.js'
import { heldBy, letExpire, licensesOf, storefront } from '../holds/support.js'
import { testApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import type { Json } from '../support/sdk.js'
import { callsOf, makePool, stockOf } from '../support/vendor.js'
import { age, inDays, tend } from './expiry-support.js'
import { addPool, load } from './support.js'

const END_OF_2099 = '2099-12-31T23:59:59.999Z'

// Guarantee: each form of a load says until when its licenses are good; a date is its end in UTC. A line whose date is none, or has passed, is rejected with
// its reason, and nothing else is lost; the parameter is for the lines that say nothing.
t.test('dates of a load, in its three forms', async (t) => {
  const service = await testApp(t)
  const call = callsOf(service.app, service.vendor)
  const pool_id = await addPool(service)
  const dates = async (): Promise<Record<string, string | null>> =>
    Object.fromEntries((await call('GET', `/v1/pools/${pool_id}/licenses?ordering=created_at,line`)).json<Json[]>().map((license) => [`${license['batch_id'] as string} ${license['line'] as number}`, license['expires_at']]))

  const text = await load(service, pool_id, 'TEXT-1\nTEXT-2\n', { query: '?expires_at=2099-12-31' })
  t.match(text, { statusCode: 201, body: { loaded: 2 } })
  const csv = await load(service, pool_id, 'Expires_At,license\n2099-12-31,CSV-1\n2099-12-31T10:15:00+02:00,CSV-2\n,CSV-3\n2099-02-30,CSV-4\n2020-01-01,CSV-5\nsoon,CSV-6\n2099-12-31T10:15,CSV-7\n', { type: 'text/csv' })
  t.match(csv.body, { loaded: 3, rejected_count: 4 })
  t.same(csv.body.rejected, [
    { line: 5, reason: 'its expires_at is neither a date like 2027-12-31 nor a moment like 2027-12-31T10:15:00Z' },
    { line: 6, reason: 'its expires_at has passed' },
    { line: 7, reason: 'its expires_at is neither a date like 2027-12-31 nor a moment like 2027-12-31T10:15:00Z' },
    { line: 8, reason: 'its expires_at is neither a date like 2027-12-31 nor a moment like 2027-12-31T10:15:00Z' },
  ])
  const licenses = ['JSON-1', { key: 'JSON-2', expires_at: '2099-06-30' }, { key: 'JSON-3', expires_at: null }, { key: 'JSON-4', expires_at: 5 }, { key: 4 }, { key: 'JSON-6', note: 'x' }, 7, []]
  const json = await load(service, pool_id, JSON.stringify({ licenses }), { type: 'application/json', query: '?expires_at=2099-12-31' })
  t.same(json.body.rejected.map((line) => line.reason), [
    'its expires_at is not a text', 'its key is not a text', 'its field note is not known', 'it is neither a text nor an object with "key"', 'it is neither a text nor an object with "key"',
  ])
  const [a, b, c] = [text.body.batch_id, csv.body.batch_id, json.body.batch_id]
  t.same(await dates(), {
    [`${a} 1`]: END_OF_2099,
    [`${a} 2`]: END_OF_2099,
    [`${b} 2`]: END_OF_2099,
    [`${b} 3`]: '2099-12-31T08:15:00.000Z',
    [`${b} 4`]: null,
    [`${c} 1`]: END_OF_2099,
    [`${c} 2`]: '2099-06-30T23:59:59.999Z',
    [`${c} 3`]: END_OF_2099,
  })
  for (const [expires_at, reason] of [['2020-01-01', 'has passed'], ['2099-02-30', 'is neither a date']] as const) {
    const refused = await load(service, pool_id, 'X-1', { query: `?expires_at=${expires_at}` })
    t.equal(refused.statusCode, 400)
    t.match(refused.text, `querystring.expires_at: ${reason}`)
  }
  t.equal((await call('GET', `/v1/pools/${pool_id}/licenses?lt(expires_at,2099-12-01T00:00:00Z)`)).json<Json[]>().length, 1, 'a list narrows by it')
  await assertInvariants(t, service.db)
})

// Guarantee: whoever sees a license sees until when it is good: lists, the order, a reveal, the mail; the pool says which it gives and how many are too old.
t.test('where the expiry is shown', async (t) => {
  const shop = await storefront(t, 0, { pick: 'soonest', min_remaining_days: 30 })
  const { call, pool_id, db, keyring } = shop
  t.equal((await call('POST', `/v1/pools/${pool_id}/licenses`, { licenses: ['KEY-LATE-0001', { key: 'KEY-SOON-0001', expires_at: '2099-06-30' }, { key: 'KEY-YOUNG-001', expires_at: inDays(3) }] })).statusCode, 201)
  t.match((await call('GET', `/v1/pools/${pool_id}`)).json(), { pick: 'soonest', min_remaining_days: 30, stock: { loaded: 3, available: 2, expired: 1, unfit: 1 } })
  t.equal(await shop.available(), 2)
  const order = await shop.order('A-1')
  const [license] = order['line_items'][0].licenses as Json[]
  t.match(license, { state: 'allocated', expires_at: '2099-06-30T23:59:59.999Z' })
  t.match((await call('GET', `/v1/licenses/${license?.['id'] as string}`)).json(), { expires_at: '2099-06-30T23:59:59.999Z' })
  t.same((await call('POST', `/v1/licenses/${license?.['id'] as string}/reveal`)).json(), { id: license?.['id'], key: 'KEY-SOON-0001', expires_at: '2099-06-30T23:59:59.999Z' })
  t.same((await call('GET', `/v1/pools/${pool_id}/licenses?eq(state,expired)`)).json<Json[]>().map((each) => each['line']), [3])
  const [claimed] = await inTransaction(db, (trx) => claimDeliveries(trx, { limit: 1, lease_ms: 60_000, domain: 'example.com' }))
  if (claimed === undefined) throw new Error('no mail was planned')
  t.same((await readLetter(db, { keyring, public_url: 'http://127.0.0.1' }, claimed)).licenses, [{ key: 'KEY-SOON-0001', expires_at: new Date('2099-06-30T23:59:59.999Z') }])
  for (const change of [{ pick: 'last' }, { min_remaining_days: -1 }, { min_remaining_days: 36_501 }]) t.equal((await call('PUT', `/v1/pools/${pool_id}`, change)).statusCode, 400)
  await assertInvariants(t, db)
})

// Guarantee: a hold takes what will be fit for as long as it lasts, the soonest first; what it still has when that expired is not given to the order that
// names it, which gets another; what it gives back after its expiry is not for sale again.
t.test('holds', async (t) => {
  const shop = await storefront(t, 0, { pick: 'soonest' })
  const { call, db, pool_id, vendor: { account_id } } = shop
  const loaded = [['H-1', inDays(0.01)], ['H-2', inDays(2)], ['H-3', inDays(4)], ['H-4', inDays(6)]].map(([key, expires_at]) => ({ key, expires_at }))
  t.equal((await call('POST', `/v1/pools/${pool_id}/licenses`, { licenses: loaded })).statusCode, 201)
  const lines = async (ids: string[]): Promise<number[]> => (await db.selectFrom('licenses').select('line').where('id', 'in', ids).orderBy('line').execute()).map((row) => row.line)
  const first = await shop.hold(1)
  t.same(await lines(await heldBy(db, first['id'])), [2], 'the first expires before the hold does')
  const second = await shop.hold(1)
  t.same(await lines(await heldBy(db, second['id'])), [3])
  t.match(await stockOf(call, pool_id), { available: 2, held: 2 })
  await age(db, account_id, 3)
  t.match(await stockOf(call, pool_id), { available: 1, held: 2, expired: 1 })
  const order = await shop.order('A-1', 1, { hold_id: first['id'] })
  t.same(await lines(licensesOf(order)), [4], 'the held one has expired, the next is held by another')
  t.match(await stockOf(call, pool_id), { loaded: 4, available: 0, held: 1, allocated: 1, expired: 2 })
  await age(db, account_id, 2)
  await letExpire(db, second['id'])
  t.equal(await shop.available(), 0, 'what the expired hold has has expired too')
  await inTransaction(db, (trx) => reclaimExpired(trx, account_id, [pool_id]))
  t.match(await stockOf(call, pool_id), { loaded: 4, available: 0, held: 0, allocated: 1, expired: 3 })
  await tend(db)
  t.match(await stockOf(call, pool_id), { loaded: 4, available: 0, held: 0, allocated: 1, expired: 3 }, 'the counts are the same when it has left stock')
  t.match(await shop.hold(1), { statusCode: 409 })
  await assertInvariants(t, db)
})

// Guarantee: backorders are filled by what is fit only, also from the next pool of the product; a recall of a batch passes what has expired.
t.test('backorders, the next pool, and recalls', async (t) => {
  const shop = await storefront(t, 0, { min_remaining_days: 10 })
  const { call, db, pool_id, product_id, vendor: { account_id } } = shop
  const next = await makePool(call, { currency: 'SEK', product_ids: [product_id], pick: 'soonest', min_remaining_days: 5 })
  t.equal((await call('PUT', `/v1/products/${product_id}/supplies`, [{ type: 'pool', pool_id: next }])).statusCode, 200)
  const fill = async (pool: string, licenses: object[]): Promise<string> => (await call('POST', `/v1/pools/${pool}/licenses`, { licenses })).json<Json>()['batch_id']
  await fill(next, [{ key: 'N-1', expires_at: inDays(3) }, { key: 'N-2', expires_at: inDays(7) }])
  const order = await shop.order('A-1', 1)
  t.equal(order['fulfillment_status'], 'fulfilled', 'by the next pool, of what that one may give')
  const waiting = (await shop.order('A-2', 1))['id'] as string
  const batch_id = await fill(pool_id, [{ key: 'B-1', expires_at: inDays(9) }])
  t.match(await stockOf(call, pool_id), { available: 0, expired: 1, unfit: 1, backordered: 1 })
  await fill(pool_id, [{ key: 'B-2', expires_at: inDays(11) }])
  t.equal((await call('GET', `/v1/orders/${waiting}`)).json<Json>()['fulfillment_status'], 'fulfilled')
  await age(db, account_id, 20)
  await tend(db)
  t.equal((await call('POST', `/v1/batches/${batch_id}/recall`, { reason: 'test' })).statusCode, 202)
  await assertInvariants(t, db)
})
