// A vendor whose pools run short, and a web service of its own that answers as a test tells it to.
import type { ServerResponse } from 'node:http'
import { sql } from 'kysely'
import type { Test } from 'tap'
import { readConfig } from '../../src/config.js'
import { wakeWorker } from '../../src/deliveries/wake.js'
import { open } from '../../src/sealing.js'
import { startWorker, type Worker } from '../../src/worker.js'
import { testApp, type TestApp } from '../support/app.js'
import { receiver, type Received, type Receiver } from '../support/receiver.js'
import { until } from '../support/until.js'
import { callsOf, makePool, makeProduct, orderOf, type Call } from '../support/vendor.js'

export interface Scene extends TestApp { call: Call, product_id: string, pool_id: string, service: Receiver }

export const SECRET = `whsec_${Buffer.from('a secret of the two of us, 32 by').toString('base64')}`

/** A service with a product whose pool is empty, and a vendor's own that issues a key for each Idempotency-Key, the same one for the same. */
export async function scene (t: Test, pool: object = {}): Promise<Scene> {
  const it = await testApp(t)
  const call = callsOf(it.app, it.vendor)
  const product_id = await makeProduct(call, 'sku-pro')
  const pool_id = await makePool(call, { product_ids: [product_id], ...pool })
  return { ...it, call, product_id, pool_id, service: await receiver(t, issue()) }
}

const issued = new Map<string, string>()

/** Answers with keys that follow from the Idempotency-Key and from how many are wanted. */
export function issue (prefix = 'WEB'): Receiver['answer'] {
  return ({ headers, body }, response) => {
    const { Quantity = '1' } = JSON.parse(body || '{}') as { Quantity?: string }
    answerKeys(response, keysFor(prefix, String(headers['idempotency-key']), Number(Quantity)))
  }
}

export function keysFor (prefix: string, id: string, count: number): string[] {
  const key = issued.get(id) ?? `${prefix}-${String(issued.size + 1).padStart(8, '0')}-${id.slice(-12)}`
  issued.set(id, key)
  return Array.from({ length: count }, (_, i) => `${key}-${i + 1}`)
}

export function answerKeys (response: ServerResponse, keys: readonly string[]): void {
  response.writeHead(200, { 'content-type': 'text/plain' }).end(keys.join('\n'))
}

/** Sets the supplies of the product. @throws Error with what the service says of bad ones */
export async function supplied ({ call, product_id }: Scene, ...supplies: object[]): Promise<void> {
  const answer = await call('PUT', `/v1/products/${product_id}/supplies`, supplies)
  if (answer.statusCode !== 200) throw new Error(answer.body)
}

export const webService = ({ service }: Scene, more: object = {}): object => ({ type: 'web_service', url: service.url, timeout_s: 1, ...more })

let orders = 0

/** A paid order of so many units; its id. */
export async function order ({ call }: Scene, quantity = 1, more: Record<string, unknown> = {}): Promise<string> {
  const answer = await call('POST', '/v1/orders', orderOf(`S-${++orders}`, { line_items: [{ product: 'sku-pro', quantity, unit_amount: 4900 }], ...more }))
  if (answer.statusCode !== 201) throw new Error(answer.body)
  return answer.json<{ id: string }>().id
}

type Line = Record<string, unknown>

/** A worker of this process; `log` collects what it writes. Its mails are refused, so that they stay planned. */
export function work (t: Test, { db, keyring }: Pick<TestApp, 'db' | 'keyring'>, env: NodeJS.ProcessEnv = {}): { worker: Worker, log: Line[], mails: string[] } {
  const [log, mails]: [Line[], string[]] = [[], []]
  const note = (fields: unknown, message?: string): void => { log.push({ ...fields as Line, message }) }
  const config = readConfig({ WORKER_POLL_MS: '20', SMTP_URL: 'smtp://127.0.0.1:1', ...env })
  const transport = { send: async ({ subject, text }: { subject: string, text: string }) => { mails.push(`${subject}\n\n${text}`); return '250 ok' }, close () {} }
  const worker = startWorker({ db, config, keyring, log: { info: note, warn: note, error: note }, transport: transport as never })
  t.teardown(() => worker.stop(0))
  return { worker, log, mails }
}

/** What an order is and holds, in clear. */
export async function held ({ db, keyring, vendor }: Scene, order_id: string): Promise<{ status: string, keys: string[] }> {
  const { fulfillment_status } = await db.selectFrom('orders').select('fulfillment_status').where('id', '=', order_id).executeTakeFirstOrThrow()
  const rows = await db.selectFrom('allocations').innerJoin('licenses', (join) => join
    .onRef('licenses.account_id', '=', 'allocations.account_id').onRef('licenses.id', '=', 'allocations.license_id'))
    .select(['licenses.id', 'licenses.pool_id', 'licenses.sealed']).where('allocations.order_id', '=', order_id).where('ended_as', 'is', null).orderBy('unit').execute()
  return { status: fulfillment_status, keys: rows.map(({ id, pool_id, sealed }) => open(keyring, [vendor.account_id, pool_id, id], sealed).toString()) }
}

export const isFulfilled = (it: Scene, order_id: string): Promise<{ keys: string[] }> => until(`order ${order_id} to be fulfilled`, async () => {
  const now = await held(it, order_id)
  return now.status === 'fulfilled' && now
})

export async function demands ({ db }: Pick<TestApp, 'db'>, order_id: string) {
  return db.selectFrom('supply_orders').selectAll().where('order_id', '=', order_id).orderBy('number').execute()
}

/** Waits until every demand of an order is in the status, after so many calls at least. */
export const reach = (it: Pick<TestApp, 'db'>, order_id: string, status: string, attempts = 0) => until(`the demands of ${order_id} to be ${status}`, async () => {
  const all = await demands(it, order_id)
  return all.length > 0 && all.every((demand) => demand.status === status && demand.attempts >= attempts) && all
})

/** The time of the next call has come. */
export async function due ({ db }: Pick<TestApp, 'db'>, order_id: string): Promise<void> {
  await sql`update supply_orders set next_attempt_at = now() where order_id = ${order_id} and status = 'planned'`.execute(db)
  wakeWorker()
}

export const eventsOf = async ({ db }: Pick<TestApp, 'db'>, subject_id: string): Promise<string[]> =>
  (await db.selectFrom('events').select('type').where('subject_id', '=', subject_id).orderBy('created_at').orderBy('id').execute()).map(({ type }) => type)

export type { Received }
