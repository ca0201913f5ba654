// A vendor's product on a provider's marketplace, made over the API.
import type { LightMyRequestResponse } from 'fastify'
import { testAccount, type TestAccount, type TestApp } from '../support/app.js'
import { callsOf, makeProduct, type Call } from '../support/vendor.js'

export interface Shelf {
  vendor: TestAccount
  provider: TestAccount
  byVendor: Call
  byProvider: Call
  hub_id: string
  marketplace_id: string
  product_id: string
  contract_id: string
  listing_id: string
  connection_id: string
}

/** The id in a 2xx. @throws Error with the body of anything else */
export async function idOf (answer: Promise<LightMyRequestResponse>): Promise<string> {
  const { statusCode, body, json } = await answer
  if (statusCode >= 300) throw new Error(`${statusCode} ${body}`)
  return json<{ id: string }>().id
}

export async function makeShelf ({ app, db }: Pick<TestApp, 'app' | 'db'>): Promise<Shelf> {
  const [vendor, provider] = [await testAccount(db, 'vendor'), await testAccount(db, 'provider')]
  const [byVendor, byProvider] = [callsOf(app, vendor), callsOf(app, provider)]
  const hub_id = await idOf(byProvider('POST', '/v1/hubs', { name: 'Hub' }))
  const marketplace_id = await idOf(byProvider('POST', '/v1/marketplaces', { name: 'Marketplace', hub: { id: hub_id } }))
  const product_id = await makeProduct(byVendor, 'sku')
  const contract_id = await idOf(byVendor('POST', '/v1/contracts', { marketplace: { id: marketplace_id }, provider: { id: provider.account_id } }))
  const listing_id = await idOf(byVendor('POST', '/v1/listings', { product: { id: product_id }, contract: { id: contract_id } }))
  const connection_id = await idOf(byVendor('POST', `/v1/products/${product_id}/connections`, { type: 'production', hub: { id: hub_id } }))
  return { vendor, provider, byVendor, byProvider, hub_id, marketplace_id, product_id, contract_id, listing_id, connection_id }
}
