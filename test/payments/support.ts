import { sql } from 'kysely'
import type { Test } from 'tap'
import { testApp, type TestApp } from '../support/app.js'
import { listen } from '../support/socket.js'
import { callsOf, keys, makePool, makeProduct, orderOf, type Call } from '../support/vendor.js'
import { messageOf, postMessage, type Message, type Posted, type Signing } from '../support/webhooks.js'

export interface Checkout extends TestApp {
  call: Call
  port: number
  product_id: string
  pool_id: string
  source: { id: string, secret: string }
  post: (message: Message, source_id?: string) => Promise<Posted>
  /** signs and posts */
  send: (payload: string | Buffer | object, signing?: Signing) => Promise<Posted>
}

/** The body of an order.paid. */
export function paid (external_id: string, order: Record<string, unknown> = {}, event: Record<string, unknown> = {}): Record<string, unknown> {
  return { type: 'order.paid', timestamp: '2026-01-31T10:15:00Z', data: orderOf(external_id, order), ...event }
}

/** A service that listens, whose vendor sells `sku-pro` from a pool of its own and has one payment source. */
export async function checkout (t: Test, licenses = 40): Promise<Checkout> {
  const app = await testApp(t)
  const port = await listen(app.app)
  const call = callsOf(app.app, app.vendor)
  const product_id = await makeProduct(call, 'sku-pro')
  const pool_id = await makePool(call, { product_ids: [product_id] }, keys(licenses))
  const source = (await call('POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'shop' })).json<{ id: string, secret: string }>()
  const post = (message: Message, source_id = source.id): Promise<Posted> => postMessage(port, source_id, message)
  const send: Checkout['send'] = (payload, signing) =>
    post(messageOf(source.secret, typeof payload === 'string' || payload instanceof Buffer ? payload : JSON.stringify(payload), signing))
  return { ...app, call, port, product_id, pool_id, source, post, send }
}

/** What the database holds of payments, orders and the audit trail: a refused call changes none of it. */
export async function state ({ db }: Pick<TestApp, 'db'>): Promise<string> {
  const { rows } = await sql<{ state: string }>`
    select concat_ws(' ', (select count(*) from payment_events), (select count(*) from orders), (select count(*) from allocations), (select count(*) from stock),
      (select count(*) from deliveries), (select count(*) from events), (select count(*) from backorders), (select count(*) from idempotency_keys)) as state`.execute(db)
  return rows[0]?.state ?? ''
}
