// kill -9 of PostgreSQL, all its processes at once, in a stream of orders.
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { mailServer } from '../support/smtp.js'
import { until } from '../support/until.js'
import { assertFulfilled, assertMailed, assertStock, demandOf, randomOrders, stream } from './stream.js'
import { insist, keysOf, openShop, post, seeded, source, stocked, Tally } from './support.js'

const KILLS = 6
const ORDERS = 160
const SENDERS = 6
const RECOVERY_MS_MAX = 5000

// Guarantee (B2, B3, B4): the database dies and what was acknowledged is there when it returns, nothing given twice, every mail
// sent in the end. Meanwhile clients meet 503 with Retry-After and never a 500; the service lives, and works again within five
// seconds of the database's return, without a restart.
t.test('PostgreSQL is killed again and again in a stream of orders', { timeout: 110_000 }, async (t) => {
  const random = seeded(t)
  const mail = await mailServer(t)
  const shop = await openShop(t, { SMTP_URL: mail.url, DELIVERY_LEASE_MS: '2000', WORKER_POLL_MS: '50', LOG_LEVEL: 'fatal' })
  const { server } = shop
  const service = shop.start('serve')
  const base = await service.url()
  const from = await source(shop, base)
  const orders = randomOrders(random, ORDERS + KILLS, ['A', 'B'])
  const [streamed, probes] = [orders.slice(0, ORDERS), orders.slice(ORDERS)]
  const pools: Record<string, string> = {}
  const demand = { A: demandOf(orders, 'A'), B: demandOf(orders, 'B') }
  for (const [sku, count] of Object.entries(demand)) pools[sku] = await stocked(shop, base, sku, keysOf(sku, count))

  const { acknowledged, tally, events, done } = stream(streamed, from, () => base, SENDERS)
  const recoveries: number[] = []
  for (const [kill, probe] of probes.entries()) {
    const enough = Math.floor(ORDERS * (kill + 1) / (KILLS + 1))
    await until(`${enough} orders`, () => acknowledged.size >= enough, 60_000)
    await delay(random(40)) // anywhere in the work on an order
    await server.crash()
    await server.returned()
    const returned_at = performance.now()
    const { body } = await insist('an order after the return', tally, () => post(base, from, probe))
    recoveries.push(Math.round(performance.now() - returned_at))
    acknowledged.set(probe.number, String(body['order_id']))
  }
  await done

  t.equal(service.child.exitCode ?? service.child.signalCode, null, 'the service is still the same process')
  t.strictSame(tally.wrong, [], 'no client met anything but an acknowledgement or a 503 that says when to come back')
  t.equal(tally.seen['cut'], undefined, 'and each got an answer')
  t.ok((tally.seen['503'] ?? 0) > 0, 'clients did meet a database that was away')
  t.ok(Math.max(...recoveries) <= RECOVERY_MS_MAX, `it works again within ${RECOVERY_MS_MAX} ms of the return`)
  await assertFulfilled(t, shop, base, orders, acknowledged)
  for (const [sku, loaded] of Object.entries(demand)) await assertStock(t, shop, base, pools[sku] as string, { loaded, allocated: loaded, available: 0 })
  const repeats = await assertMailed(t, shop, mail.mails, orders)
  t.comment(`${KILLS} crashes, ${orders.length} orders, ${events() + KILLS} webhooks acknowledged, answers ${JSON.stringify(tally.seen)}; ` +
    `${mail.mails.length} mails of which ${repeats} repeats; works again after ${recoveries.join(', ')} ms`)
})

// Guarantee (A11): a load that loses the database leaves nothing, and says so; the same file loads whole afterwards.
t.test('PostgreSQL is killed in a load', { timeout: 110_000 }, async (t) => {
  const shop = await openShop(t, { LOG_LEVEL: 'fatal' })
  const service = shop.start('serve')
  const base = await service.url()
  const pool_id = await stocked(shop, base, 'A', [])
  const file = keysOf('A', 40_000)
  const tally = new Tally()
  const load = shop.call(base, 'POST', `/v1/pools/${pool_id}/licenses`, file.join('\n'))
  await until('a part to be staged', async () =>
    (await shop.server.db.selectFrom('staged_licenses').select('line').limit(1).execute()).length > 0)
  await shop.server.crash()
  t.match((await load).status, 503, 'the client is told to come back')
  await shop.server.returned()
  await insist('the pool', tally, () => shop.call(base, 'GET', `/v1/pools/${pool_id}`))
  await assertStock(t, shop, base, pool_id, { loaded: 0, available: 0 })
  const { body } = await insist('the load', tally, () => shop.call(base, 'POST', `/v1/pools/${pool_id}/licenses`, file.join('\n')))
  t.match(body, { loaded: file.length, duplicates: 0 }, 'the same file loads whole')
})
