import { sql } from 'kysely'
import t from 'tap'
import type { NewFact } from '../../src/orders/facts.js'
import { at, say } from '../orders/facts.js'
import { assertInvariants } from '../support/invariants.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { keys, stockOf } from '../support/vendor.js'
import { approvedOf, boundMarket, buy as request, keyOf, withWorker } from '../requests/bound.js'
import { buy, heldBy, restock, shopWith, workOn } from './support.js'

const BAD = { reason: 'leaked' }

// Guarantee: a bad license is taken for good and its slot gets the next one, again and again; the documents show the chain, and the customer is
// mailed each new key, never an old one again.
t.test('a chain of three', async (t) => {
  const shop = await shopWith(t, keys(4))
  const { service: { db }, call } = shop
  const { mails } = workOn(t, shop)
  const { id: order_id } = await buy(shop, 'A-1')
  const chain = await heldBy(shop, order_id)
  await until('the first mail', () => mails.length === 1)
  for (const nth of [2, 3]) {
    const answer = await call('POST', `/v1/licenses/${chain.at(-1) ?? ''}/replace`, BAD)
    t.equal(answer.statusCode, 200, answer.body)
    t.match(answer.json(), { id: chain.at(-1), state: 'revoked' })
    chain.push(answer.json<Json>()['replaced_by'])
    await until(`mail ${nth}`, () => mails.length === nth)
  }
  t.equal(new Set(chain).size, 3)
  t.strictSame(await heldBy(shop, order_id), [chain[2]])
  t.match((await call('GET', `/v1/licenses/${chain[1] ?? ''}`)).json(), { state: 'revoked', replaces: chain[0], replaced_by: chain[2] })
  t.match((await call('GET', `/v1/orders/${order_id}`)).json()['line_items'][0].licenses, [
    { id: chain[0], state: 'revoked', replaces: null, replaced_by: chain[1] },
    { id: chain[1], state: 'revoked', replaces: chain[0], replaced_by: chain[2] },
    { id: chain[2], state: 'allocated', replaces: chain[1], replaced_by: null },
  ])
  t.strictSame(mails.map(({ text }) => keys(4).filter((key) => text.includes(key))), keys(3).map((key) => [key]), 'each key in its own mail')
  t.match((await call('GET', '/v1/deliveries')).json(), [{ reason: 'replacement' }, { reason: 'replacement' }, { reason: 'order' }])
  t.match(await stockOf(call, shop.pool_id), { available: 1, allocated: 1, revoked: 2 })
  await assertInvariants(t, db)
})

// Guarantee: a mail that was only planned says the new key and never the old one, and it stays one mail.
t.test('before its mail is sent', async (t) => {
  const shop = await shopWith(t, keys(4))
  const { id: order_id } = await buy(shop, 'A-1', 2)
  const [first = '', second = ''] = await heldBy(shop, order_id)
  t.equal((await shop.call('POST', `/v1/licenses/${first}/replace`, BAD)).statusCode, 200)
  const [replacement = ''] = await heldBy(shop, order_id)
  const deliveries = (await shop.call('GET', '/v1/deliveries?status=planned')).json<Json[]>()
  t.equal(deliveries.length, 1)
  t.same([...deliveries[0]?.['license_ids']].sort(), [replacement, second].sort())
  t.equal((await shop.call('POST', `/v1/licenses/${second}/revoke`, BAD)).statusCode, 200)
  t.match((await shop.call('GET', '/v1/deliveries?status=planned')).json(), [{ license_ids: [replacement] }], 'revoked: the mail goes on without it')
  await assertInvariants(t, shop.service.db)
})

// Guarantee: without stock, or while somebody waits for it, a replacement is refused and nothing changes at all; nor is what no order holds replaced.
t.test('what is refused', async (t) => {
  const shop = await shopWith(t, keys(1))
  const { id: order_id } = await buy(shop, 'A-1')
  const [license_id = ''] = await heldBy(shop, order_id)
  const replace = async (id = license_id): Promise<[number, string]> => {
    const answer = await shop.call('POST', `/v1/licenses/${id}/replace`, BAD)
    return [answer.statusCode, answer.json<Json>()['type']]
  }
  t.same(await replace(), [409, '/docs/problems#out-of-stock'])
  t.strictSame(await heldBy(shop, order_id), [license_id])
  t.equal((await shop.service.db.selectFrom('license_revocations').select('license_id').execute()).length, 0)
  await buy(shop, 'A-2', 2)
  await restock(shop, keys(1, 'LATE-KEY'))
  t.same(await replace(), [409, '/docs/problems#out-of-stock'], 'somebody waits for two')
  const [in_stock = ''] = (await shop.call('GET', `/v1/pools/${shop.pool_id}/licenses?state=available`)).json<Json[]>().map(({ id }) => id as string)
  t.same(await replace(in_stock), [409, '/docs/problems#license-not-allocated'])
  t.same(await replace('LI-none'), [404, '/docs/problems#license-not-found'])
  t.equal((await shop.call('POST', `/v1/licenses/${license_id}/revoke`, BAD)).statusCode, 200)
  t.same(await replace(), [409, '/docs/problems#license-not-allocated'])
  await assertInvariants(t, shop.service.db)
})

