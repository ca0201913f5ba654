// A vendor whose licenses turn out bad.
import type { Test } from 'tap'
import { buildLogger } from '../../src/log.js'
import type { Mail } from '../../src/mailer/transport.js'
import { startWorker } from '../../src/worker.js'
import { testApp, type TestApp } from '../support/app.js'
import type { Json } from '../support/sdk.js'
import { callsOf, load, makePool, makeProduct, orderOf, type Call } from '../support/vendor.js'

export interface Shop { service: TestApp, call: Call, product_id: string, pool_id: string }

/** A product `sku-pro` with a pool of these licenses. */
export async function shopWith (t: Test, licenses: readonly string[], { pool = {}, env = {} }: { pool?: object, env?: NodeJS.ProcessEnv } = {}): Promise<Shop> {
  const service = await testApp(t, { LOG_LEVEL: 'error', ...env })
  const call = callsOf(service.app, service.vendor)
  const product_id = await makeProduct(call, 'sku-pro')
  return { service, call, product_id, pool_id: await makePool(call, { product_ids: [product_id], ...pool }, licenses) }
}

/** An order of so many units, as it is then. */
export async function buy ({ call }: Shop, external_id: string, quantity = 1): Promise<Json> {
  return (await call('POST', '/v1/orders', orderOf(external_id, { line_items: [{ product: 'sku-pro', quantity }] }))).json()
}

/** What an order's slots hold now, in the order of the units. */
export const heldBy = async ({ call }: Shop, order_id: string): Promise<string[]> => {
  const order = (await call('GET', `/v1/orders/${order_id}`)).json<Json>()
  return order['line_items'].flatMap((line: Json) => line['licenses'].filter((license: Json) => license['state'] === 'allocated').map((license: Json) => license['id']))
}

export const restock = async ({ call, pool_id }: Shop, licenses: readonly string[]): Promise<void> => load(call, pool_id, licenses)

/** A worker in this process, until it is stopped or the test ends; it puts its mails into `mails`. */
export function workOn (t: Test, { service: { db, config, keyring } }: Shop, mails: Mail[] = []): { mails: Mail[], stop: () => Promise<void> } {
  const send = async (mail: Mail): Promise<string> => {
    mails.push(mail)
    return '250 OK'
  }
  const worker = startWorker({ db, config, keyring, log: buildLogger(config), transport: { send } as never })
  t.teardown(() => worker.stop(0))
  return { mails, stop: () => worker.stop() }
}
