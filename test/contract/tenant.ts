// A vendor that has one of everything, sold by a provider that has one of everything.
import type { InjectOptions } from 'fastify'
import { sql } from 'kysely'
import { createApiKey } from '../../src/accounts/create-api-key.js'
import { PERMISSIONS, type Permission } from '../../src/accounts/permissions.js'
import { raiseAlerts, type NewAlert } from '../../src/alerts/raise.js'
import { inTransaction } from '../../src/database/transaction.js'
import { workOnRecall } from '../../src/recalls/work.js'
import { testAccount, type TestAccount, type TestApp } from '../support/app.js'
import type { Json } from '../support/sdk.js'
import { callsOf, keys, orderOf, type Call } from '../support/vendor.js'
import { messageOf } from '../support/webhooks.js'
import type { Operation } from './document.js'
import { makeSale } from './sale.js'

/** The vendor; its provider beside it. */
export interface Tenant extends TestAccount {
  /** in every text of the vendor's that an answer could show; those of the provider's have `nameSHOP`, those of what is between the two `nameSALE` */
  name: string
  call: Call
  provider: TestAccount & { call: Call }
  /** one of each, by the path that it is found under, without /v1 and ids: `tier/accounts` */
  ids: Record<string, string>
  /** the way into the inquiry form of the request */
  form_code: string
  product_ref: string
  source_secret: string
  /** licenses in stock, for withdrawals */
  in_stock: string[]
  /** how many requests were made for it: makes names new */
  made: number
}

export type ValidRequest = Omit<InjectOptions, 'method' | 'url' | 'headers'> & { method: Operation['method'], url: string, headers: Record<string, string> }

/** What every table holds, as one text. */
export async function contents ({ db }: TestApp): Promise<string> {
  const { rows: tables } = await sql<{ name: string }>`select table_name as name from information_schema.tables where table_schema = 'public' order by 1`.execute(db)
  const digests = tables.map(({ name }) => sql`select ${sql.lit(name)} as name, md5(coalesce(string_agg(r::text, E'\n' order by r::text), '')) as digest from ${sql.table(name)} r`)
  return JSON.stringify((await sql`${sql.join(digests, sql` union all `)} order by name`.execute(db)).rows, null, 1)
}

/** Another key of an account. @returns the value of its Authorization header */
export async function keyOf ({ db }: Pick<TestApp, 'db'>, account_id: string, permissions: readonly Permission[]): Promise<string> {
  const { id, secret } = await inTransaction(db, (trx) => createApiKey(trx, { account_id, name: 'test', permissions }, null))
  return `ApiKey ${id}:${secret}`
}

export const mailTemplateOf = (name: string) => ({ subject: `${name} {PROGRAM_NAME}`, text: `${name}: {KEY}`, html: `<p>${name}: {KEY}</p>` })
const customerOf = (name: string) => ({
  email: `${name.toLowerCase()}@example.com`, first_name: name, last_name: 'Lovelace', company: 'Engines', phone: '+44 20', country: 'GB', city: 'London', zip: 'EC1A', address: '12 Street',
})

/** An order of the tenant's with every field that an order can have. */
export function newOrder ({ name, product_ref }: Pick<Tenant, 'name' | 'product_ref'>, external_id: string): Record<string, unknown> {
  return orderOf(external_id, {
    locale: 'de_DE', mode: 'live', paid_at: '2026-01-31T10:15:00.000Z', total_amount: 9800, additional_info: name, licensee: { name, email: `${name.toLowerCase()}@example.com`, phone: '+44 21', company: name }, customer: customerOf(name), line_items: [{ external_id: `${name}-line`, product: product_ref, quantity: 2, unit_amount: 4900 }],
  })
}

/** A range of time in which nothing was received. */
export const NEVER = { received_from: '2999-01-01T00:00:00.000Z', received_to: '2999-01-02T00:00:00.000Z' }

/** One license of a product. */
export const holdOf = (product: string) => ({ currency: 'EUR', line_items: [{ product, quantity: 1 }], expires_in_s: 3600 })

/** A signed webhook of an order to the tenant's payment source. */
export function signed ({ source_secret, ids }: Tenant, payload: string | Buffer | object): ValidRequest {
  const { headers, body } = messageOf(source_secret, typeof payload === 'string' || payload instanceof Buffer ? payload : JSON.stringify(payload))
  const named = Object.fromEntries(Array.from({ length: headers.length / 2 }, (_, i) => [headers[2 * i] as string, headers[2 * i + 1] as string]))
  return { method: 'POST', url: `/v1/payments/${ids['payments'] ?? ''}`, headers: named, payload: body }
}

export type Hear = (method: string, url: string, payload: unknown, status: number, body: unknown) => void
/** Calls, and returns the body of a 2xx. */
export type Made = (method: 'GET' | 'POST' | 'PUT', url: string, payload?: object | string) => Promise<Json>

/** Calls of an account that must succeed; `hear` is told the answers. */
export function madeBy (call: Call, hear: Hear = () => {}): Made {
  return async (method, url, payload) => {
    const answer = await call(method, url, payload)
    const body = answer.body === '' ? undefined : answer.json<Json>()
    hear(method, url, payload, answer.statusCode, body)
    if (answer.statusCode >= 300) throw new Error(`${method} ${url} ${JSON.stringify(payload)} ${answer.statusCode} ${answer.body}`)
    return body ?? {}
  }
}

