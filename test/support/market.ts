// A vendor whose product a provider may request, made over the API as a newcomer would.
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { testAccount, type TestAccount } from './app.js'
import type { Json } from './sdk.js'
import { callsOf, type Call } from './vendor.js'

/** Calls, and returns the body. @throws Error with the body of what is no 2xx */
export type Ask = (method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object | string) => Promise<Json>

export function askOf (call: Call): Ask {
  return async (method, url, payload) => {
    const { statusCode, body } = await call(method, url, payload)
    if (statusCode >= 300) throw new Error(`${method} ${url} ${statusCode} ${body}`)
    return body === '' ? {} : JSON.parse(body) as Json
  }
}

export interface Market {
  vendor: TestAccount
  provider: TestAccount
  /** the vendor's and the provider's calls */
  byVendor: Ask
  byProvider: Ask
  hub_id: string
  marketplace_id: string
  contract_id: string
  product_id: string
  item_id: string
  /** PRM ids by name: admin_email (ordering), license_key (fulfillment, required) */
  parameters: Record<string, string>
  connection_id: string
  test_connection_id: string
}

export interface MarketOptions {
  vendor?: TestAccount
  provider?: TestAccount
  product?: object
  /** in place of what license_key is */
  license_key?: object
}

export async function makeMarket ({ app, db }: { app: FastifyInstance, db: Kysely<Database> }, options: MarketOptions = {}): Promise<Market> {
  const vendor = options.vendor ?? await testAccount(db, 'vendor')
  const provider = options.provider ?? await testAccount(db, 'provider')
  const byVendor = askOf(callsOf(app, vendor))
  const byProvider = askOf(callsOf(app, provider))
  const hub = await byProvider('POST', '/v1/hubs', { name: 'Hub' })
  const marketplace = await byProvider('POST', '/v1/marketplaces', { name: 'Marketplace', hub: { id: hub.id } })
  const product = await byVendor('POST', '/v1/products', { name: 'Front Street Pro', ...options.product })
  const item = await byVendor('POST', `/v1/products/${product.id}/items`, { name: 'Seat', mpn: 'SEAT-1', period: 'monthly' })
  const parameters: Record<string, string> = {}
  for (const parameter of [
    { name: 'admin_email', title: 'Admin e-mail', type: 'email', scope: 'asset', phase: 'ordering', constraints: { required: true } },
    { name: 'license_key', title: 'License key', type: 'text', scope: 'asset', phase: 'fulfillment', constraints: { required: true }, secret: true, ...options.license_key },
  ]) parameters[parameter.name] = (await byVendor('POST', `/v1/products/${product.id}/parameters`, parameter)).id
  const contract = await byVendor('POST', '/v1/contracts', { name: 'Contract', marketplace: { id: marketplace.id }, provider: { id: provider.account_id } })
  await byVendor('POST', '/v1/listings', { product: { id: product.id }, contract: { id: contract.id } })
  const connect = async (type: string): Promise<string> =>
    (await byVendor('POST', `/v1/products/${product.id}/connections`, { type, provider: { id: provider.account_id }, hub: { id: hub.id } })).id
  return {
    vendor,
    provider,
    byVendor,
    byProvider,
    hub_id: hub.id,
    marketplace_id: marketplace.id,
    contract_id: contract.id,
    product_id: product.id,
    item_id: item.id,
    parameters,
    connection_id: await connect('production'),
    test_connection_id: await connect('test'),
  }
}

/** A customer or reseller given in full. */
export function tierOf (name: string, other: object = {}): Json {
  return {
    external_uid: randomUUID(),
    name,
    tax_id: 'GB999 9999 73',
    contact_info: {
      address_line1: '12 St James Square',
      city: 'London',
      postal_code: 'SW1Y 4JH',
      country: 'GB',
      contact: {
        first_name: 'Ada', last_name: 'Lovelace', email: 'ada@example.com', phone_number: { country_code: '+44', area_code: '20', phone_number: '79460000', extension: '' },
      },
    },
    ...other,
  }
}

/** A purchase of one seat, as a provider sends it; `asset` replaces members of the asset. */
export function purchaseOf ({ connection_id, item_id }: Pick<Market, 'connection_id' | 'item_id'>, { asset = {}, ...other }: { asset?: object } & Record<string, unknown> = {}): Json {
  return {
    type: 'purchase',
    asset: {
      external_id: randomUUID().slice(0, 8),
      external_uid: randomUUID(),
      connection: { id: connection_id },
      items: [{ id: item_id, quantity: 1 }],
      params: [{ id: 'admin_email', value: 'admin@example.com' }],
      tiers: { customer: tierOf('Analytical Engines'), tier1: tierOf('Reseller One') },
      ...asset,
    },
    ...other,
  }
}
