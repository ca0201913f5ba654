import t, { type Test } from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { purgeIdempotencyKeys } from '../../src/database/purge-idempotency-keys.js'
import { planDeliveries } from '../../src/deliveries/plan.js'
import { resendOrder } from '../../src/deliveries/resend.js'
import { Problem } from '../../src/problems.js'
import { testApp, type TestApp } from '../support/app.js'
import { testDatabase } from '../support/database.js'
import { filledOrder, poolOf, productOf, vendorShop, type Shop } from '../support/fixtures.js'

async function arrange (t: Test): Promise<TestApp & { shop: Shop }> {
  const service = await testApp(t)
  return { ...service, shop: { db: service.db, keyring: service.keyring, account_id: service.vendor.account_id } }
}

interface Ordered { order_id: string, delivery_id: string, license_ids: string[], product_id: string }

async function order (shop: Shop, keys: string[], deliver = true): Promise<Ordered> {
  const productId = await productOf(shop)
  const stocked = await poolOf(shop, productId, keys)
  return { ...await filledOrder(shop, productId, stocked, { deliver }), license_ids: stocked.license_ids, product_id: productId }
}

// Guarantee: an account reads its deliveries and their tries, whole bodies without a key; another's are as absent as none.
t.test('GET /v1/deliveries', async (t) => {
  const { app, db, vendor, stranger, shop } = await arrange(t)
  const one = await order(shop, ['KEY-A', 'KEY-B'])
  const two = await order(shop, ['KEY-C'])
  await db.insertInto('delivery_attempts').values({
    account_id: shop.account_id, delivery_id: one.delivery_id, attempt: 1, started_at: '2026-01-01T00:00:00Z', finished_at: '2026-01-01T00:00:01Z', outcome: 'deferred', response: '451 later',
  }).execute()
  const get = async (url: string, authorization = vendor.authorization): Promise<{ status: number, body: any, range: unknown }> => {
    const reply = await app.inject({ url, headers: { authorization } })
    return { status: reply.statusCode, body: reply.json(), range: reply.headers['content-range'] }
  }
  const expected = {
    id: one.delivery_id,
    order_id: one.order_id,
    product_id: one.product_id,
    license_ids: one.license_ids,
    to: 'ana@example.com',
    reason: 'order',
    requested_by: null,
    status: 'planned',
    attempts: 0,
    message_id: null,
    last_error: null,
    sent_at: null,
  }
  const all = await get('/v1/deliveries')
  t.strictSame([all.status, all.range, all.body.map(({ id }: { id: string }) => id)], [200, 'items 0-1/2', [two.delivery_id, one.delivery_id]])
  const { created_at: created, next_attempt_at: next, ...rest } = all.body[1]
  t.strictSame(rest, expected)
  t.match([created, next], [/^20\d\d-.*Z$/, /^20\d\d-.*Z$/])
  const single = await get(`/v1/deliveries/${one.delivery_id}`)
  t.match(single, { status: 200, body: expected })
  t.strictSame(single.body.attempt_log,
    [{ attempt: 1, started_at: '2026-01-01T00:00:00.000Z', finished_at: '2026-01-01T00:00:01.000Z', outcome: 'deferred', response: '451 later' }])
  for (const query of [`order_id=${one.order_id}`, `in(id,(${one.delivery_id}))&status=planned`, 'to=ana@example.com&ordering=created&limit=1']) {
    t.strictSame((await get(`/v1/deliveries?${query}`)).body.map(({ id }: { id: string }) => id), [one.delivery_id], query)
  }
  t.equal((await get('/v1/deliveries?claim_id=x')).status, 400, 'not a field of the list')
  t.strictSame((await get('/v1/deliveries', stranger.authorization)).body, [])
  const [foreign, absent] = [await get(`/v1/deliveries/${one.delivery_id}`, stranger.authorization), await get('/v1/deliveries/DE-none')]
  t.equal(foreign.status, 404)
  t.strictSame({ ...foreign.body, request_id: '' }, { ...absent.body, request_id: '' })
})

