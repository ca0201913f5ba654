import t, { type Test } from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { placeWithin } from '../../src/orders/place-within.js'
import { testApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { callsOf, keys, makePool, makeProduct, orderOf, stockOf } from '../support/vendor.js'
import { arrivalOf } from './support.js'

async function shopOf (t: Test) {
  const app = await testApp(t)
  const call = callsOf(app.app, app.vendor)
  const product_id = await makeProduct(call, 'sku-pro')
  const pool_id = await makePool(call, { product_ids: [product_id] }, keys(20))
  const items = [{ external_id: 'a', product: 'sku-pro', quantity: 2, unit_amount: 500 }, { external_id: 'b', product: 'sku-pro', quantity: 1, unit_amount: 500 }]
  const place = async (external_id: string, more = {}): Promise<string> =>
    (await call('POST', '/v1/orders', orderOf(external_id, { line_items: items, total_amount: 1500, ...more }))).json<{ id: string }>().id
  return { ...app, call, pool_id, place }
}

// Guarantee: a person's refund takes back what it names, answers the order as it is then, and is on record; with the same Idempotency-Key it is one.
t.test('refunds of a person', async (t) => {
  const { call, place, pool_id, db, vendor } = await shopOf(t)
  const id = await place('A-1')
  const refund = (body: object, headers = {}) => call('POST', `/v1/orders/${id}/refund`, body, headers)
  for (const repeat of [1, 2]) {
    const answer = await refund({ lines: [{ external_id: 'a', quantity: 1 }], amount: 500, reason: 'one too many' }, { 'idempotency-key': 'k' })
    t.equal(answer.statusCode, 200, `time ${repeat}`)
    t.match(answer.json(), {
      id, status: 'partially_refunded', total_amount: 1500, refunded_amount: 500, fulfillment_status: 'fulfilled', line_items: [{ ended_units: 1, licenses: { length: 1 } }, { ended_units: 0 }], deliveries: [{ license_ids: { length: 2 } }],
    })
  }
  t.equal((await stockOf(call, pool_id)).available, 18)
  const { rows: [event] } = { rows: await db.selectFrom('events').select(['actor', 'data']).where('subject_id', '=', id).where('type', '=', 'order.partially_refunded').execute() }
  t.same(event, { actor: vendor.key_id, data: { line_item_ids: [`${id}-1`], refunded_amount: 500, reason: 'one too many' } })
  for (const [body, field] of [
    [{ lines: [{ external_id: 'a', quantity: 2 }] }, 'lines.0.quantity: only 1 of its units are left to refund'],
    [{ lines: [{ external_id: 'z' }] }, 'lines.0.external_id: the order has no such line'],
    [{ lines: [{ external_id: 'b' }, { external_id: 'b' }] }, 'lines: names a line twice'],
    [{ amount: 1001 }, 'amount: only 1000 of the order is left to refund'],
  ] as const) t.match((await refund(body)).json(), { status: 400, errors: [field] })
  t.match((await refund({ line: [] })).json(), { status: 400 }, 'unknown fields are refused')
  t.match((await refund({})).json(), { status: 'refunded', refunded_amount: 1500, fulfillment_status: 'unfulfilled', deliveries: [{ status: 'cancelled' }] })
  t.match((await refund({})).json(), { status: 409, error_code: 'ORD_003', detail: 'it is refunded' })
  t.equal((await stockOf(call, pool_id)).available, 20)
  t.match((await call('POST', '/v1/orders/OR-none/refund', {})).json(), { status: 404, error_code: 'ORD_002' })
  await assertInvariants(t, db)
})

// Guarantee: a cancelled order gives back what it holds and stays cancelled; what ended another way, or fills a request, is refused.
t.test('cancelling', async (t) => {
  const { call, place, pool_id, db, vendor } = await shopOf(t)
  const ahead = await place('A-1', { paid_at: '2999-01-01T00:00:00Z' })
  for (const id of [ahead, ahead, await place('A-2')]) {
    t.match((await call('POST', `/v1/orders/${id}/cancel`, { reason: 'fraud' })).json(), { status: 'cancelled', line_items: [{ ended_units: 2 }, { ended_units: 1 }] })
  }
  t.equal((await stockOf(call, pool_id)).available, 20)
  const refunded = await place('A-3')
  await call('POST', `/v1/orders/${refunded}/refund`, {})
  t.match((await call('POST', `/v1/orders/${refunded}/cancel`, {})).json(), { status: 409, error_code: 'ORD_003' })
  t.match((await call('POST', `/v1/orders/${ahead}/refund`, {})).json(), { status: 409, error_code: 'ORD_003' })
  const filling = await inTransaction(db, (trx) => placeWithin(trx, arrivalOf(vendor, [['sku-pro', 1]], 'PR-1', { source_id: 'requests' })))
  for (const what of ['refund', 'cancel']) {
    t.match((await call('POST', `/v1/orders/${filling.id}/${what}`, {})).json(), { status: 409, error_code: 'ORD_005', params: { request_id: 'PR-1' } })
  }
  t.match((await call('GET', '/v1/orders?status=cancelled&ordering=-refunded_amount')).json(), { length: 2 })
})
