// kill -9 of the service at random moments of a stream of purchases that are filled from a pool.
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { testAccount } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { makeMarket, purchaseOf } from '../support/market.js'
import type { Started } from '../support/process.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { insist, keysOf, openShop, range, seeded, Tally, type Answer, type Shop } from './support.js'

const KILLS = 6
const PURCHASES = 60
const SENDERS = 6

/** A market of the shop's vendor and of a provider, with a license_key from a live pool with these licenses. */
async function openMarket ({ server, authorization, made }: Shop, base: string, licenses: readonly string[]) {
  const { id: pool_id } = await made(base, 'POST', '/v1/pools', { name: 'pool', mode: 'live', quantity_rule: 'unit', on_shortage: 'backorder' })
  await made(base, 'POST', `/v1/pools/${pool_id}/licenses`, licenses.join('\n'))
  const inject = async ({ url, payload, ...init }: { url: string, payload?: object, method: string, headers: Record<string, string> }) => {
    const type: Record<string, string> = payload === undefined ? {} : { 'content-type': 'application/json' }
    const answer = await fetch(`${base}${url}`, { ...init, headers: { ...init.headers, ...type }, ...(payload === undefined ? {} : { body: JSON.stringify(payload) }) })
    return { statusCode: answer.status, body: await answer.text() }
  }
  const vendor = { account_id: '', key_id: '', api_key: '', authorization }
  const provider = await testAccount(server.db, 'provider')
  const market = await makeMarket({ app: { inject } as unknown as FastifyInstance, db: server.db }, { vendor, provider, license_key: { pool_id } })
  return { ...market, pool_id: pool_id as string }
}

/** A refusal that names the request which the first try has made is as good as an answer: the provider goes on with that one. */
const known = (answer: Answer): Answer => answer.status === 409 && answer.body['params']?.request_id !== undefined
  ? { ...answer, status: 200, body: { id: answer.body['params'].request_id } }
  : answer

// Guarantee: a service killed again and again loses no purchase that it acknowledged, makes none twice and gives no license twice, whether a
// provider repeats under an Idempotency-Key or by the name of the asset. Stock covers half at first; what waits is approved by itself
// after the load, whatever died in between.
t.test('the service is killed again and again in a stream of purchases', { timeout: 110_000 }, async (t) => {
  const random = seeded(t)
  const quantities = range(PURCHASES).map(() => 1 + random(3))
  const demand = quantities.reduce((sum, quantity) => sum + quantity, 0)
  const keys = keysOf('R', demand)
  const shop = await openShop(t, { LOG_LEVEL: 'fatal', WORKER_POLL_MS: '50' })
  let running: Started = shop.start('serve')
  let base = await running.url()
  const market = await openMarket(shop, base, keys.slice(0, demand / 2))
  const purchases = quantities.map((quantity) => purchaseOf(market, { asset: { items: [{ id: market.item_id, quantity }] } }))

  const tally = new Tally()
  const acknowledged = new Map<number, string>()
  const queue = range(PURCHASES)
  const sender = async (): Promise<void> => {
    for (let number = queue.shift(); number !== undefined; number = queue.shift()) {
      const key: Record<string, string> = number % 2 === 0 ? { 'idempotency-key': `purchase-${number}` } : {}
      const purchase = purchases[number]
      const { body } = await insist(`purchase ${number}`, tally, async () =>
        known(await shop.call(base, 'POST', '/v1/requests', purchase, { authorization: market.provider.authorization, ...key })))
      acknowledged.set(number, body['id'])
    }
  }
  const work: Array<Promise<unknown>> = range(SENDERS).map(sender)
  for (let kill = 1; kill <= KILLS; kill++) {
    const enough = Math.floor(PURCHASES * kill / (KILLS + 1))
    await until(`${enough} purchases`, () => acknowledged.size >= enough, 60_000)
    await delay(random(80)) // anywhere in the work on a purchase
    if (kill === KILLS - 1) {
      const rest = keys.slice(demand / 2).join('\n')
      work.push(insist('load', tally, () => shop.call(base, 'POST', `/v1/pools/${market.pool_id}/licenses`, rest, { 'idempotency-key': 'load' })))
      await delay(random(200)) // anywhere between the load and the last approval
    }
    running.child.kill('SIGKILL')
    await running.ended
    running = shop.start('serve')
    base = await running.url()
  }
  await Promise.all(work)
  t.strictSame(tally.wrong, [], 'no provider met anything but an acknowledgement, a 503 that says when to come back, or a cut line')
  const { db } = shop.server
  await until('every approval', async () => (await db.selectFrom('requests').select('id').where('status', '<>', 'approved').limit(1).execute()).length === 0, 40_000)

  t.equal((await db.selectFrom('assets').select('id').execute()).length, PURCHASES, 'none is there twice')
  const given: string[] = []
  for (const [number, { asset }] of purchases.entries()) {
    const request: Json = await shop.made(base, 'GET', `/v1/requests/${acknowledged.get(number)}`)
    const value: string = request['asset'].params.find(({ id }: Json) => id === 'license_key').value
    given.push(...value.split('\n'))
    t.match(request, { status: 'approved', asset: { status: 'active', external_uid: asset.external_uid, items: [{ quantity: String(quantities[number]) }] } })
    t.equal(value.split('\n').length, quantities[number], `purchase ${number} has a key per seat`)
    t.match(await shop.made(base, 'GET', `/v1/orders/${request['order_id']}`), { external_id: request['id'], fulfillment_status: 'fulfilled' })
  }
  t.strictSame(given.sort(), keys, 'every key is with one purchase')
  t.match((await shop.made(base, 'GET', `/v1/pools/${market.pool_id}`))['stock'], { loaded: demand, allocated: demand, available: 0, backordered: 0 })
  await assertInvariants(t, db)
  t.comment(`${KILLS} kills, ${PURCHASES} purchases of ${demand} seats, answers ${JSON.stringify(tally.seen)}`)
})