// Guarantee: a license that was revoked by a person stays so, whatever is said of its order later, and nothing comes in its place.
t.test('revoked for good', async (t) => {
  const shop = await shopWith(t, keys(4))
  const { id: order_id } = await buy(shop, 'A-1', 2)
  const [first = '', second = ''] = await heldBy(shop, order_id)
  t.match((await shop.call('POST', `/v1/licenses/${first}/revoke`, BAD)).json(), { state: 'revoked', replaced_by: null })
  t.match((await shop.call('GET', `/v1/orders/${order_id}`)).json(), { status: 'paid', fulfillment_status: 'fulfilled' })
  await shop.call('POST', `/v1/licenses/${second}/revoke`, BAD)
  t.match((await shop.call('GET', `/v1/orders/${order_id}`)).json(), { status: 'paid', fulfillment_status: 'unfulfilled' })
  t.match((await shop.call('GET', '/v1/deliveries')).json(), [{ status: 'cancelled' }])
  await restock(shop, keys(2, 'LATE-KEY'))
  t.strictSame(await heldBy(shop, order_id), [])
  await assertInvariants(t, shop.service.db)
})

// Guarantee: a unit that was refunded before another was revoked is not given back by what else is said of the order; one that is refunded afterwards is the
// revoked one; and each refund that fails gives back its own.
t.test('a refund, a revocation, and what is said then', async (t) => {
  const shop = await shopWith(t, keys(6))
  const { service: { db, keyring, vendor }, call } = shop
  const tell = async (order_id: string, kind: NewFact['kind'], hour: number, more: Partial<NewFact>): Promise<number> => {
    await say({ db, keyring, account_id: vendor.account_id }, `${order_id} ${hour}`, { kind, ref: order_id === one ? 'A-1' : 'A-2', subject: '', occurred_at: at(hour), ...more })
    await assertInvariants(t, db)
    return (await heldBy(shop, order_id)).length
  }
  const first = { lines: [{ external_id: '1', quantity: 1 }] }
  const one = (await buy(shop, 'A-1', 2))['id'] as string
  t.equal(await tell(one, 'refunded', 1, { subject: 'a', ...first }), 1)
  await call('POST', `/v1/licenses/${(await heldBy(shop, one))[0] ?? ''}/revoke`, BAD)
  await assertInvariants(t, db)
  t.equal(await tell(one, 'disputed', 2, { subject: 'd' }), 0, 'one is refunded and one revoked')
  t.equal(await tell(one, 'dispute_won', 3, { subject: 'd' }), 0)
  t.equal(await tell(one, 'dispute_lost', 4, { subject: 'd' }), 0)
  t.equal(await tell(one, 'dispute_won', 5, { subject: 'd' }), 0)
  t.equal(await tell(one, 'refund_failed', 6, { subject: 'a' }), 1, 'the refunded one, for good is the other')

  const three = (await buy(shop, 'A-2', 3))['id'] as string
  t.equal(await tell(three, 'refunded', 1, { subject: 'a', ...first }), 2)
  await call('POST', `/v1/licenses/${(await heldBy(shop, three))[0] ?? ''}/revoke`, BAD)
  t.equal(await tell(three, 'refunded', 2, { subject: 'b', ...first }), 1, 'the second refund is of the revoked one')
  t.equal(await tell(three, 'refund_failed', 3, { subject: 'b' }), 1)
  t.equal(await tell(three, 'refund_failed', 4, { subject: 'a' }), 2)
})

// Guarantee: of a replacement, a refund and a reveal at once each happens wholly or not: one chain, nobody's license twice, the balance holds.
t.test('racing a refund and a reveal', async (t) => {
  const shop = await shopWith(t, keys(60))
  const { call } = shop
  for (let round = 0; round < 8; round++) {
    const { id: order_id } = await buy(shop, `R-${round}`, 2)
    const [license_id = ''] = await heldBy(shop, order_id)
    const answers = await Promise.all([
      call('POST', `/v1/licenses/${license_id}/replace`, BAD),
      call('POST', `/v1/licenses/${license_id}/replace`, BAD),
      call('POST', `/v1/orders/${order_id}/refund`, { reason: 'asked' }),
      call('POST', `/v1/licenses/${license_id}/reveal`),
    ])
    t.ok(answers.every(({ statusCode }) => [200, 409].includes(statusCode)), answers.map(({ statusCode, body }) => `${statusCode} ${body.slice(0, 80)}`).join('; '))
    t.ok(answers.slice(0, 2).filter(({ statusCode }) => statusCode === 200).length <= 1, 'replaced at most once')
    t.strictSame(await heldBy(shop, order_id), [], 'refunded: it holds nothing')
  }
  await assertInvariants(t, shop.service.db)
})

// Guarantee: where a fulfillment request shows the key, request and asset show the new one, and the provider is told.
t.test('a license of a fulfillment request', async (t) => {
  const bound = await boundMarket(t, keys(3))
  const { service: { db }, market, call } = bound
  withWorker(t, bound.service)
  const { id } = await request(bound)
  const approved = await approvedOf(bound, id)
  t.equal(keyOf(approved), keys(3)[0])
  const { rows: [allocation] } = await sql<{ license_id: string }>`select license_id from allocations where ended_as is null`.execute(db)
  t.equal((await call('POST', `/v1/licenses/${allocation?.license_id ?? ''}/replace`, BAD)).statusCode, 200)
  t.equal(keyOf(await market.byProvider('GET', `/v1/requests/${id}`)), keys(3)[1])
  const asset = await market.byProvider('GET', `/v1/assets/${approved['asset'].id as string}`)
  t.equal(asset['params'].find((parameter: Json) => parameter['id'] === 'license_key').value, keys(3)[1])
  const said = await market.byProvider('GET', `/v1/conversations/${id}/messages`) as unknown as Json[]
  t.ok(said.some(({ text }) => /was replaced/.test(text as string)))
  await assertInvariants(t, db)
})
