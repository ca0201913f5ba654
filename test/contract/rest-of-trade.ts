// What fills the documented properties of orders, holds, supplies and payments that no valid request by itself does.
import { createHmac, randomUUID } from 'node:crypto'
import type { TestApp } from '../support/app.js'
import { status, type Receiver } from '../support/receiver.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { holdOf, madeBy, mailTemplateOf, NEVER, newOrder, type Hear, type Tenant } from './tenant.js'

/** Told as deeds: their answers are not what was given. */
const deeds = (hear: Hear): Hear => (method, url, _payload, status, body) => { hear(method, url, undefined, status, body) }

/** A session that asks twice for its hold, is paid, and is renewed. */
async function holdAndRenew (tenant: Tenant, hear: Hear): Promise<void> {
  const { name, call, product_ref } = tenant
  const [byVendor, byVendorAsDeed] = [madeBy(call, hear), madeBy(call, deeds(hear))]
  const session = { ...holdOf(product_ref), external_id: `${name}-session` }
  const hold = await byVendor('POST', '/v1/holds', session)
  await byVendor('POST', '/v1/holds', session)
  const order = (external_id: string, more: object): Promise<Json> => byVendorAsDeed('POST', '/v1/orders', { ...newOrder(tenant, `${name}-${external_id}`), ...more })
  await order('held', { line_items: [{ product: product_ref, quantity: 1 }], hold_id: hold['id'] })
  await byVendor('GET', `/v1/holds/${hold['id'] as string}`)
  await byVendor('GET', '/v1/holds?status=committed')
  const product = await byVendor('POST', '/v1/products', { name, on_renewal: 'keep', mail_template: mailTemplateOf(name) })
  const pool = await byVendor('POST', '/v1/pools', { name, product_ids: [product['id']] })
  await byVendor('POST', `/v1/pools/${pool['id'] as string}/licenses`, `${name}-KEPT`)
  const line = { product: product['id'], quantity: 1, period: 'P1Y' }
  const first = await order('first', { line_items: [line] })
  await order('next', { line_items: [line], parent: first['id'] })
  await byVendor('GET', '/v1/orders')
}

/** A demand that an emulator has met. */
async function supply ({ name, call }: Tenant, hear: Hear): Promise<void> {
  const byVendor = madeBy(call, hear)
  const product = await byVendor('POST', '/v1/products', { name, external_ids: [`${name}-emulated`], mail_template: mailTemplateOf(name) })
  await byVendor('PUT', `/v1/products/${product['id'] as string}/supplies`, [{ type: 'emulator', behaviour: 'succeed' }])
  await byVendor('POST', '/v1/pools', { name, product_ids: [product['id']], mode: 'test' })
  const order = await byVendor('POST', '/v1/orders', { ...newOrder({ name, product_ref: `${name}-emulated` }, `${name}-emulated`), mode: 'test' })
  await until('the emulator to answer', async () => {
    const demands = await byVendor('GET', `/v1/supply-orders?order_id=${order['id'] as string}`) as unknown as Json[]
    return demands.length > 0 && demands.every((demand) => demand['status'] === 'done')
  })
}

/** An event that its checkout, asked for what it does not carry, has no answer to; secrets of which one is over soon; what is kept of an order that failed. */
async function receive (service: TestApp, { name, ids, call }: Tenant, hook: Receiver, hear: Hear): Promise<void> {
  const [byVendor, byVendorAsDeed] = [madeBy(call, hear), madeBy(call, deeds(hear))]
  hook.answer = status(503)
  const [secret, newer] = [1, 2].map(() => `pdl_ntfset_${randomUUID()}`) as [string, string]
  const source = await byVendorAsDeed('POST', '/v1/payment-sources', { kind: 'paddle', name, secret, api_key: `${name}-api-key`, api_url: hook.url.replace('/hook', '') })
  const url = `/v1/payment-sources/${source['id'] as string}`
  const data = { id: `${name}-paid`, customer_id: 'ctm_1', currency_code: 'EUR', items: [], details: { totals: { total: '4900', grand_total: '4900' }, line_items: [{ id: 'txnitm_1', price_id: 'pri_1', quantity: 1 }] } }
  const body = JSON.stringify({ event_id: randomUUID(), event_type: 'transaction.completed', occurred_at: '2026-01-31T10:15:00Z', data })
  const ts = String(Math.floor(Date.now() / 1000))
  const signature = `ts=${ts};h1=${createHmac('sha256', secret).update(`${ts}:${body}`).digest('hex')}`
  const answer = await service.app.inject({ method: 'POST', url: `/v1/payments/${source['id'] as string}`, headers: { 'content-type': 'application/json', 'paddle-signature': signature }, payload: body })
  hear('POST', `/v1/payments/${source['id'] as string}`, undefined, answer.statusCode, answer.json())
  await byVendor('GET', `/v1/payment-events/${answer.json<Json>()['id'] as string}`)
  await byVendorAsDeed('POST', `${url}/secrets`, { secret: newer, expires_others_in_s: 3600 })
  await byVendor('GET', `${url}/secrets`)
  await byVendorAsDeed('POST', '/v1/payment-events/replay', { ...NEVER, status: 'failed', type: 'order.paid' })
  await byVendor('POST', `/v1/payment-sources/${ids['payment-sources'] ?? ''}/reconcile`, { external_ids: [`${name}-3`] })
}

/** Does all of that; the worker runs. `${name}-3` is an order that failed. */
export async function fillTheTrade (service: TestApp, tenant: Tenant, hook: Receiver, hear: Hear): Promise<void> {
  await holdAndRenew(tenant, hear)
  await supply(tenant, hear)
  await receive(service, tenant, hook, hear)
}
