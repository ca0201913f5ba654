import { spawn } from 'node:child_process'
import t, { type Test } from 'tap'
import { sql } from 'kysely'
import { inTransaction } from '../../src/database/transaction.js'
import { startRecall } from '../../src/recalls/start.js'
import { contents } from '../contract/tenant.js'
import { approvedOf, boundMarket, buy as request, keyOf, withWorker } from '../requests/bound.js'
import { assertInvariants } from '../support/invariants.js'
import { program, root } from '../support/process.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { keys, load, stockOf, type Call } from '../support/vendor.js'
import { buy, heldBy, restock, shopWith, workOn, type Shop } from './support.js'

const recallOf = async (call: Call, url: string, body: object = {}): Promise<Json> => {
  const answer = await call('POST', url, { reason: 'leaked', ...body })
  if (answer.statusCode >= 300) throw new Error(answer.body)
  return answer.json()
}
const firstBatch = async ({ call }: Pick<Shop, 'call'>): Promise<string> => (await call('GET', '/v1/batches?ordering=id')).json<Json[]>()[0]?.['id']
const done = async ({ call }: Pick<Shop, 'call'>, id: string): Promise<Json> => until('the recall to be done', async () => {
  const recall = (await call('GET', `/v1/recalls/${id}`)).json<Json>()
  return recall['status'] === 'done' && recall
}, 60_000)

/** Works on recalls until it has replaced so many, and is killed then, most likely in the middle of a chunk. */
async function workAndDie (t: Test, { service }: Shop, id: string, replaced_min: number): Promise<void> {
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, ...program('test/recalls/recall-process'), service.url], { cwd: root, stdio: 'ignore' })
  const ended = new Promise((resolve) => { child.once('close', resolve) })
  t.teardown(() => { child.kill('SIGKILL') })
  await until('the recall to be half done', async () =>
    (await service.db.selectFrom('recalls').select('replaced').where('id', '=', id).executeTakeFirstOrThrow()).replaced >= replaced_min, 60_000)
  child.kill('SIGKILL')
  await ended
  await until('the database to notice', async () => (await sql<{ n: number }>`
    select count(*)::int as n from pg_locks l join pg_class c on c.oid = l.relation where c.relname = 'recalls' and l.mode = 'RowShareLock'`.execute(service.db)).rows[0]?.n === 0)
}

// Guarantee: a recall of 500 delivered licenses, killed half way and gone on with by two workers at once, replaces each exactly once, by licenses of
// other batches, and mails each order once; what was unsold is withdrawn, what was held is released and withdrawn.
t.test('killed half way, and resumed by two', { timeout: 180_000 }, async (t) => {
  const shop = await shopWith(t, keys(520), { env: { LOCK_TIMEOUT_MS: '20000' } })
  const { service: { db }, call, pool_id } = shop
  const orders: string[] = []
  for (let n = 0; n < 250; n++) orders.push((await buy(shop, `A-${n}`, 2))['id'])
  const before = await Promise.all(orders.map(async (id) => heldBy(shop, id)))
  const first = workOn(t, shop)
  await until('every order to be mailed', () => first.mails.length === 250, 60_000)
  await first.stop()
  t.equal((await call('POST', '/v1/holds', { currency: 'EUR', line_items: [{ product: 'sku-pro', quantity: 5 }] })).statusCode, 201)
  await restock(shop, keys(540, 'GOOD-KEY'))
  const batch_id = await firstBatch(shop)
  const { id } = await recallOf(call, `/v1/batches/${batch_id}/recall`)
  t.equal((await recallOf(call, `/v1/batches/${batch_id}/recall`))['id'], id, 'one at a time')

  await workAndDie(t, shop, id, 150)
  const half = (await call('GET', `/v1/recalls/${id}`)).json<Json>()
  t.ok(half['replaced'] < 500, `${half['replaced'] as number} replaced when it was killed`)
  await assertInvariants(t, db)

  const mails = workOn(t, shop).mails
  workOn(t, shop, mails)
  t.match(await done(shop, id), { total: 520, withdrawn: 20, replaced: 500, short: 0, failed: 0, skipped: 0 })
  const after = await Promise.all(orders.map(async (order_id) => heldBy(shop, order_id)))
  t.equal(new Set(after.flat()).size, 500, 'every slot has a license, each its own')
  const { rows: bad } = await sql<{ n: number }>`select count(*)::int as n from licenses where batch_id = ${batch_id} and id = any(${after.flat()}::text[])`.execute(db)
  t.equal(bad[0]?.n, 0, 'none is of the batch')
  const { rows: chain } = await sql<{ license_id: string, replaced_by: string }>`select license_id, replaced_by from license_revocations`.execute(db)
  t.same(new Map(chain.map((row) => [row.license_id, row.replaced_by])), new Map(before.flat().map((old, i) => [old, after.flat()[i]])), 'old to new, slot by slot')
  await until('every customer to be mailed', async () => // and that written down
    mails.length >= 250 && await db.selectFrom('deliveries').select('id').where('status', '=', 'sending').executeTakeFirst() === undefined, 60_000)
  const { rows: told } = await sql<{ order_id: string, n: number }>`select order_id, count(*)::int as n from deliveries where reason = 'replacement' and status = 'sent' group by 1`.execute(db)
  t.strictSame([told.length, told.filter(({ n }) => n !== 1).length], [250, 0], 'one mail for each order')
  t.match(await stockOf(call, pool_id), { available: 40, held: 0, allocated: 500, revoked: 500, withdrawn: 20 })
  const items = (await call('GET', `/v1/recalls/${id}/items?outcome=replaced&limit=1000`)).json<Json[]>()
  t.equal(items.filter((item) => item['order_id'] !== null && item['replaced_by'] !== null).length, 500)
  await assertInvariants(t, db)
})