/** A product that nobody has in stock, and an order for which its vendor's service is to be called. */
async function makeSupplyOrder (made: Made, { name, product_ref }: { name: string, product_ref: string }): Promise<string> {
  const { id } = await made('POST', '/v1/products', { name, external_ids: [`${product_ref}-made`], mail_template: mailTemplateOf(name) })
  await made('PUT', `/v1/products/${id}/supplies`, [{ type: 'web_service', url: `https://${name}.example.com/keys` }])
  await made('POST', '/v1/pools', { name, product_ids: [id], currency: 'EUR' })
  await made('POST', '/v1/orders', { ...newOrder({ name, product_ref: `${product_ref}-made` }, `${name}-made`), mode: 'live' })
  return (await made('GET', '/v1/supply-orders') as unknown as Array<{ id: string }>)[0]?.id as string
}

/** A recall of a batch of its own that has only begun, unless a worker is quick. */
export async function freshRecall (byVendor: Made, name: string): Promise<string> {
  const product = await byVendor('POST', '/v1/products', { name, mail_template: mailTemplateOf(name) })
  const pool = await byVendor('POST', '/v1/pools', { name, product_ids: [product['id']] })
  const batch = await byVendor('POST', `/v1/pools/${pool['id'] as string}/licenses`, `${name}-RECALLED-${pool['id'] as string}`)
  return (await byVendor('POST', `/v1/batches/${batch['batch_id'] as string}/recall`, { reason: name }))['id']
}

/** Makes the tenant over the API. `hear` is told every answer on the way. */
export async function makeTenant (service: TestApp, name: string, hear: Hear = () => {}): Promise<Tenant> {
  const account = await testAccount(service.db, 'vendor', PERMISSIONS)
  const provider = await testAccount(service.db, 'provider', PERMISSIONS)
  const call = callsOf(service.app, account)
  const made = madeBy(call, hear)
  const product_ref = `sku-${name}`
  const product = await made('POST', '/v1/products', { name, external_ids: [product_ref], mail_template: mailTemplateOf(name), locales: { de: { name, mail_template: mailTemplateOf(name) } } })
  const pool = await made('POST', '/v1/pools', { name, product_ids: [product.id], currency: 'EUR', mode: 'live', quantity_rule: 'unit', on_shortage: 'fail', low_stock_threshold: 3 })
  const lines = keys(400, `${name}-KEY`)
  const batch = await made('POST', `/v1/pools/${pool.id}/licenses?source=${name}.txt`, [...lines, lines[0], 'a\u0001b'].join('\n'))
  const order = await made('POST', '/v1/orders', newOrder({ name, product_ref }, `${name}-1`))
  const hold = await made('POST', '/v1/holds', { ...holdOf(product_ref), external_id: name })
  const source = await made('POST', '/v1/payment-sources', { kind: 'standard-webhooks', name, mode: 'live' })
  const key = await made('POST', '/v1/api-keys', { name, permissions: ['events:read'], expires_at: '2999-01-01T00:00:00+00:00' })
  const stock = await made('GET', `/v1/pools/${pool.id}/licenses?state=available&limit=300`) as unknown as Array<{ id: string }>
  const ids = {
    accounts: account.account_id, 'api-keys': key.id, products: product.id, pools: pool.id, orders: order.id, holds: hold.id, payments: source.id, 'payment-sources': source.id, batches: batch['batch_id'], licenses: '', deliveries: '', events: '', 'payment-events': '',
  } as Record<string, string>
  ids['recalls'] = await freshRecall(made, name)
  await inTransaction(service.db, (trx) => workOnRecall(trx, { account_id: account.account_id, id: ids['recalls'] as string })) // what it did about a license is in its items
  ids['recalls/items'] = (await made('GET', `/v1/recalls/${ids['recalls']}/items`))[0]['license_id']
  const tenant: Tenant = { ...account, name, call, ids, product_ref, source_secret: source['secret'], in_stock: stock.map(({ id }) => id), made: 1, provider: { ...provider, call: callsOf(service.app, provider) }, form_code: '' }
  ids['licenses'] = tenant.in_stock.pop() as string
  const event = await service.app.inject(signed(tenant, { type: 'order.paid', data: newOrder(tenant, `${name}-2`) }))
  hear('POST', signed(tenant, '').url, undefined, event.statusCode, event.json())
  ids['payment-events'] = event.json<{ id: string }>().id
  ids['payment-replays'] = (await made('POST', '/v1/payment-events/replay', { source_id: source.id, ...NEVER })).id
  ids['payment-sources/secrets'] = (await made('GET', `/v1/payment-sources/${source.id}/secrets`) as unknown as Array<{ id: string }>)[0]?.id as string
  ids['deliveries'] = (await made('GET', '/v1/deliveries') as unknown as Array<{ id: string }>)[0]?.id as string
  ids['erasures'] = (await made('POST', '/v1/erasures', { email: `${name}-nobody@example.com`, reason: name })).id
  ids['supply-orders'] = await makeSupplyOrder(made, { name, product_ref })
  const warned: NewAlert = { account_id: account.account_id, kind: 'pool.low', subject_id: pool.id, topic: pool.id, data: { name, mode: 'live', available: 1, threshold: 3 } }
  await inTransaction(service.db, (trx) => raiseAlerts(trx, [warned]))
  ids['alerts'] = (await made('GET', '/v1/alerts') as unknown as Array<{ id: string }>)[0]?.id as string
  ids['events'] = (await made('GET', '/v1/events') as unknown as Array<{ id: string }>)[0]?.id as string
  await makeSale(tenant, hear)
  await madeBy(tenant.provider.call, hear)('POST', '/v1/erasures', { email: `${name}-nobody@example.com`, reason: `${name}SHOP` })
  return tenant
}

export const withKey = (authorization: string) => (request: ValidRequest): ValidRequest => ({ ...request, headers: { ...request.headers, authorization } })
