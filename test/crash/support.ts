// A vendor's shop on a durable PostgreSQL of the test's own, used over HTTP as its checkout and its scripts would, while
// processes are killed under it. The processes are `latchkey` from the sources.
import { randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import pg from 'pg'
import type { Test } from 'tap'
import { bootstrap } from '../../src/bootstrap.js'
import { readConfig } from '../../src/config.js'
import { connectDatabase, type Database } from '../../src/database/connect.js'
import { startEmbeddedPostgres } from '../../src/database/embedded.js'
import { migrateToLatest } from '../../src/database/migrate.js'
import { inTransaction } from '../../src/database/transaction.js'
import { newKeyMaterial } from '../../src/sealing.js'
import { dataDir, startLatchkey, type Started } from '../support/process.js'
import { until } from '../support/until.js'
import { messageOf } from '../support/webhooks.js'

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

export type Random = (below: number) => number

/** Numbers that a seed decides, printed with the test: CRASH_SEED=… plays the same mix again (the moments still vary). */
export function seeded (t: Test): Random {
  const seed = Number(process.env['CRASH_SEED'] ?? randomInt(2 ** 31))
  t.comment(`seed: CRASH_SEED=${seed}`)
  let state = seed
  return (below) => { // mulberry32
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), 1 | state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) % below
  }
}

export interface Answer { status: number, headers: Headers, body: Record<string, any> }

const ANSWER_MS_MAX = 12_000

/** One request on its way there and back. @throws Error when no whole answer came */
async function request (url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_MS_MAX) })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) as Record<string, unknown> }
}

/** What clients met: how often each status, `cut` where no whole answer came, and what no client should ever meet. */
export class Tally {
  readonly seen: Record<string, number> = {}
  readonly wrong: string[] = []

  note (what: string, { status, headers, body }: Answer): void {
    this.seen[status] = (this.seen[status] ?? 0) + 1
    if (status === 503 && headers.get('retry-after') === null) this.wrong.push(`${what}: 503 without Retry-After`)
    if (status !== 200 && status !== 201 && status !== 503) this.wrong.push(`${what}: ${status} ${JSON.stringify(body)}`)
  }

  cut (): void { this.seen['cut'] = (this.seen['cut'] ?? 0) + 1 }
}

const PAUSE_MS = 50 // of a sender between two tries

/** Repeats until acknowledged, as a checkout does; every answer is noted. @throws Error after `deadline_ms` */
export async function insist (what: string, tally: Tally, send: () => Promise<Answer>, deadline_ms = 60_000): Promise<Answer> {
  for (const deadline = Date.now() + deadline_ms; Date.now() < deadline; await delay(PAUSE_MS)) {
    const answer = await send().catch(() => undefined)
    if (answer === undefined) {
      tally.cut()
      continue
    }
    tally.note(what, answer)
    if (answer.status < 300) return answer
  }
  throw new Error(`${what} was not acknowledged within ${deadline_ms} ms`)
}

/** A line of an order: its product and quantity. */
export type Line = readonly [product: string, quantity: number]

export interface Server { url: string, db: Kysely<Database>, log: () => string, crash: () => Promise<void>, returned: () => Promise<void> }

/** A PostgreSQL that keeps what it acknowledged, migrated. `crash` kills all its processes at once; it then comes back by itself. */
export async function durableServer (t: Test): Promise<Server> {
  const dir = dataDir(t)
  const server = await startEmbeddedPostgres({ dataDir: dir, database: 'latchkey', maxConnections: 60 })
  const db = connectDatabase(server.url(), readConfig({ DATABASE_CONNECTIONS_MAX: '3', STATEMENT_TIMEOUT_MS: '30000' }))
  t.teardown(async () => {
    await db.destroy()
    await server.stop()
  })
  await migrateToLatest(db)
  return {
    url: server.url(),
    db,
    log: () => readFileSync(`${dir}.log`, 'utf8'),
    async crash () {
      const postmaster = server.pid()
      // the postmaster first, so that it cannot tidy up after its children
      for (const pid of [postmaster, ...childrenOf(postmaster)]) {
        try { process.kill(pid, 'SIGKILL') } catch { /* it ended in the same moment */ }
      }
    },
    async returned () {
      await until('PostgreSQL to take connections', async () => {
        const client = new pg.Client({ connectionString: server.url(), connectionTimeoutMillis: 1000 })
        client.on('error', () => {})
        return client.connect().then(() => client.query('select 1')).then(() => true, () => false).finally(() => client.end().catch(() => {}))
      }, 30_000)
    },
  }
}

