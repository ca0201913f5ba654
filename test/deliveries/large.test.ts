import { sql } from 'kysely'
import t from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { claimDeliveries } from '../../src/deliveries/claim.js'
import { finishDelivery } from '../support/deliveries.js'
import { testApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { WEBHOOKS } from '../webhooks/support.js'
import { callsOf, keys, makePool, makeProduct, orderOf } from '../support/vendor.js'

/** The most that a line may have (orders/schema.ts). */
const UNITS = 10_000

// Guarantee: the largest line is mailed, mailed again, told by webhook once for each license, shown on the order page and refunded, each statement of it within
// its limit of 5 s, which one that does something for each license and each of its list exceeds.
t.test('an order of ten thousand licenses', { timeout: 60_000 }, async (t) => {
  const { app, db, vendor } = await testApp(t, { LOG_LEVEL: 'error' })
  const call = callsOf(app, vendor)
  const product_id = await makeProduct(call, 'sku-pro')
  await makePool(call, { product_ids: [product_id] }, keys(UNITS))
  const hook = await call('POST', WEBHOOKS, { label: 'all', object_class: 'license', type: 'change', external_url: 'https://example.com/', active: true })
  t.equal(hook.statusCode, 201, hook.body)
  const told = async (): Promise<Record<string, number>> => Object.fromEntries((await sql<{ event: string, n: number }>`
    select event, count(distinct data ->> 'id')::int as n from webhook_messages group by event having count(*) = count(distinct data ->> 'id')`.execute(db))
    .rows.map(({ event, n }) => [event, n]))
  /** As the worker does it with tables that have grown (database/analyze-grown.ts). */
  const analyze = async (): Promise<unknown> => sql`analyze`.execute(db)
  const mail = async (): Promise<void> => {
    await analyze()
    const [claimed, ...others] = await inTransaction(db, (trx) => claimDeliveries(trx, { limit: 10, lease_ms: 60_000, domain: 'example.com' }))
    t.equal(claimed?.license_ids.length, UNITS)
    t.strictSame(others, [])
    if (claimed !== undefined) await inTransaction(db, (trx) => finishDelivery(trx, claimed, { outcome: 'sent', response: '250' }))
    t.strictSame(await told(), { 'license.delivered': UNITS })
  }

  await analyze()
  const order = (await call('POST', '/v1/orders', orderOf('L-1', { line_items: [{ product: 'sku-pro', quantity: UNITS }] }))).json()
  t.equal(order['fulfillment_status'], 'fulfilled')
  await mail()
  t.equal((await call('POST', `/v1/orders/${order['id']}/resend`)).statusCode, 202)
  await mail()
  const { token } = (await call('POST', `/v1/orders/${order['id']}/page-link`)).json()
  const revealed = await app.inject({ method: 'POST', url: '/v1/order-page/reveal', headers: { 'order-token': token }, payload: { line_item_id: order['line_items'][0].id } })
  t.equal(revealed.json()['licenses']?.length, UNITS)
  t.strictSame(await told(), { 'license.delivered': UNITS }, 'who looks again was told before')
  t.equal((await call('POST', `/v1/orders/${order['id']}/refund`, { reason: 'asked' })).statusCode, 200)
  t.strictSame(await told(), { 'license.delivered': UNITS, 'license.revoked': UNITS })
  await assertInvariants(t, db)
})
