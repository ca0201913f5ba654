// What fills the documented properties that no valid request by itself does.
import { sql } from 'kysely'
import type { TestApp } from '../support/app.js'
import type { Receiver } from '../support/receiver.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { fillTheMail } from './rest-of-mail.js'
import { fillTheTrade } from './rest-of-trade.js'
import { freshForm, newPurchase, newTierAccount, saleOf } from './sale.js'
import { madeBy, mailTemplateOf, type Hear, type Tenant } from './tenant.js'

/** Values of every scope, of a simple and of a structured type. */
async function configure ({ name, ids, call }: Tenant, hear: Hear): Promise<void> {
  const url = `/v1/products/${ids['products'] ?? ''}`
  const byVendor = madeBy(call, hear)
  const [item, marketplace] = [{ id: ids['products/items'] }, { id: ids['marketplaces'] }]
  for (const [scope, type, where] of [['product', 'text', {}], ['item', 'object', { item }], ['item', 'text', { item }], ['marketplace', 'object', { marketplace }]] as const) {
    const parameter = await byVendor('POST', `${url}/parameters`, { name: `${scope}_${type}`, title: name, type, scope, phase: 'configuration' })
    await byVendor('POST', `${url}/configurations`, { parameter: { id: parameter['id'] }, ...where, ...(type === 'text' ? { value: name } : { structured_value: { name } }) })
  }
}

/** A purchase that waits for stock of a pool, and one that gets it. */
async function sellFromPool (tenant: Tenant, hear: Hear): Promise<void> {
  const { name, ids, call, provider } = tenant
  const [byVendor, byProvider] = [madeBy(call, hear), madeBy(provider.call, hear)]
  const product = { id: (await byVendor('POST', '/v1/products', { name })).id }
  const url = `/v1/products/${product.id as string}`
  const pool = async (mode: string): Promise<string> => (await byVendor('POST', '/v1/pools', { name, product_ids: [product.id], mode })).id
  const [pool_id, test_pool_id] = [await pool('live'), await pool('test')]
  const item = await byVendor('POST', `${url}/items`, { name })
  await byVendor('POST', `${url}/parameters`, { name: 'license_key', phase: 'fulfillment', constraints: { required: true }, pool_id, test_pool_id })
  await byVendor('POST', '/v1/listings', { product, contract: { id: ids['contracts'] } })
  const connection = await byVendor('POST', `${url}/connections`, { type: 'production', provider: { id: provider.account_id } })
  const body = newPurchase(tenant, ++tenant.made)
  const asset = { ...body['asset'], params: [], items: [{ id: item['id'], quantity: 1 }], connection: { id: connection['id'] } }
  const request = await byProvider('POST', '/v1/requests', { ...body, asset })
  await byVendor('GET', `/v1/requests/${request['id'] as string}`)
}

/** A batch that is recalled: one of its licenses was revoked before, one is replaced. */
async function recall ({ name, call }: Tenant, hear: Hear): Promise<void> {
  const byVendor = madeBy(call, hear)
  const product = await byVendor('POST', '/v1/products', { name, mail_template: mailTemplateOf(name) })
  const pool = await byVendor('POST', '/v1/pools', { name, product_ids: [product['id']] })
  const load = async (...keys: string[]): Promise<Json> => byVendor('POST', `/v1/pools/${pool['id'] as string}/licenses`, keys.map((key) => `${name}-${key}`).join('\n'))
  const batch = await load('BAD-1', 'BAD-2')
  const order = await byVendor('POST', '/v1/orders', {
    external_id: `${name}-recalled`, currency: 'EUR', customer: { email: `${name.toLowerCase()}@example.com` }, line_items: [{ product: product['id'], quantity: 2 }],
  })
  await byVendor('POST', `/v1/licenses/${order['line_items'][0].licenses[0].id as string}/revoke`, { reason: name })
  await load('GOOD-1')
  const url = `/v1/batches/${batch['batch_id'] as string}/recall`
  await byVendor('POST', url, { reason: name, dry_run: true })
  const { id } = await byVendor('POST', url, { reason: name })
  await until('the recall to be done', async () => (await byVendor('GET', `/v1/recalls/${id as string}`))['status'] === 'done')
  const items = await byVendor('GET', `/v1/recalls/${id as string}/items`) as unknown as Json[]
  for (const item of items) if (item['replaced_by'] !== null) await byVendor('GET', `/v1/licenses/${item['replaced_by'] as string}`)
  await byVendor('GET', `/v1/orders/${order['id'] as string}`)
}

/** A pool that runs low, told to one who hears of it and to one who will later; and what of it is over. */
async function alert (service: TestApp, { name, call }: Tenant, hear: Hear): Promise<void> {
  const byVendor = madeBy(call, hear)
  await byVendor('PUT', '/v1/alert-settings', { addresses: [`${name.toLowerCase()}@example.com`, 'later@example.com'], muted: [] })
  await byVendor('POST', '/v1/pools', { name, currency: 'CHF', low_stock_threshold: 5 })
  const [pool] = await byVendor('GET', '/v1/pools?currency=CHF') as unknown as Json[]
  await byVendor('POST', `/v1/pools/${pool?.['id'] as string}/licenses`, `${name}-LOW`)
  const [told] = await until('the alert to be mailed', async () => {
    const { rows } = await sql`select from alert_mails m join alerts a on a.account_id = m.account_id and a.mailing_id = m.mailing_id
      where a.kind = 'pool.low' and a.subject_id = ${pool?.['id']} and m.attempts > 0 and m.status in ('sent', 'planned')`.execute(service.db)
    return rows.length === 2 && await byVendor('GET', `/v1/alerts?kind=pool.low&subject_id=${pool?.['id'] as string}`) as unknown as Json[]
  })
  await byVendor('GET', `/v1/alerts/${told?.['id'] as string}`)
  await byVendor('POST', `/v1/pools/${pool?.['id'] as string}/licenses`, [1, 2, 3, 4].map((n) => `${name}-ENOUGH-${n}`).join('\n'))
  await until('the alert to be over', async () => (await byVendor('GET', `/v1/alerts/${told?.['id'] as string}`))['cleared_at'] !== null)
  await byVendor('GET', '/v1/alerts?not(null(cleared_at,true))')
  await byVendor('POST', '/v1/pools', { name, currency: 'SEK', low_stock_percents: [50], low_stock_days: 7 })
  await byVendor('GET', '/v1/pools?currency=SEK')
}

