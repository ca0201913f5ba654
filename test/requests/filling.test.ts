import { sql } from 'kysely'
import t from 'tap'
import { testAccount } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { makeMarket, purchaseOf } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { callsOf, keys, load, stockOf } from '../support/vendor.js'
import { approvedOf, bindSecond, boundMarket, buy, keyOf, withWorker } from './bound.js'

// Guarantee: of purchases that race for the last licenses exactly as many are approved as there is stock for, each with a key of its own; the rest
// wait and say so to both sides. Stock that arrives goes to whoever waits longest.
t.test('twenty race for seven, and the rest wait in line', async (t) => {
  const bound = await boundMarket(t, keys(7))
  const { service, market, call, pool_id } = bound
  const made = await Promise.all(Array.from({ length: 20 }, () => buy(bound)))
  const [approved, waiting] = [made.filter(({ status }) => status === 'approved'), made.filter(({ status }) => status === 'pending')]
  t.strictSame([approved.length, waiting.length], [7, 13])
  t.strictSame(approved.map((request) => keyOf(request)).sort(), keys(7))
  for (const { id, pool_note } of waiting) {
    t.equal(pool_note, `waiting for stock of pool ${pool_id}`)
    const messages = await market.byProvider('GET', `/v1/conversations/${id}/messages`) as Json[]
    t.equal(messages.filter(({ text }) => /not enough stock/.test(text)).length, 1, 'said once')
  }
  t.match(await stockOf(call, pool_id), { available: 0, allocated: 7, backordered: 13 })
  const queue = await service.db.selectFrom('backorders').innerJoin('orders', 'orders.id', 'backorders.order_id').select('orders.external_id').orderBy('queue').execute()
  withWorker(t, service)
  for (const [i, { external_id }] of queue.slice(0, 3).entries()) {
    await load(call, pool_id, [`LATE-KEY-000${i}`])
    t.equal(keyOf(await approvedOf(bound, external_id)), `LATE-KEY-000${i}`, 'the first in line')
    t.equal((await market.byVendor('GET', '/v1/requests?status=pending') as Json[]).length, 12 - i, 'nobody else')
  }
  await load(call, pool_id, keys(10, 'LAST-EFGH'))
  for (const { id } of waiting) await approvedOf(bound, id)
  t.match(await stockOf(call, pool_id), { available: 0, allocated: 20, backordered: 0 })
  await assertInvariants(t, service.db)
})

// Guarantee: the customer of the tiers is mailed the keys as the customer of an order is, at once or when stock arrived, if the product says so.
t.test('the customer is mailed', async (t) => {
  const bound = await boundMarket(t, ['FIRST-KEY-0001'], { product: { mail_on_request: true, mail_template: { subject: 'Your key', text: 'Your key: {KEY}' } } })
  const { service, market, call, pool_id } = bound
  const mails = withWorker(t, service)
  const [first, second] = [await buy(bound), await buy(bound)]
  await load(call, pool_id, ['SECOND-KEY-0002'])
  await approvedOf(bound, second['id'])
  await until('two mails', () => mails.length === 2)
  t.match(mails.map(({ to, text }) => [to, text]), ['FIRST-KEY-0001', 'SECOND-KEY-0002'].map((key) => [{ address: 'ada@example.com' }, new RegExp(key)]))
  const deliveries = await until('both to be noted', async () => {
    const sent = await market.byVendor('GET', '/v1/deliveries?ordering(created_at)') as Json[]
    return sent.every(({ status }) => status === 'sent') && sent
  })
  t.match(deliveries, [{ order_id: first['order_id'], reason: 'order' }, { order_id: second['order_id'], reason: 'backorder' }])
  await assertInvariants(t, service.db)
})

