// Everything that is a secret with holds, renewals, replacements, supplies and payment sources, planted, used rightly and wrongly: for the test that looks
// for it where it must not be.
import { createHmac, randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { wakeWorker } from '../../src/deliveries/wake.js'
import type { TestAccount } from './app.js'
import type { Ask } from './market.js'
import { status, type Receiver } from './receiver.js'
import type { Json } from './sdk.js'
import { planted } from './secret-market.js'
import { until } from './until.js'
import { callsOf, orderOf, subjectOf } from './vendor.js'
import { postMessage } from './webhooks.js'

export interface Traded {
  /** what must be nowhere in clear, by what it is */
  secrets: Record<string, string>
  /** which of them are keys that customers were mailed */
  mailed: string[]
  /** answers that may show no secret */
  answers: string[]
}

interface Service { app: FastifyInstance, db: Kysely<Database>, port: number }

/** What the trade is done with: `ask` keeps the answers, `refused` those of what must not be granted, `secretly` does not. */
interface Shop extends Service {
  ask: Ask
  secretly: Ask
  refused: (method: 'POST' | 'PUT', url: string, payload: object) => Promise<void>
  answers: string[]
}

const SIGNING = ['source-secret', 'supply-secret'] as const
const PADDLE = ['paddle-secret', 'rotated-secret'] as const
const API_KEYS = ['api/key', 'changed/api/key'] as const
const MAILED = ['held-key', 'released-key', 'first-key', 'renewed-key', 'bad-key', 'better-key', 'recalled-key', 'instead-key', 'web-key', 'web-renewal-key'] as const
const UNSOLD = ['unsold-key', 'answered-in-vain'] as const

/** A signing secret of Standard Webhooks whose bytes are the text. */
const signing = (what: string): string => `whsec_${Buffer.from(planted(what)).toString('base64')}`
const paddleSecret = (what: string): string => `pdl_ntfset_${planted(what)}`

function shopOf (service: Service, vendor: TestAccount): Shop {
  const call = callsOf(service.app, vendor)
  const answers: string[] = []
  const secretly: Ask = async (method, url, payload) => {
    const { statusCode, body } = await call(method, url, payload, { 'idempotency-key': randomUUID() })
    if (statusCode >= 300) throw new Error(`${method} ${url} ${statusCode} ${body}`)
    return body === '' ? {} : JSON.parse(body) as Json
  }
  const ask: Ask = async (method, url, payload) => {
    const { statusCode, body, headers } = await call(method, url, payload)
    answers.push(body, JSON.stringify(headers))
    if (statusCode >= 300) throw new Error(`${method} ${url} ${statusCode} ${body}`)
    return body === '' ? {} : JSON.parse(body) as Json
  }
  const refused: Shop['refused'] = async (method, url, payload) => {
    const { statusCode, body, headers } = await call(method, url, payload)
    if (statusCode !== 400) throw new Error(`${method} ${url} ${statusCode} ${body}`)
    answers.push(body, JSON.stringify(headers))
  }
  return { ...service, ask, secretly, refused, answers }
}

/** A product with a pool of its own. */
async function shelve ({ ask, db }: Shop, name: string, more: object = {}): Promise<{ product: string, pool_id: string }> {
  const mail_template = { subject: 'Yours', text: 'Now:\n{KEY}\nBefore:\n{PARENT_KEY}' }
  const { id } = await ask('POST', '/v1/products', { name, external_ids: [name], mail_template, ...more })
  // a subject with keys is refused now, and there are older ones
  await subjectOf(db, id, 'Yours {KEY}{PARENT_KEY}')
  return { product: name, pool_id: (await ask('POST', '/v1/pools', { name, product_ids: [id] })).id }
}

const load = async ({ ask }: Shop, pool_id: string, ...whats: string[]): Promise<string> =>
  (await ask('POST', `/v1/pools/${pool_id}/licenses`, whats.map(planted).join('\n')))['batch_id']

const buy = ({ ask }: Shop, product: string, external_id: string, more: object = {}): Promise<Json> =>
  ask('POST', '/v1/orders', orderOf(external_id, { line_items: [{ product, quantity: 1, period: 'P1Y' }], ...more }))

const licenseOf = (order: Json): string => order['line_items'][0].licenses[0].id

/** A key is held and sold, another is held and put back, for the checkout below. */
async function hold (shop: Shop): Promise<void> {
  const { product, pool_id } = await shelve(shop, 'held')
  await load(shop, pool_id, 'held-key', 'released-key')
  const [sold, given_up] = [1, 2].map((n) => ({ currency: 'EUR', external_id: `session-${n}`, line_items: [{ product, quantity: 1 }] }))
  const hold = await shop.ask('POST', '/v1/holds', sold)
  const other = await shop.ask('POST', '/v1/holds', given_up)
  await shop.ask('POST', `/v1/holds/${other['id'] as string}/release`)
  await buy(shop, product, 'T-held', { hold_id: hold['id'] })
}

/** A renewal that gets the next key, and whose mail says the one before. */
async function renew (shop: Shop): Promise<void> {
  const { product, pool_id } = await shelve(shop, 'renewed')
  await load(shop, pool_id, 'first-key', 'renewed-key')
  const { id } = await buy(shop, product, 'T-first')
  await sent(shop)
  await buy(shop, product, 'T-next', { parent: id })
}

/** Bad keys: one is replaced by hand, one with its batch, and revoked in the end. */
async function replace (shop: Shop): Promise<void> {
  const { ask } = shop
  const { product, pool_id } = await shelve(shop, 'replaced')
  await load(shop, pool_id, 'bad-key')
  const bad = licenseOf(await buy(shop, product, 'T-bad'))
  await load(shop, pool_id, 'better-key')
  await sent(shop)
  await ask('POST', `/v1/licenses/${bad}/replace`, { reason: 'leaked' })
  const batch_id = await load(shop, pool_id, 'recalled-key', 'unsold-key')
  const { id: order_id } = await buy(shop, product, 'T-recalled')
  await sent(shop)
  await load(shop, pool_id, 'instead-key')
  await ask('POST', `/v1/batches/${batch_id}/recall`, { reason: 'leaked', dry_run: true })
  const { id } = await ask('POST', `/v1/batches/${batch_id}/recall`, { reason: 'leaked' })
  await until('the recall', async () => (await ask('GET', `/v1/recalls/${id as string}`))['status'] === 'done')
  await sent(shop)
  await ask('GET', `/v1/recalls/${id as string}/items`)
  const licenses = (await ask('GET', `/v1/orders/${order_id as string}`))['line_items'][0].licenses as Json[]
  await ask('POST', `/v1/licenses/${licenses.find((license) => license['state'] === 'allocated')?.['id'] as string}/revoke`, { reason: 'charged back' })
}

/** Answers of a web service with a key in each, that are none but for the last. */
const IN_VAIN: Array<[code: number, type: string, body: string]> = [
  [503, 'text/plain', planted('answered-in-vain')],
  [400, 'text/plain', planted('answered-in-vain')],
  [200, 'text/html', planted('answered-in-vain')],
  [200, 'application/json', `{"key":"${planted('answered-in-vain')}`],
  [200, 'text/plain', `${planted('answered-in-vain')}\n${planted('answered-in-vain')}`],
  [200, 'text/plain', `${planted('answered-in-vain')}\u0007`],
]

/** Has the next call made, whether it is put off or given up. */
async function callAgain ({ db, ask }: Shop, order_id: string): Promise<void> {
  const [demand] = await ask('GET', `/v1/supply-orders?order_id=${order_id}`) as unknown as Json[]
  if (demand?.['status'] === 'given_up') await ask('POST', `/v1/supply-orders/${demand['id'] as string}/retry`)
  await sql`update supply_orders set next_attempt_at = now() where status = 'planned'`.execute(db)
  wakeWorker()
}

/** A web service that signs, answers badly and then well; and gets the keys of the order that a renewal renews. */
async function supply (shop: Shop, web: Receiver): Promise<void> {
  const { ask, refused } = shop
  const { product } = await shelve(shop, 'made')
  const { id } = (await ask('GET', '/v1/products?name=made') as unknown as Json[])[0] as Json
  const url = `/v1/products/${id as string}/supplies`
  const service = { type: 'web_service', url: web.url, secret: signing('supply-secret') }
  await refused('PUT', url, [{ ...service, secret: `${signing('supply-secret')}!` }])
  await refused('PUT', url, [{ ...service, behaviour: 'succeed' }])
  await ask('PUT', url, [service])
  const answered = async (external_id: string, key: string, more: object = {}): Promise<string> => {
    const first = web.received.length
    web.answer = (request, response) => {
      const [code, type, body] = IN_VAIN[web.received.length - first - 1] ?? [200, 'application/json', JSON.stringify({ key: planted(key) })]
      status(code, { 'content-type': type, 'x-key': planted('answered-in-vain') }, body)(request, response)
    }
    const order = await buy(shop, product, external_id, more)
    await until('the web service to be called as often as it takes', async () => {
      if ((await ask('GET', `/v1/orders/${order['id'] as string}`))['fulfillment_status'] === 'fulfilled') return true
      await callAgain(shop, order['id'])
      return false
    })
    await sent(shop)
    return order['id']
  }
  const parent = await answered('T-made', 'web-key')
  await ask('PUT', url, [{ ...service, method: 'GET' }])
  await answered('T-made-again', 'web-renewal-key', { parent })
}

/** A checkout that repeats the key it is asked with, refuses it, and takes the next. */
async function receive (shop: Shop, api: Receiver): Promise<void> {
  const { ask, secretly, refused, answers, db, port } = shop
  const fields = { kind: 'paddle', name: 'paddle', api_url: new URL(api.url).origin, product_map: { pri_pro: 'held' } }
  for (const wrong of [{ secret: planted('paddle-secret') }, { secret: paddleSecret('paddle-secret'), api_key: `${planted('api/key')} ` }, { secret: paddleSecret('paddle-secret'), api_key: planted('api/key').repeat(100) }, { secret: { x: planted('paddle-secret') } }]) {
    await refused('POST', '/v1/payment-sources', { ...fields, ...wrong })
  }
  await refused('POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'x', secret: signing('source-secret'), api_key: planted('api/key') })
  await secretly('POST', '/v1/payment-sources', { kind: 'standard-webhooks', name: 'given', secret: signing('source-secret') })
  const { id } = await secretly('POST', '/v1/payment-sources', { ...fields, secret: paddleSecret('paddle-secret'), api_key: planted('api/key') })
  const url = `/v1/payment-sources/${id as string}`
  const echo = (code: number): Receiver['answer'] => (request, response) => {
    const body = JSON.stringify({ data: { id: 'ctm_1', email: 'ada@example.com', name: 'Ada', locale: 'en' }, asked_with: request.headers.authorization })
    status(code, { 'content-type': 'application/json' }, body.replaceAll('/', '\\/'))(request, response) // as PHP escapes it
  }
  api.answer = echo(401)
  const post = async (what: string): Promise<string> => {
    const data = { id: 'txn_1', customer_id: 'ctm_1', currency_code: 'EUR', items: [], details: { totals: { total: '4900', grand_total: '4900' }, line_items: [{ id: 'txnitm_1', price_id: 'pri_pro', quantity: 1, unit_totals: { total: '4900' }, product: { id: 'pro_1' } }] } }
    const body = JSON.stringify({ event_id: 'evt_1', event_type: 'transaction.completed', occurred_at: '2026-01-31T10:15:00Z', data })
    const ts = String(Math.floor(Date.now() / 1000))
    const h1 = createHmac('sha256', paddleSecret(what)).update(`${ts}:${body}`).digest('hex')
    const answer = await postMessage(port, id, { headers: ['content-type', 'application/json', 'paddle-signature', `ts=${ts};h1=${h1}`], body: Buffer.from(body) })
    answers.push(JSON.stringify(answer))
    return String(answer.json['id'])
  }
  const event_id = await post('paddle-secret')
  const becomes = (wanted: string): Promise<unknown> => until(`the event to be ${wanted}`, async () => (await ask('GET', `/v1/payment-events/${event_id}`))['status'] === wanted)
  await becomes('failed')
  await secretly('POST', `${url}/secrets`, { secret: paddleSecret('rotated-secret'), expires_others_in_s: 60 })
  await refused('POST', `${url}/secrets`, { secret: planted('rotated-secret') })
  await ask('PUT', url, { api_key: planted('changed/api/key') })
  api.answer = echo(503)
  await ask('POST', `/v1/payment-events/${event_id}/replay`)
  await until('the checkout to be asked', () => api.received.length >= 2)
  api.answer = echo(200)
  await until('the event to be asked for again', async () => {
    await sql`update payment_events set next_attempt_at = now() where status = 'waiting'`.execute(db)
    wakeWorker()
    return (await ask('GET', `/v1/payment-events/${event_id}`))['status'] === 'processed'
  })
  await post('rotated-secret')
  await ask('POST', `${url}/reconcile`, { external_ids: ['txn_1', 'txn_2'] })
  await ask('POST', '/v1/payment-events/replay', { source_id: id, received_from: '2020-01-01T00:00:00Z' })
  for (const read of [url, `${url}/secrets`]) await ask('GET', read)
}

async function sent ({ db }: Shop): Promise<void> {
  await until('the mails', async () => (await db.selectFrom('deliveries').select('id').where('status', 'in', ['planned', 'sending']).execute()).length === 0)
}

/** Plants and plays all of that. `web` answers as a web service of the vendor's, `api` as the API of a checkout. */
export async function playTrade (service: Service, { vendor, web, api }: { vendor: TestAccount, web: Receiver, api: Receiver }): Promise<Traded> {
  const shop = shopOf(service, vendor)
  for (const play of [hold, renew, replace]) await play(shop)
  await supply(shop, web)
  await receive(shop, api)
  await sent(shop)
  const lists = ['holds', 'orders', 'recalls', 'supply-orders', 'payment-sources', 'payment-events', 'payment-replays', 'deliveries', 'batches', 'pools', 'products', 'events?limit=1000']
  for (const list of lists) {
    const all = await shop.ask('GET', `/v1/${list}`) as unknown as Json[]
    if (!list.includes('?')) for (const one of all) await shop.ask('GET', `/v1/${list}/${one['id'] as string}`)
  }
  const whats = [...SIGNING, ...PADDLE, ...API_KEYS, ...MAILED, ...UNSOLD]
  return { secrets: Object.fromEntries(whats.map((what) => [what, planted(what)])), mailed: MAILED.map(planted), answers: shop.answers }
}
