// Two API processes on one database: races, shortage, and a storm of duplicates.
import t from 'tap'
import { assertFulfilled, assertStock, demandOf } from './stream.js'
import { insist, keysOf, openShop, post, range, seeded, source, stocked, Tally, type Answer, type Asked, type Random, type Shop, type Source } from './support.js'

const SENDERS = 16

interface Replicas { shop: Shop, bases: [string, string], from: Source, random: Random }

/** Posts all orders, many at a time, each to either process. Resolves to the answers in the order of `orders`. */
async function race ({ bases, from, random }: Replicas, tally: Tally, orders: readonly Asked[], senders = SENDERS): Promise<Answer[]> {
  const answers: Answer[] = []
  const queue = [...orders.entries()]
  await Promise.all(range(senders).map(async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [at, order] = next
      const base = bases[random(2)] as string
      answers[at] = await insist(`order ${order.number}`, tally, () => post(base, from, order))
    }
  }))
  return answers
}

const idsOf = (orders: readonly Asked[], answers: readonly Answer[]): Map<number, string> =>
  new Map(orders.map(({ number }, i) => [number, String(answers[i]?.body['order_id'])]))

async function statusOf ({ shop, bases }: Replicas, id: string): Promise<string> {
  return (await shop.made(bases[0], 'GET', `/v1/orders/${id}`))['fulfillment_status'] as string
}

t.test('two processes of the API', { timeout: 110_000 }, async (t) => {
  const random = seeded(t)
  const shop = await openShop(t, { LOG_LEVEL: 'fatal' })
  const [first, second] = [shop.start('api'), shop.start('api')]
  const bases: Replicas['bases'] = [await first.url(), await second.url()]
  const replicas: Replicas = { shop, bases, from: await source(shop, bases[0]), random }
  let number = 0
  const orderOf = (...lines: Asked['lines'][number][]): Asked => ({ number: number++, lines })

  // Guarantee (A1, A3, A7): orders that race for one pool, with demand equal to stock and mixed quantities, are all served; none waits.
  await t.test('one pool, demand equal to stock', async (t) => {
    const orders = range(80).map((i) => orderOf(['ONE', 1 + i % 3]))
    const loaded = demandOf(orders, 'ONE')
    const pool_id = await stocked(shop, bases[0], 'ONE', keysOf('ONE', loaded))
    const tally = new Tally()
    const answers = await race(replicas, tally, orders)
    t.strictSame(tally.seen, { 200: orders.length }, 'each is taken in at the first try')
    await assertFulfilled(t, shop, bases[0], orders, idsOf(orders, answers))
    await assertStock(t, shop, bases[0], pool_id, { loaded, allocated: loaded, available: 0, backordered: 0 })
  })

  // Guarantee (A8): orders over several pools, named in opposite order, do not fail each other; with demand equal to stock none waits.
  await t.test('many pools, in opposite order', async (t) => {
    const skus = ['PA', 'PB', 'PC', 'PD']
    const orders = range(80).map((i) => orderOf(...(i % 2 === 0 ? skus : [...skus].reverse()).map((sku) => [sku, 1 + i % 2] as const)))
    for (const sku of skus) await stocked(shop, bases[0], sku, keysOf(sku, demandOf(orders, sku)))
    const tally = new Tally()
    const answers = await race(replicas, tally, orders)
    t.strictSame(tally.seen, { 200: orders.length }, 'each is taken in at the first try')
    await assertFulfilled(t, shop, bases[0], orders, idsOf(orders, answers))
  })

  // Guarantee (A6): with demand above stock the rest waits whole, holding nothing; loads, on both processes at once, serve whoever came
  // first, by themselves, and end with everybody served.
  await t.test('demand above stock, then loads', async (t) => {
    const skus = ['QA', 'QB']
    const early = range(60).map((i) => orderOf(...(i % 3 === 0 ? skus : [skus[i % 2] as string]).map((sku) => [sku, 1 + i % 2] as const)))
    const keys = Object.fromEntries(skus.map((sku) => [sku, keysOf(sku, demandOf(early, sku) + 20)]))
    const pools: Record<string, string> = {}
    for (const sku of skus) pools[sku] = await stocked(shop, bases[0], sku, keys[sku]?.slice(0, 30) ?? [])
    const tally = new Tally()
    const answers = await race(replicas, tally, early)
    t.strictSame(tally.seen, { 200: early.length }, 'each is taken in at the first try')
    // these come one after the other, once all of the others wait: their order is known to the clients
    const late = range(20).map((i) => orderOf([skus[i % 2] as string, 1]))
    const lateIds: string[] = []
    for (const [i, order] of late.entries()) lateIds.push(String((await insist('a late order', tally, () => post(bases[i % 2] as string, replicas.from, order))).body['order_id']))
    for (const sku of skus) t.ok((await shop.made(bases[0], 'GET', `/v1/pools/${pools[sku]}`))['stock'].backordered > 10, 'a queue has formed')
    await Promise.all(skus.map((sku, i) => insist('a load', tally, () =>
      shop.call(bases[i] as string, 'POST', `/v1/pools/${pools[sku]}/licenses`, keys[sku]?.slice(30, demandOf(early, sku) + 5).join('\n') ?? ''))))
    const ids = idsOf(early, answers)
    await assertFulfilled(t, shop, bases[0], early, ids)
    const states = await Promise.all(lateIds.map((id) => statusOf(replicas, id)))
    t.strictSame(states, range(20).map((i) => i < 10 ? 'fulfilled' : 'backordered'), 'of the late ones those that came first are served')
    t.strictSame(await Promise.all([...ids.values()].map((id) => statusOf(replicas, id))), early.map(() => 'fulfilled'), 'and every order before them')
  })

  // Guarantee (A5): one order per payment, whatever the number of copies: 50 events, 20 times each, in parallel, over both processes.
  await t.test('a storm of duplicates', async (t) => {
    const [COPIES, EVENTS] = [20, 50]
    const orders = range(EVENTS).map(() => orderOf(['STORM', 1]))
    const pool_id = await stocked(shop, bases[0], 'STORM', keysOf('STORM', EVENTS + 10))
    const tally = new Tally()
    const answers = await race(replicas, tally, range(COPIES * EVENTS).map((i) => orders[Math.floor(i / COPIES)] as Asked), 4 * COPIES)
    t.equal(answers.length, COPIES * EVENTS, 'every copy is acknowledged')
    t.strictSame(tally.seen, { 200: COPIES * EVENTS }, 'at the first try')
    const ids = new Set(answers.map(({ body }) => String(body['order_id'])))
    t.equal(ids.size, EVENTS, 'fifty orders')
    const { count } = await shop.server.db.selectFrom('allocations').select((select) => select.fn.countAll<number>().as('count'))
      .where('pool_id', '=', pool_id).executeTakeFirstOrThrow()
    t.equal(Number(count), EVENTS, 'fifty allocations')
    await assertStock(t, shop, bases[0], pool_id, { available: 10, allocated: EVENTS })
  })

  const deadlocks = shop.server.log().split('deadlock detected').length - 1
  t.comment(`${number} orders, 950 duplicates; deadlocks that PostgreSQL resolved and the service retried: ${deadlocks}`)
})