// Guarantee: one mail per product, each with all its licenses in order.
t.test('planDeliveries', async (t) => {
  const { db } = await testDatabase(t)
  const shop = await vendorShop(db)
  const { order_id: id, license_ids: [a = '', b = '', c = ''] } = await order(shop, ['A', 'B', 'C'], false)
  const filled = [{ product_id: 'P1', license_id: a }, { product_id: 'P2', license_id: b }, { product_id: 'P1', license_id: c }]
  const planned = await inTransaction(db, (trx) => planDeliveries(trx, { account_id: shop.account_id, order_id: id, reason: 'backorder', filled }))
  const rows = await db.selectFrom('deliveries').select(['id', 'product_id', 'license_ids', 'to', 'reason', 'status']).orderBy('product_id').execute()
  t.strictSame(rows.map(({ id: _, ...row }) => row), [
    { product_id: 'P1', license_ids: [a, c], to: 'ana@example.com', reason: 'backorder', status: 'planned' },
    { product_id: 'P2', license_ids: [b], to: 'ana@example.com', reason: 'backorder', status: 'planned' },
  ])
  t.strictSame(rows.map((row) => row.id).sort(), planned.sort())
  t.strictSame(await inTransaction(db, (trx) => planDeliveries(trx, { account_id: shop.account_id, order_id: id, reason: 'order', filled: [] })), [])
})

// Guarantee: a paid order's mails are planned again with what it holds now, and with nothing else; another's order is absent.
t.test('resendOrder', async (t) => {
  const { db } = await testDatabase(t)
  const [shop, other] = [await vendorShop(db), await vendorShop(db)]
  const { order_id: id, license_ids: [a = '', b = ''] } = await order(shop, ['A', 'B'])
  await db.updateTable('allocations').set({ ended_as: 'revoked', ended_at: new Date() }).where('license_id', '=', a).execute()
  const resend = (account: string, order: string): Promise<string[]> => inTransaction(db, (trx) => resendOrder(trx, account, order, 'SU-1'))
  const problemOf = async (sending: Promise<unknown>): Promise<unknown> => sending.catch((error: unknown) => error instanceof Problem ? error.type : error)
  const [delivery = ''] = await resend(shop.account_id, id)
  t.match(await db.selectFrom('deliveries').selectAll().where('id', '=', delivery).executeTakeFirst(),
    { license_ids: [b], reason: 'resend', requested_by: 'SU-1', status: 'planned', order_id: id })
  t.match(await db.selectFrom('events').selectAll().execute(), [{ type: 'order.resent', subject_id: id, actor: 'SU-1', data: { delivery_ids: [delivery] } }])
  t.equal(await problemOf(resend(other.account_id, id)), 'order-not-found')
  t.equal(await problemOf(resend(shop.account_id, 'OR-none')), 'order-not-found')
  for (const status of ['refunded', 'disputed', 'charged_back', 'cancelled']) {
    await db.updateTable('orders').set({ status }).execute()
    t.equal(await problemOf(resend(shop.account_id, id)), 'order-not-paid', status)
  }
  await db.updateTable('orders').set({ status: 'paid' }).execute()
  await db.updateTable('allocations').set({ ended_as: 'revoked', ended_at: new Date() }).execute()
  t.equal(await problemOf(resend(shop.account_id, id)), 'nothing-to-send')
  t.equal((await db.selectFrom('deliveries').select('id').execute()).length, 2, 'a refusal plans nothing')
})

// Guarantee: answers are kept for repeats for 30 days, and not for ever.
t.test('purgeIdempotencyKeys', async (t) => {
  const { db } = await testDatabase(t)
  const { account_id: account } = await vendorShop(db)
  const day = 24 * 3600 * 1000
  const rows = Array.from({ length: 5100 }, (_, i) => ({ key: `old-${i}`, created_at: new Date(Date.now() - 31 * day) }))
  await db.insertInto('idempotency_keys').values([...rows, { key: 'young', created_at: new Date(Date.now() - 29 * day) }].map((row) =>
    ({ account_id: account, operation: 'placeOrder', fingerprint: Buffer.alloc(32), status_code: 201, resource_id: 'OR-1', ...row }))).execute()
  t.equal(await purgeIdempotencyKeys(db), 5100)
  t.strictSame((await db.selectFrom('idempotency_keys').select('key').execute()).map(({ key }) => key), ['young'])
})