// Guarantee: the rule of one license per unit gives the parameter a key per unit, one a line; the vendor and the provider of the request read
// them, nobody else, and nothing that is stored has one in clear. Who gave and who approved is on record.
t.test('three seats, three keys, read by the two sides only', async (t) => {
  const bound = await boundMarket(t, keys(4))
  const { service, market, pool_id } = bound
  await market.byVendor('POST', `/v1/products/${market.product_id}/templates`, { title: 'Keys', body: 'Your keys: {{ license_key }}', scope: 'asset', type: 'fulfillment' })
  const request = await buy(bound, 3)
  t.equal(keyOf(request), keys(3).join('\n'))
  const ofProvider = await market.byProvider('GET', `/v1/requests/${request['id']}`)
  t.equal(keyOf(ofProvider), keys(3).join('\n'))
  t.equal(keyOf({ asset: await market.byProvider('GET', `/v1/assets/${request['asset'].id}`) }), keys(3).join('\n'))

  const others = [service.stranger, await testAccount(service.db, 'provider')].map((account) => callsOf(service.app, account))
  for (const call of others) {
    for (const path of [`requests/${request['id']}`, `requests/${request['id']}/parameters/license_key`, `assets/${request['asset'].id}`, `orders/${request['order_id']}`]) {
      const answer = await call('GET', `/v1/${path}`)
      t.ok([403, 404].includes(answer.statusCode), `${path}: ${answer.statusCode}`)
    }
  }
  const { rows: tables } = await sql<{ name: string }>`select table_name as name from information_schema.tables where table_schema = 'public'`.execute(service.db)
  const hex = keys(4).map((key) => Buffer.from(key).toString('hex'))
  for (const { name } of tables) {
    const { rows } = await sql<{ row: string }>`select x::text as row from ${sql.table(name)} x`.execute(service.db)
    t.notOk(rows.some(({ row }) => [...keys(4), ...hex].some((key) => row.includes(key))), `no key in ${name}`)
  }

  const events = await market.byVendor('GET', '/v1/events?limit=1000') as Json[]
  const given = events.filter(({ type }) => type === 'license.allocated')
  t.strictSame(given.map(({ data }) => [data.order_id, data.unit]).sort(), [1, 2, 3].map((unit) => [request['order_id'], unit]))
  t.match(events.find(({ type }) => type === 'request.approved'), { subject_id: request['id'], actor: null }, 'by the service')
  t.match(events.find(({ type }) => type === 'order.paid'), { subject_id: request['order_id'], actor: market.provider.key_id }, 'asked for by the provider')
  const sightings = await service.db.selectFrom('license_sightings').select(['how', 'seen_by']).execute()
  t.strictSame(sightings, [1, 2, 3].map(() => ({ how: 'approved', seen_by: null })))
  t.match(await stockOf(callsOf(service.app, service.vendor), pool_id), { available: 1, allocated: 3 })
  await assertInvariants(t, service.db)
})

// Guarantee: two parameters from two pools are one order of two lines. While one pool is short nothing is approved, and its policy decides what is
// reserved; the note names the pool that is short, and a pool that waits for nothing is left to the vendor, who gets back what was reserved.
t.test('two parameters of two pools, one short', async (t) => {
  for (const on_shortage of ['backorder', 'partial', 'fail']) {
    await t.test(on_shortage, async (t) => {
      const bound = await boundMarket(t, keys(2))
      const { service, market, call, pool_id } = bound
      const second = await bindSecond(bound, ['SERVER-KEY-0001'], { on_shortage })
      const request = await buy(bound, 2)
      t.match(await stockOf(call, pool_id), { available: 0, allocated: 2 })
      t.match(await stockOf(call, second), { allocated: on_shortage === 'partial' ? 1 : 0, backordered: { partial: 1, backorder: 2, fail: 0 }[on_shortage] })
      t.match(request, { status: 'pending', fulfillment_status: 'partial' })
      t.notOk(request['pool_note'].includes(pool_id), 'that pool is not short')
      t.ok(request['pool_note'].includes(second))
      withWorker(t, service)
      await load(call, second, ['SERVER-KEY-0002'])
      if (on_shortage !== 'fail') {
        const done = await approvedOf(bound, request['id'])
        t.strictSame([keyOf(done), keyOf(done, 'server_key').split('\n').sort()], [keys(2).join('\n'), ['SERVER-KEY-0001', 'SERVER-KEY-0002']])
      } else {
        t.match(request['pool_note'], /policy is not to wait/)
        t.match((await call('POST', `/v1/requests/${request['id']}/approve`)).json(), { status: 400 })
        for (const name of ['license_key', 'server_key']) await market.byVendor('PUT', `/v1/requests/${request['id']}/parameters/${name}`, { value: `HAND-${name}` })
        t.equal(keyOf(await market.byVendor('POST', `/v1/requests/${request['id']}/approve`)), 'HAND-license_key')
        t.match(await stockOf(call, pool_id), { available: 2, allocated: 0, revoked: 0 }, 'what was reserved is back')
        t.match(await stockOf(call, second), { available: 2, allocated: 0 })
      }
      await assertInvariants(t, service.db)
    })
  }
})