function childrenOf (parent: number): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')[1]) === parent
    } catch {
      return false
    }
  })
}

/** A vendor, and how to start processes of the service for it. */
export interface Shop {
  server: Server
  authorization: string
  start: (role: 'serve' | 'api' | 'worker', env?: NodeJS.ProcessEnv) => Started
  /** a call of the vendor's to the process that listens at `base` */
  call: (base: string, method: string, path: string, body?: object | string, headers?: Record<string, string>) => Promise<Answer>
  /** the same, refused or cut never: returns the body */
  made: (base: string, method: string, path: string, body?: object | string) => Promise<Answer['body']>
}

export async function openShop (t: Test, env: NodeJS.ProcessEnv = {}): Promise<Shop> {
  const server = await durableServer(t)
  const credentials = await inTransaction(server.db, bootstrap)
  const authorization = `ApiKey ${credentials?.vendor.api_key}`
  const settings = { DATABASE_URL: server.url, LATCHKEY_KEYS: newKeyMaterial(), DATA_DIR: dataDir(t), ...env }
  const call: Shop['call'] = (base, method, path, body, headers = {}) => {
    const type: Record<string, string> = body === undefined ? {} : { 'content-type': typeof body === 'string' ? 'text/plain' : 'application/json' }
    const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
    return request(`${base}${path}`, { method, headers: { authorization, ...type, ...headers }, ...sent })
  }
  return {
    server,
    authorization,
    start: (role, more = {}) => startLatchkey(t, [role], { env: { ...settings, ...more } }),
    call,
    async made (base, method, path, body) {
      const answer = await call(base, method, path, body)
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
      return answer.body
    },
  }
}

export interface Source { id: string, secret: string }

/** A product under this name as its SKU. */
export async function product (shop: Shop, base: string, sku: string): Promise<string> {
  return (await shop.made(base, 'POST', '/v1/products', { name: sku, external_ids: [sku], mail_template: { subject: 'Your key', text: 'Your key: {KEY}' } }))['id'] as string
}

/** A product and a pool of its own. Returns the pool's id. */
export async function stocked (shop: Shop, base: string, sku: string, licenses: readonly string[], pool: object = {}): Promise<string> {
  const product_id = await product(shop, base, sku)
  const { id } = await shop.made(base, 'POST', '/v1/pools', { name: sku, product_ids: [product_id], mode: 'live', quantity_rule: 'unit', on_shortage: 'backorder', ...pool })
  if (licenses.length > 0) await shop.made(base, 'POST', `/v1/pools/${id as string}/licenses`, licenses.join('\n'))
  return id as string
}

export async function source (shop: Shop, base: string): Promise<Source> {
  return await shop.made(base, 'POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'shop', mode: 'live' }) as unknown as Source
}

export const keysOf = (prefix: string, count: number): string[] => range(count).map((i) => `KEY-${prefix}-${String(i + 1).padStart(6, '0')}`)

/** What an order asks for; its number makes its external id, its event and its customer. */
export interface Asked { number: number, lines: readonly Line[] }

export const emailOf = (number: number): string => `buyer-${number}@example.com`

/** Posts the order's webhook, signed now, under the same event id each time. */
export function post (base: string, { id, secret }: Source, { number, lines }: Asked): Promise<Answer> {
  const order = {
    external_id: `A-${number}`,
    currency: 'EUR',
    customer: { email: emailOf(number), first_name: 'Ada' },
    line_items: lines.map(([sku, quantity], i) => ({ external_id: String(i + 1), product: sku, quantity, unit_amount: 4900 })),
  }
  const { headers, body } = messageOf(secret, JSON.stringify({ type: 'order.paid', timestamp: '2026-01-01T00:00:00Z', data: order }), { id: `msg_${number}` })
  const pairs = range(headers.length / 2).map((i) => [headers[2 * i], headers[2 * i + 1]] as [string, string])
  return request(`${base}/v1/payments/${id}`, { method: 'POST', headers: pairs, body: body.toString() })
}

/** The licenses that each line of an acknowledged order holds, read back over HTTP. */
export async function licensesOf (shop: Shop, base: string, order_id: string): Promise<string[][]> {
  const { line_items } = await shop.made(base, 'GET', `/v1/orders/${order_id}`)
  return (line_items as Array<{ external_id: string, licenses: Array<{ id: string, state: string }> }>)
    .sort((a, b) => Number(a.external_id) - Number(b.external_id)).map(({ licenses }) => licenses.map(({ id }) => id))
}
