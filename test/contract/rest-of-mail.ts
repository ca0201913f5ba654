// What fills the documented properties of mails, the order page, expiry and erasures that no valid request by itself does.
import type { TestApp } from '../support/app.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { madeBy, mailTemplateOf, newOrder, signed, type Hear, type Tenant } from './tenant.js'

/** Told as deeds: their answers are not what was given. */
const deeds = (hear: Hear): Hear => (method, url, _payload, status, body) => { hear(method, url, undefined, status, body) }

/** A product that says all that it can, with a license that expires. Returns an order of it that was mailed. */
async function sell (tenant: Tenant, hear: Hear): Promise<Json> {
  const { name, call } = tenant
  const [byVendor, byVendorAsDeed] = [madeBy(call, hear), madeBy(call, deeds(hear))]
  await byVendor('PUT', '/v1/mail-settings', { from: { name, address: `${name.toLowerCase()}@example.com` }, bcc: `copies-${name.toLowerCase()}@example.com` })
  const product = await byVendor('POST', '/v1/products', {
    name, family_name: name, url_to_instructions: 'https://example.com/start', url_to_download: 'https://example.com/download', order_page: 'show', mail_template: mailTemplateOf(name),
  })
  const url = `/v1/products/${product['id'] as string}`
  await byVendor('GET', `${url}/mail-versions`)
  await byVendorAsDeed('POST', `${url}/templates/preview`, { mail_template: { subject: name, text: '{KEYY}' } })
  const pool = await byVendor('POST', '/v1/pools', { name, product_ids: [product['id']] })
  await byVendor('POST', `/v1/pools/${pool['id'] as string}/licenses?expires_at=2999-12-31`, `${name}-EXPIRES`)
  const order = await byVendorAsDeed('POST', '/v1/orders', { ...newOrder(tenant, `${name}-dated`), line_items: [{ product: product['id'], quantity: 1 }] })
  await until('the mail to be sent', async () => (await byVendor('GET', `/v1/deliveries?order_id=${order['id'] as string}`) as unknown as Json[])[0]?.['status'] === 'sent')
  return order
}

/** Its mail comes back, is sent again to a corrected address, and the customer opens the page, whose keys are shown at once. */
async function mailAgain (service: TestApp, { name, call }: Tenant, order: Json, hear: Hear): Promise<void> {
  const [byVendor, byVendorAsDeed] = [madeBy(call, hear), madeBy(call, deeds(hear))]
  const url = `/v1/orders/${order['id'] as string}`
  const delivery_id = order['deliveries'][0].id as string
  await byVendorAsDeed('POST', '/v1/deliveries/bounces', { delivery_id, action: 'failed', status: '5.1.1', diagnostic: '550 5.1.1 no such user' })
  await byVendor('GET', `/v1/deliveries/${delivery_id}`)
  await byVendorAsDeed('POST', `${url}/resend`, { to: `${name.toLowerCase()}@example.org` })
  await byVendor('GET', '/v1/orders?limit=1000')
  const license = order['line_items'][0].licenses[0].id as string
  await byVendor('POST', `/v1/licenses/${license}/reveal`)
  await byVendor('GET', `/v1/licenses/${license}`)
  const { token } = await byVendor('POST', `${url}/page-link`)
  const page = await service.app.inject({ method: 'GET', url: '/v1/order-page', headers: { 'order-token': token } })
  hear('GET', '/v1/order-page', undefined, page.statusCode, page.json())
}

/** Orders that are known, from supplies, and of a product whose kept words were good once. */
async function simulate ({ db }: TestApp, tenant: Tenant, hear: Hear): Promise<void> {
  const { name, call } = tenant
  const [byVendor, byVendorAsDeed] = [madeBy(call, hear), madeBy(call, deeds(hear))]
  await byVendorAsDeed('POST', '/v1/orders/simulate', newOrder(tenant, `${name}-dated`))
  await byVendorAsDeed('POST', '/v1/orders/simulate', { ...newOrder({ name, product_ref: `${name}-emulated` }, `${name}-simulated`), mode: 'test' })
  const product = await byVendor('POST', '/v1/products', { name, mail_template: mailTemplateOf(name) })
  await db.updateTable('mail_words').set({ words: JSON.stringify({ name, mail_template: { subject: name, text: '{KEYY}' }, locales: {} }) }).where('product_id', '=', product['id']).execute()
  await byVendor('POST', '/v1/pools', { name, product_ids: [product['id']] })
  await byVendorAsDeed('POST', '/v1/orders/simulate', { ...newOrder(tenant, `${name}-faulty`), line_items: [{ product: product['id'], quantity: 1 }] })
}

/** A customer of a checkout who is forgotten, but for what was paid and could not become an order. */
async function forget (service: TestApp, tenant: Tenant, hear: Hear): Promise<void> {
  const { name, call } = tenant
  const [byVendor, byVendorAsDeed] = [madeBy(call, hear), madeBy(call, deeds(hear))]
  const email = `${name.toLowerCase()}-gone@example.com`
  const paid = await service.app.inject(signed(tenant, { type: 'order.paid', data: { ...newOrder(tenant, `${name}-gone`), customer: { email } } }))
  const { id: event_id, order_id } = paid.json<Json>()
  await service.app.inject(signed(tenant, { type: 'order.paid', data: { ...newOrder(tenant, `${name}-failed`), customer: { email }, line_items: [{ product: 'unknown', quantity: 1 }] } }))
  await until('the mail to be sent', async () => (await byVendor('GET', `/v1/deliveries?order_id=${order_id as string}`) as unknown as Json[])[0]?.['status'] === 'sent')
  const { id } = await byVendorAsDeed('POST', '/v1/erasures', { email, reason: name })
  await until('the erasure to be done', async () => (await byVendor('GET', `/v1/erasures/${id as string}`))['status'] === 'done')
  await byVendor('GET', `/v1/orders/${order_id as string}`)
  await byVendor('GET', '/v1/orders?limit=1000')
  await byVendor('GET', `/v1/payment-events/${event_id as string}`)
}

/** Does all of that; the worker runs. */
export async function fillTheMail (service: TestApp, tenant: Tenant, hear: Hear): Promise<void> {
  const order = await sell(tenant, hear)
  await mailAgain(service, tenant, order, hear)
  await simulate(service, tenant, hear)
  await forget(service, tenant, hear)
  const webhook = { label: tenant.name, object_class: 'order', event_types: ['order.paid'], external_url: 'https://hooks.example.com/orders', active: false }
  await madeBy(tenant.call, hear)('POST', '/v1/notifications/webhooks', webhook)
  await madeBy(tenant.call, hear)('GET', '/v1/notifications/webhooks?limit=1000')
}
