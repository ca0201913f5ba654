// kill -9 of the service at random moments of a stream of orders.
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { receiver } from '../support/receiver.js'
import { mailServer } from '../support/smtp.js'
import type { Started } from '../support/process.js'
import { until } from '../support/until.js'
import { assertFulfilled, assertMailed, assertStock, assertTold, demandOf, randomOrders, stream } from './stream.js'
import { insist, keysOf, openShop, seeded, source, stocked } from './support.js'

const KILLS = 8
const ORDERS = 120
const SENDERS = 6
const TOLD = ['order.paid', 'order.fulfilled']

// Guarantee (A1, A3, A5, B1, B5, B6, C1, C2, E1): a service killed again and again loses nothing that it acknowledged, gives nothing twice, every mail is
// sent in the end, and every order told of by webhook: planned once for each event, called at least once. Stock covers half the demand at first: a load in
// the middle, repeated until it is acknowledged under its Idempotency-Key, brings the rest and serves whoever waits.
t.test('the service is killed again and again in a stream of orders', { timeout: 110_000 }, async (t) => {
  const random = seeded(t)
  const mail = await mailServer(t)
  const hook = await receiver(t)
  const shop = await openShop(t, {
    ...{ SMTP_URL: mail.url, DELIVERY_LEASE_MS: '2000', WORKER_POLL_MS: '50', LOG_LEVEL: 'fatal' },
    ...{ WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8', WEBHOOK_TIMEOUT_MS: '1000' },
  })
  let running: Started = shop.start('serve')
  let base = await running.url()
  const from = await source(shop, base)
  await shop.made(base, 'POST', '/v1/notifications/webhooks', { label: 'hook', object_class: 'order', event_types: TOLD, external_url: hook.url, active: true })
  const orders = randomOrders(random, ORDERS, ['A', 'B', 'C'])
  const keys = Object.fromEntries(['A', 'B', 'C'].map((sku) => [sku, keysOf(sku, demandOf(orders, sku))]))
  const half = (sku: string): number => Math.floor((keys[sku]?.length ?? 0) / 2)
  const pools: Record<string, string> = {}
  for (const sku of ['A', 'B', 'C']) pools[sku] = await stocked(shop, base, sku, keys[sku]?.slice(0, half(sku)) ?? [])

  const { acknowledged, tally, events, done } = stream(orders, from, () => base, SENDERS)
  const loads: Array<Promise<unknown>> = []
  const restarts: number[] = []
  for (let kill = 1; kill <= KILLS; kill++) {
    const enough = Math.min(ORDERS, Math.floor(ORDERS * kill / (KILLS + 1)))
    await until(`${enough} orders`, () => acknowledged.size >= enough, 60_000)
    await delay(random(60)) // anywhere in the work on an order
    if (kill === KILLS / 2) {
      for (const sku of ['A', 'B', 'C']) {
        loads.push(insist(`load ${sku}`, tally, () =>
          shop.call(base, 'POST', `/v1/pools/${pools[sku]}/licenses`, keys[sku]?.slice(half(sku)).join('\n') ?? '', { 'idempotency-key': `load-${sku}` })))
      }
      await delay(random(40))
    }
    running.child.kill('SIGKILL')
    const killed_at = performance.now()
    await running.ended
    running = shop.start('serve')
    base = await running.url()
    restarts.push(Math.round(performance.now() - killed_at))
  }
  await Promise.all([done, ...loads])

  t.strictSame(tally.wrong, [], 'no client met anything but an acknowledgement, a 503 that says when to come back, or a cut line')
  await assertFulfilled(t, shop, base, orders, acknowledged)
  for (const sku of ['A', 'B', 'C']) {
    const loaded = keys[sku]?.length ?? 0
    await assertStock(t, shop, base, pools[sku] as string, { loaded, allocated: loaded, available: 0, backordered: 0 })
  }
  const repeats = await assertMailed(t, shop, mail.mails, orders)
  const told = await assertTold(t, shop, hook.received, acknowledged)
  t.comment(`${KILLS} kills, ${ORDERS} orders, ${events()} webhooks acknowledged, answers ${JSON.stringify(tally.seen)}; ` +
    `${mail.mails.length} mails of which ${repeats} repeats, ${told} calls of webhooks that repeat; service back after ${Math.min(...restarts)} to ${Math.max(...restarts)} ms`)
})