// Guarantee: whatever makes a purchase pending, it is filled then and not before: a draft that is asked for, an inquiry that is answered, a date that comes.
t.test('filled when it becomes pending', async (t) => {
  const bound = await boundMarket(t, keys(9), { product: { capabilities: { subscription: { scheduling: true } } } })
  const { service, market, call, pool_id } = bound
  const { byProvider, byVendor } = market
  const draft = await byProvider('POST', '/v1/requests', purchaseOf(market, { status: 'draft' }))
  const asked = await buy(bound, 1, { params: [] })
  t.equal(asked['status'], 'inquiring')
  t.match(await stockOf(call, pool_id), { available: 9 })
  t.equal(keyOf(await byProvider('POST', `/v1/requests/${draft['id']}/purchase`)), keys(1)[0])
  await byProvider('PUT', `/v1/requests/${asked['id']}`, { asset: { params: [{ id: 'admin_email', value: 'admin@example.com' }] } })
  t.match(await byProvider('POST', `/v1/requests/${asked['id']}/pend`), { status: 'approved' })

  withWorker(t, service)
  const big = await buy(bound, 9)
  await byVendor('POST', `/v1/requests/${big['id']}/schedule`, { planned_date: '2099-01-01T00:00:00Z' })
  await load(call, pool_id, keys(2, 'MORE-EFGH'))
  t.match(await stockOf(call, pool_id), { available: 0, allocated: 11 }, 'its place in the line is kept')
  t.match(await byVendor('GET', `/v1/requests/${big['id']}`), { status: 'scheduled' })
  await service.db.updateTable('requests').set({ planned_date: new Date() }).where('id', '=', big['id']).execute()
  t.equal(keyOf(await approvedOf(bound, big['id'])).split('\n').length, 9)

  const inquired = await buy(bound)
  t.match(inquired, { status: 'pending', pool_note: /waiting/ })
  t.notOk('pool_note' in await byVendor('POST', `/v1/requests/${inquired['id']}/inquire`), 'the note is of a pending request')
  await load(call, pool_id, ['LATE-KEY-0001'])
  t.match(await byProvider('POST', `/v1/requests/${inquired['id']}/pend`), { status: 'approved' })
  await assertInvariants(t, service.db)
})

// Guarantee: a request that fails while it is filled in part gives back what nobody saw, to the next in line, who is then approved. Cancelled
// after its approval, it never gives anything back.
t.test('what a failed request held goes to the next', async (t) => {
  const bound = await boundMarket(t, keys(2), { pool: { on_shortage: 'partial' } })
  const { service, market, call, pool_id } = bound
  const [first, next] = [await buy(bound, 3), await buy(bound, 2)]
  t.match(await stockOf(call, pool_id), { available: 0, allocated: 2, backordered: 3 })
  withWorker(t, service)
  await market.byVendor('POST', `/v1/requests/${first['id']}/fail`, { reason: 'no' })
  t.strictSame(keyOf(await approvedOf(bound, next['id'])).split('\n').sort(), keys(2))
  const waiting = await buy(bound, 1)
  const { id } = await market.byProvider('POST', '/v1/requests', { type: 'cancel', asset: { id: next['asset'].id } })
  await market.byVendor('POST', `/v1/requests/${id}/approve`)
  t.match(await stockOf(call, pool_id), { available: 0, allocated: 0, revoked: 2, backordered: 1 })
  t.match(await market.byVendor('GET', `/v1/requests/${waiting['id']}`), { status: 'pending' })
  t.match(await market.byVendor('GET', `/v1/orders/${next['order_id']}`), { status: 'cancelled' })
  await assertInvariants(t, service.db)
})

// Guarantee: whatever becomes of the product's parameters while a purchase waits, its licenses reach the parameter that they were asked for,
// and one that was bound since is left to the vendor.
t.test('parameters that change while a purchase waits', async (t) => {
  const bound = await boundMarket(t, [])
  const { service, market, call, pool_id } = bound
  const { id } = await buy(bound)
  await market.byVendor('PUT', `/v1/products/${market.product_id}/parameters/${market.parameters['license_key']}`, { name: 'main_key' })
  await bindSecond(bound, keys(1, 'SERVER-EFGH'))
  withWorker(t, service)
  await load(call, pool_id, keys(1))
  const filled = await until('the note', async () => {
    const request = await market.byVendor('GET', `/v1/requests/${id}`)
    return request['pool_note'] === 'filled from the pool; approve it when there are values of server_key' && request
  })
  t.equal(filled['status'], 'pending')
  await market.byVendor('PUT', `/v1/requests/${id}/parameters/server_key`, { value: 'BY-HAND' })
  const done = await market.byVendor('POST', `/v1/requests/${id}/approve`)
  t.strictSame([keyOf(done, 'main_key'), keyOf(done, 'server_key')], [keys(1)[0], 'BY-HAND'])
  await assertInvariants(t, service.db)
})

// Guarantee: a purchase for which there is no pool of its mode is left to the vendor, who is told so.
t.test('no pool for tests', async (t) => {
  const { service, call, pool_id } = await boundMarket(t, keys(1))
  const market = await makeMarket(service, { vendor: service.vendor, license_key: { pool_id } })
  const request = await buy({ market }, 1, { connection: { id: market.test_connection_id } })
  t.match(request, { status: 'pending', pool_note: 'parameter license_key has no pool for test purchases: write it by hand' })
  t.match(await stockOf(call, pool_id), { available: 1 })
  await assertInvariants(t, service.db)
})
