// kill -9 of the service between holds and the orders that name them.
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { assertInvariants } from '../support/invariants.js'
import { until } from '../support/until.js'
import { insist, keysOf, openShop, range, seeded, stocked, Tally } from './support.js'

const KILLS = 3
const SESSIONS = 60
const SENDERS = 5
/** Of three sessions one is never paid, and released. */
const isPaid = (number: number): boolean => number % 3 !== 0

// Guarantee: killed anywhere between a hold and its order, the service keeps what it acknowledged: a session has one hold, its order the licenses of that, one
// that is released gives all back, and nothing is held twice or lost. What is in stock is just enough for all holds at once.
t.test('the service is killed between holds and their orders', { timeout: 110_000 }, async (t) => {
  const random = seeded(t)
  const shop = await openShop(t, { LOG_LEVEL: 'fatal' })
  let running = shop.start('api')
  let base = await running.url()
  const pool_id = await stocked(shop, base, 'A', keysOf('A', SESSIONS), { on_shortage: 'fail' })
  const tally = new Tally()
  const line_items = [{ product: 'A', quantity: 1 }]
  let over = 0
  const holds = new Map<number, string>()
  const session = async (number: number): Promise<void> => {
    const { body: hold } = await insist('a hold', tally, () => shop.call(base, 'POST', '/v1/holds', { external_id: `cs_${number}`, currency: 'EUR', line_items }))
    holds.set(number, String(hold['id']))
    await delay(random(20))
    if (isPaid(number)) {
      const order = { external_id: `A-${number}`, currency: 'EUR', customer: { email: `buyer-${number}@example.com` }, line_items, hold_id: hold['id'] }
      await insist('an order', tally, () => shop.call(base, 'POST', '/v1/orders', order))
    } else await insist('a release', tally, () => shop.call(base, 'POST', `/v1/holds/${String(hold['id'])}/release`))
    over++
  }
  const waiting = range(SESSIONS)
  const sender = async (): Promise<void> => {
    for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) await session(number)
  }
  const done = Promise.all(range(SENDERS).map(sender))
  for (let kill = 1; kill <= KILLS; kill++) {
    await until('some sessions', () => over >= Math.floor(SESSIONS * kill / (KILLS + 1)), 60_000)
    await delay(random(40)) // anywhere in the work on a session
    running.child.kill('SIGKILL')
    await running.ended
    running = shop.start('api')
    base = await running.url()
  }
  await done

  t.strictSame(tally.wrong, [], 'no client met anything but an acknowledgement, a 503 that says when to come back, or a cut line')
  const kept = await shop.server.db.selectFrom('holds').select(['id', 'external_id', 'status', 'order_id']).execute()
  t.equal(kept.length, SESSIONS, 'one hold for each session')
  for (const { id, external_id, status, order_id } of kept) {
    const number = Number(external_id?.slice('cs_'.length))
    t.same({ id, status, has_order: order_id !== null }, { id: holds.get(number), status: isPaid(number) ? 'committed' : 'released', has_order: isPaid(number) })
  }
  const paid = range(SESSIONS).filter(isPaid).length
  const { stock } = await shop.made(base, 'GET', `/v1/pools/${pool_id}`)
  t.match(stock, { loaded: SESSIONS, held: 0, allocated: paid, available: SESSIONS - paid })
  await assertInvariants(t, shop.server.db)
  t.comment(`${KILLS} kills, ${SESSIONS} sessions, answers ${JSON.stringify(tally.seen)}`)
})
