// A market whose license keys come from pools, for tests of requests that are filled from them.
import type { Test } from 'tap'
import type { Mail } from '../../src/mailer/transport.js'
import { buildLogger } from '../../src/log.js'
import { startWorker } from '../../src/worker.js'
import { testApp, type TestApp } from '../support/app.js'
import { makeMarket, purchaseOf, type Market } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { callsOf, makePool, type Call } from '../support/vendor.js'

export interface Bound { service: TestApp, market: Market, call: Call, pool_id: string, test_pool_id: string }

/** Many who race for one pool wait for each other, for longer than a client would where the machine has much else to do. */
export const PATIENT = { LOCK_TIMEOUT_MS: '20000', CONNECTION_TIMEOUT_MS: '20000', STATEMENT_TIMEOUT_MS: '20000' }

/** A market whose license_key comes from a pool with these licenses, and for tests from an empty one. `call`: the vendor's calls. */
export async function boundMarket (
  t: Test, licenses: readonly string[], { pool = {}, product = {} }: { pool?: object, product?: object } = {}
): Promise<Bound> {
  const service = await testApp(t, PATIENT)
  const call = callsOf(service.app, service.vendor)
  const pool_id = await makePool(call, pool, licenses)
  const test_pool_id = await makePool(call, { mode: 'test', name: 'for tests' })
  const market = await makeMarket(service, { vendor: service.vendor, product, license_key: { pool_id, test_pool_id } })
  return { service, market, call, pool_id, test_pool_id }
}

/** A second parameter, server_key, from another pool. */
export async function bindSecond ({ market, call }: Bound, licenses: readonly string[], pool: object = {}): Promise<string> {
  const pool_id = await makePool(call, { name: 'server keys', product_ids: [market.product_id], ...pool }, licenses)
  await market.byVendor('POST', `/v1/products/${market.product_id}/parameters`, {
    name: 'server_key', title: 'Server key', type: 'text', scope: 'asset', phase: 'fulfillment', constraints: { required: true }, pool_id,
  })
  return pool_id
}

/** Runs the worker until the test ends; returns the mails that it sends. */
export function withWorker (t: Test, { db, config, keyring }: TestApp): Mail[] {
  const mails: Mail[] = []
  const send = async (mail: Mail): Promise<string> => {
    mails.push(mail)
    return '250 OK'
  }
  const worker = startWorker({ db, config, keyring, log: buildLogger(config), transport: { send } as never })
  t.teardown(() => worker.stop(0))
  return mails
}

/** A purchase by the provider, as the vendor sees it; `quantity` of the one item. */
export async function buy ({ market }: Pick<Bound, 'market'>, quantity: number | string = 1, asset: object = {}): Promise<Json> {
  const items = [{ id: market.item_id, quantity }]
  const { id } = await market.byProvider('POST', '/v1/requests', purchaseOf(market, { asset: { items, ...asset } }))
  return market.byVendor('GET', `/v1/requests/${id}`)
}

/** The request as the vendor sees it, once it is approved. */
export async function approvedOf ({ market }: Pick<Bound, 'market'>, id: string): Promise<Json> {
  return until(`the approval of ${id}`, async () => {
    const request = await market.byVendor('GET', `/v1/requests/${id}`)
    return request['status'] === 'approved' && request
  })
}

/** The value of a parameter. */
export const keyOf = ({ asset }: Json, name = 'license_key'): string => asset.params.find(({ id }: Json) => id === name).value
