// A vendor with a product and a pool, and the rounds of the worker made one by one.
import { sql } from 'kysely'
import type { Test } from 'tap'
import { countSales, findSellers } from '../../src/alerts/count-sales.js'
import { findChangedPools, watchNewPools } from '../../src/alerts/find-changed.js'
import { lookAtPools } from '../../src/alerts/look.js'
import { noteExpiring } from '../../src/alerts/note-expiring.js'
import { noteFailures } from '../../src/alerts/note-failures.js'
import { findWaiting, planAlertMails } from '../../src/alerts/plan-mails.js'
import { inTransaction } from '../../src/database/transaction.js'
import { inEach } from '../../src/worker/in-each.js'
import { testApp, type TestApp } from '../support/app.js'
import { callsOf, keys, load, makePool, makeProduct, orderOf, type Call } from '../support/vendor.js'

export interface Scene extends TestApp { call: Call, product_id: string, pool_id: string }

let loads = 0

/** A service with a product and a pool of so many licenses. */
export async function scene (t: Test, pool: object = {}, stock = 0): Promise<Scene> {
  const it = await testApp(t)
  const call = callsOf(it.app, it.vendor)
  const product_id = await makeProduct(call, 'sku-pro')
  const pool_id = await makePool(call, { product_ids: [product_id], name: 'Pro', ...pool }, keys(stock, `FIRST-${++loads}`))
  return { ...it, call, product_id, pool_id }
}

/** Loads so many more. */
export async function restock ({ call, pool_id }: Pick<Scene, 'call' | 'pool_id'>, count: number): Promise<void> {
  await load(call, pool_id, keys(count, `MORE-${++loads}`))
}

let orders = 0

/** A paid order of so many units; its id. */
export async function sell ({ call }: Pick<Scene, 'call'>, quantity: number, more: Record<string, unknown> = {}): Promise<string> {
  const answer = await call('POST', '/v1/orders', orderOf(`S-${++orders}`, { line_items: [{ product: 'sku-pro', quantity }], ...more }))
  if (answer.statusCode !== 201) throw new Error(answer.body)
  return answer.json<{ id: string }>().id
}

export async function change ({ call, pool_id }: Pick<Scene, 'call' | 'pool_id'>, body: object): Promise<void> {
  const { statusCode, body: said } = await call('PUT', `/v1/pools/${pool_id}`, body)
  if (statusCode !== 200) throw new Error(said)
}

/** One round of the worker about pools. */
export async function look ({ db }: Pick<TestApp, 'db'>): Promise<void> {
  await inTransaction(db, watchNewPools)
  await inEach(db, findChangedPools, lookAtPools)
}

/** The minute after which a pool is looked at whatever shows is over. */
export async function pass ({ db }: Pick<TestApp, 'db'>): Promise<void> {
  await sql`update pool_watches set looked_at = looked_at - interval '61 s', look_at = look_at - interval '1 h'`.execute(db)
}

export const noteFailed = async ({ db }: Pick<TestApp, 'db'>): Promise<void> => inTransaction(db, noteFailures)
export const noteExpired = async ({ db }: Pick<TestApp, 'db'>): Promise<void> => inTransaction(db, noteExpiring)
export const plan = async ({ db }: Pick<TestApp, 'db'>): Promise<void> => inEach(db, findWaiting, planAlertMails)
export const count = async ({ db }: Pick<TestApp, 'db'>): Promise<void> => inEach(db, findSellers, countSales)

/** Some hours pass: for alerts and their mails, everything lies so much further back. */
export async function hours ({ db }: Pick<TestApp, 'db'>, n: number): Promise<void> {
  const later = sql`${n} * interval '1 h'`
  await sql`update alerts set raised_at = raised_at - ${later}, cleared_at = cleared_at - ${later}, mailed_at = mailed_at - ${later}`.execute(db)
}

export interface ShownAlert {
  id: string
  kind: string
  subject_id: string
  step: number
  data: Record<string, unknown>
  cleared_at: string | null
  mail_state: string
}

/** The alerts as the API shows them, oldest first. */
export async function alerts ({ call }: Pick<Scene, 'call'>, query = ''): Promise<ShownAlert[]> {
  return (await call('GET', `/v1/alerts?ordering(raised_at)${query}`)).json<ShownAlert[]>()
}

/** Kinds of the alerts that are open, with the steps. */
export const open = async (it: Pick<Scene, 'call'>): Promise<string[]> =>
  (await alerts(it, '&is_open=true')).map(({ kind, step }) => step === 0 ? kind : `${kind} ${step}`).sort()

export async function eventsOf ({ db }: Pick<TestApp, 'db'>, subject_id: string): Promise<string[]> {
  const rows = await db.selectFrom('events').select('type').where('subject_id', '=', subject_id)
    .where('type', 'like', 'pool.%').where('type', 'not in', ['pool.created', 'pool.updated']).orderBy('created_at').orderBy('id').execute()
  return rows.map(({ type }) => type)
}