// Guarantee: a dry run says what would happen and changes nothing, in no table.
t.test('a dry run', async (t) => {
  const shop = await shopWith(t, keys(5))
  const { id: order_id } = await buy(shop, 'A-1', 3)
  const [first = ''] = await heldBy(shop, order_id)
  await shop.call('POST', `/v1/licenses/${first}/revoke`, { reason: 'asked' })
  await restock(shop, keys(1, 'GOOD-KEY'))
  const before = await contents(shop.service)
  t.strictSame(await recallOf(shop.call, `/v1/batches/${await firstBatch(shop)}/recall`, { dry_run: true }), { total: 5, unsold: 2, delivered: 2, ended: 1, orders: 1, short: 1 })
  t.equal(await contents(shop.service), before)
})

// Guarantee: asked for again while it runs, the recall that runs is answered, however often a connection has said the statement: from the sixth time on
// its plan is one for any values.
t.test('asked for again and again', async (t) => {
  const shop = await shopWith(t, keys(1))
  const batch_id = await firstBatch(shop)
  const { account_id } = shop.service.vendor
  const started = await inTransaction(shop.service.db, async (trx) => {
    const recalls = []
    for (let time = 0; time < 8; time++) recalls.push(await startRecall(trx, { account_id, batch_id, reason: 'test', actor: 'test' }))
    return recalls
  })
  t.strictSame(started.map(({ created }) => created), [true, ...Array.from({ length: 7 }, () => false)])
  t.equal(new Set(started.map(({ id }) => id)).size, 1)
})

// Guarantee: what the stock does not cover is revoked and waits behind nobody who came later; stock that comes completes it by itself, and what its order
// does not want any more is not replaced.
t.test('short, then restocked', async (t) => {
  const shop = await shopWith(t, keys(4))
  const [one, two, three] = [await buy(shop, 'A-1'), await buy(shop, 'A-2'), await buy(shop, 'A-3', 2)]
  await restock(shop, keys(1, 'GOOD-KEY'))
  const { mails } = workOn(t, shop)
  const { id } = await recallOf(shop.call, `/v1/batches/${await firstBatch(shop)}/recall`)
  t.match(await done(shop, id), { total: 4, replaced: 1, short: 3 })
  t.match((await shop.call('GET', `/v1/orders/${three['id'] as string}`)).json(), { status: 'paid', fulfillment_status: 'backordered' })
  await shop.call('POST', `/v1/orders/${three['id'] as string}/refund`, { reason: 'asked' })
  await buy(shop, 'A-4')
  await restock(shop, keys(1, 'LATE-KEY'))
  const counts = await until('the recall to be completed', async () => {
    const recall = (await shop.call('GET', `/v1/recalls/${id}`)).json<Json>()
    return recall['short'] === 0 && recall
  })
  t.match(counts, { replaced: 2, failed: 2 })
  const held = [...await heldBy(shop, one['id']), ...await heldBy(shop, two['id'])]
  t.equal(held.length, 2)
  await until('the mails', () => ['GOOD-KEY', 'LATE-KEY'].every((key) => mails.some(({ text }) => text.includes(key))))
  await assertInvariants(t, shop.service.db)
})

// Guarantee: of a license that was revoked before nobody gets another, and it is not put back in force; a recall that was stopped stays stopped.
t.test('what ended before, and a recall that is stopped', async (t) => {
  const shop = await shopWith(t, keys(3))
  const { id: order_id } = await buy(shop, 'A-1', 2)
  const [first = ''] = await heldBy(shop, order_id)
  await shop.call('POST', `/v1/licenses/${first}/reveal`)
  await shop.call('POST', `/v1/orders/${order_id}/refund`, { reason: 'asked' })
  const batch_id = await firstBatch(shop)
  const stopped = await recallOf(shop.call, `/v1/batches/${batch_id}/recall`)
  t.equal((await recallOf(shop.call, `/v1/recalls/${stopped['id'] as string}/cancel`, { reason: undefined }))['status'], 'cancelled')
  t.equal((await shop.call('POST', `/v1/recalls/${stopped['id'] as string}/cancel`)).statusCode, 409)
  workOn(t, shop)
  const { id } = await recallOf(shop.call, `/v1/batches/${batch_id}/recall`)
  t.match(await done(shop, id), { total: 3, withdrawn: 2, skipped: 1 })
  t.match((await shop.call('GET', `/v1/recalls/${stopped['id'] as string}`)).json(), { status: 'cancelled', withdrawn: 0 })
  await assertInvariants(t, shop.service.db)
})

// Guarantee: a purchase that was filled from the batch shows the new key, also where that came later.
t.test('fulfillment requests', async (t) => {
  const bound = await boundMarket(t, keys(1))
  withWorker(t, bound.service)
  const { id } = await request(bound)
  await approvedOf(bound, id)
  const recall = await recallOf(bound.call, `/v1/batches/${await firstBatch(bound)}/recall`)
  t.match(await done(bound, recall['id']), { short: 1 })
  await assertInvariants(t, bound.service.db)
  await load(bound.call, bound.pool_id, keys(1, 'GOOD-KEY'))
  await until('the new key', async () => keyOf(await bound.market.byProvider('GET', `/v1/requests/${id}`)) === keys(1, 'GOOD-KEY')[0])
  t.match((await bound.call('GET', `/v1/recalls/${recall['id'] as string}`)).json(), { replaced: 1, short: 0 })
  await assertInvariants(t, bound.service.db)
})