/** Resellers of two levels, asked for by a purchase. */
async function sellThroughResellers (tenant: Tenant, hear: Hear): Promise<void> {
  const { ids, call, provider } = tenant
  const [byVendor, byProvider] = [madeBy(call, hear), madeBy(provider.call, hear)]
  await byVendor('PUT', `/v1/products/${ids['products'] ?? ''}`, { capabilities: { tiers: { configs: { level: 2 }, updates: true } } })
  await byVendor('POST', `/v1/products/${ids['products'] ?? ''}/parameters`, { name: 'territory', phase: 'fulfillment', scope: 'tier2' })
  const account = async (other: object): Promise<string> => (await byProvider('POST', '/v1/tier/accounts', { ...newTierAccount(tenant, ++tenant.made, 'reseller'), ...other })).id
  const tier2 = await account({})
  const tier1 = await account({ parent: { id: tier2 } })
  await byProvider('GET', `/v1/tier/accounts/${tier1}`)
  const body = newPurchase(tenant, ++tenant.made)
  await byProvider('POST', '/v1/requests', { ...body, asset: { ...body['asset'], tiers: { customer: { id: ids['customer'] }, tier1: { id: tier1 }, tier2: { id: tier2 } } } })
  for (const url of ['/v1/tier/config-requests', '/v1/tier/configs']) await byVendor('GET', `${url}?limit=1000`)
}

/** Webhooks whose receiver thanks, fails and is gone. */
async function callWebhooks (service: TestApp, { name, ids, call }: Tenant, hook: Receiver, hear: Hear): Promise<void> {
  const byVendor = madeBy(call, hear)
  const statuses = { '/thanks': 200, '/fails': 500, '/gone': 410 } as Record<string, number>
  hook.answer = ({ path }, response) => { response.writeHead(statuses[path] ?? 404).end('an answer') }
  const url = '/v1/notifications/webhooks'
  const webhooks: string[] = []
  for (const path of Object.keys(statuses)) {
    const where = { label: name, object_class: 'fulfillment_request', product_id: ids['products'], external_url: `${hook.url.replace('/hook', '')}${path}`, active: true }
    for (const more of [{ jwt_secret: name }, { type: 'change' }]) webhooks.push((await byVendor('POST', url, { ...where, ...more })).id)
  }
  for (const id of webhooks) await byVendor('POST', `${url}/${id}/trigger`)
  await until('every webhook to be tried', async () => {
    const tried = await service.db.selectFrom('webhook_attempts as a').innerJoin('webhook_messages as m', 'm.id', 'a.message_id').select('m.webhook_id').distinct()
      .where('a.outcome', 'is not', null).where('m.webhook_id', 'in', webhooks).execute()
    return tried.length === webhooks.length
  })
  for (const id of webhooks) {
    await byVendor('GET', `${url}/${id}`)
    const messages = await byVendor('GET', `${url}/${id}/messages`) as unknown as Array<{ id: string }>
    for (const message of messages) await byVendor('GET', `${url}/${id}/messages/${message.id}`)
  }
}

/** Does all of that; the worker runs. */
export async function fillTheRest (service: TestApp, tenant: Tenant, hook: Receiver, hear: Hear): Promise<void> {
  const { ids, call, provider } = tenant
  const [byVendor, byProvider] = [madeBy(call, hear), madeBy(provider.call, hear)]
  await configure(tenant, hear)
  await byVendor('POST', '/v1/api-keys', { name: tenant.name, email: 'ada@example.com', permissions: ['events:read'] })
  await byVendor('PUT', `/v1/requests/${ids['requests'] ?? ''}`, { asset: { params: [{ id: 'contact', structured_error: { area_code: saleOf(tenant) } }] } })
  await byProvider('POST', '/v1/requests', { type: 'suspend', asset: { id: ids['assets'] } })
  await byVendor('GET', `/v1/assets/${ids['assets'] ?? ''}?select(pending_request,pending_request.template,template,product.capabilities)`)
  await byVendor('GET', `/v1/subscriptions/assets/${ids['assets'] ?? ''}?select(product.capabilities)`)
  for (const verb of ['pend', 'form']) {
    const { id, query } = await freshForm(tenant, hear)
    const answer = await service.app.inject({ method: 'POST', url: `/v1/requests/${id}/${verb}${query}`, headers: { accept: verb === 'form' ? 'text/html' : '*/*' } })
    hear('POST', `/v1/requests/${id}/${verb}`, undefined, answer.statusCode, undefined)
  }
  await sellFromPool(tenant, hear)
  await recall(tenant, hear)
  await sellThroughResellers(tenant, hear)
  await fillTheTrade(service, tenant, hook, hear)
  await fillTheMail(service, tenant, hear)
  await alert(service, tenant, hear)
  await callWebhooks(service, tenant, hook, hear)
}
