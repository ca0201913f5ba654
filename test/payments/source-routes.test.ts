import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { PERMISSIONS } from '../../src/accounts/permissions.js'
import { newId } from '../../src/ids.js'
import { secretContext } from '../../src/payments/find-source.js'
import { seal } from '../../src/sealing.js'
import { testAccount } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { callsOf, type Call } from '../support/vendor.js'
import { until } from '../support/until.js'
import { messageOf } from '../support/webhooks.js'
import { checkout, paid, state, type Checkout } from './support.js'

const SHOP = { kind: 'standard-webhooks', name: 'shop' }
const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`

/** A further signing secret of the source, as a rotation leaves it. */
async function addSecret ({ db, keyring, vendor: { account_id }, source }: Checkout, secret: string, expires_at: Date | null = null): Promise<void> {
  const id = newId('SS')
  const sealed = seal(keyring, secretContext(account_id, source.id, id), Buffer.from(secret))
  await db.insertInto('payment_source_secrets').values({ account_id, source_id: source.id, id, sealed, expires_at }).execute()
}

// Guarantee: the signing secret is in the answer that made it, and in that answer repeated; in no other, and never in clear in the database.
t.test('the secret is shown once', async (t) => {
  const { call, app, db, vendor } = await checkout(t)
  const create = (name = 'shop', body: object = {}): ReturnType<Call> => call('POST', '/v1/payment-sources', { ...SHOP, ...body, name }, { 'idempotency-key': 'k' })
  const first = await create()
  t.equal(first.statusCode, 201)
  t.equal(first.headers['cache-control'], 'no-store')
  const { secret, ...source } = first.json<{ id: string, secret: string }>()
  t.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/, '256 bits')
  t.match(source, { ...SHOP, mode: 'live', url: `http://127.0.0.1:3000/v1/payments/${source.id}`, created_at: String, updated_at: String })
  t.equal(first.headers['location'], `/v1/payment-sources/${source.id}`)
  t.strictSame((await create()).json(), first.json(), 'the same request again')
  t.equal((await create('other')).statusCode, 422)
  t.strictSame((await call('GET', `/v1/payment-sources/${source.id}`)).json(), source)
  t.match((await call('GET', '/v1/payment-sources?name=shop')).json(), { length: 2 })
  const texts = [await call('GET', '/v1/payment-sources'), await call('PUT', `/v1/payment-sources/${source.id}`, { name: 'renamed' }), await call('GET', '/v1/events')].map(({ body }) => body)
  const { rows } = await sql<{ row: string }>`
    select s::text || encode(s.sealed, 'escape') as row from payment_source_secrets s union all select i::text || encode(i.sealed, 'escape') from idempotency_keys i`.execute(db)
  t.equal(rows.length, 3)
  for (const text of [...texts, ...rows.map(({ row }) => row)]) t.notOk(text.includes(secret) || text.includes(secret.slice(6)))
  const given = newSecret()
  t.equal((await call('POST', '/v1/payment-sources', { ...SHOP, secret: given })).json().secret, given, 'or the one that the checkout made')
  for (const [body, field] of [
    [{ ...SHOP, secret: 'whsec_short' }, 'secret'], [{ ...SHOP, secret: newSecret().slice(6) }, 'secret'], [{ ...SHOP, secret: `whsec_${'A'.repeat(41)}` }, 'secret'],
    [{ ...SHOP, kind: 'stripe-ish' }, 'kind'], [{ ...SHOP, mode: 'demo' }, 'mode'], [{ ...SHOP, name: '' }, 'name'], [{ kind: SHOP.kind }, 'name'], [{ ...SHOP, id: 'PS-1' }, 'id'],
    [{ ...SHOP, account_id: vendor.account_id }, 'account_id'], [{ ...SHOP, name: 7 }, 'name'], [{ ...SHOP, mode: null }, 'mode'],
  ] as const) {
    const answer = await call('POST', '/v1/payment-sources', body)
    t.equal(answer.statusCode, 400, JSON.stringify(body))
    t.match(answer.json().errors[0], new RegExp(`^${field}: `))
    t.notMatch(answer.body, 'whsec_short', 'nor is it repeated in a refusal')
  }
  t.equal((await app.inject({ method: 'GET', url: '/v1/payment-sources' })).statusCode, 401)
})

// Guarantee (D6): while two secrets are valid either signs; one that has expired signs nothing.
t.test('rotation', async (t) => {
  const shop = await checkout(t)
  const [next, expired, foreign] = [newSecret(), newSecret(), newSecret()]
  await addSecret(shop, next)
  await addSecret(shop, expired, new Date(Date.now() - 1000))
  const with_ = async (secret: string, order: string): Promise<number> => (await shop.post(messageOf(secret, JSON.stringify(paid(order))))).status
  t.equal(await with_(shop.source.secret, 'old'), 200)
  t.equal(await with_(next, 'new'), 200)
  t.equal(await with_(expired, 'expired'), 401)
  t.equal(await with_(foreign, 'foreign'), 401)
  await sql`update payment_source_secrets set expires_at = now() where expires_at is null and id < (select max(id) from payment_source_secrets where expires_at is null)`.execute(shop.db)
  await until('the old secret to be over', async () => await with_(shop.source.secret, 'old') === 401, 3000)
  t.equal(await with_(next, 'new'), 200)
  const [row] = await shop.db.selectFrom('payment_source_secrets').select(['id', 'sealed']).where('expires_at', 'is', null).execute()
  await shop.db.updateTable('payment_source_secrets').set({ sealed: Buffer.alloc(80) }).where('id', '=', row?.id ?? '').execute()
  t.equal(await until('the secret that does not open', async () => { const status = await with_(next, 'new'); return status !== 200 && status }, 3000), 500, 'never accepted')
  await shop.db.updateTable('payment_source_secrets').set({ sealed: row?.sealed ?? Buffer.alloc(0) }).where('id', '=', row?.id ?? '').execute()
  await assertInvariants(t, shop.db)
})

// Guarantee: a deleted source takes nothing and is shown nowhere; its orders and events stay, and an event that failed can still be replayed.
t.test('deleted', async (t) => {
  const shop = await checkout(t)
  const order = (await shop.send(paid('A-1'))).json['order_id']
  const failed = (await shop.send(paid('A-2', { line_items: [{ product: 'sku-late', quantity: 1 }] }))).json['id']
  const url = `/v1/payment-sources/${shop.source.id}`
  t.equal((await shop.call('DELETE', url)).statusCode, 204)
  await until('its webhooks to be refused', async () => (await shop.send(paid('A-1'))).status === 404, 3000)
  const before = await state(shop)
  const refused = await shop.send(paid('A-3'))
  const absent = await shop.post(messageOf(shop.source.secret, JSON.stringify(paid('A-3'))), 'PS-0')
  t.strictSame([refused.status, { ...refused.json, request_id: '' }], [404, { ...absent.json, request_id: '' }], 'as one that never was')
  t.equal(await state(shop), before)
  for (const answer of [await shop.call('GET', url), await shop.call('PUT', url, { name: 'x' }), await shop.call('DELETE', url)]) t.match(answer.json(), { status: 404, error_code: 'PAY_002' })
  t.strictSame((await shop.call('GET', '/v1/payment-sources')).json(), [])
  t.equal((await shop.call('GET', `/v1/orders/${String(order)}`)).statusCode, 200)
  await shop.call('POST', '/v1/products', { name: 'Late', external_ids: ['sku-late'], mail_template: { subject: 's', text: '{KEY}' } })
  await shop.call('POST', '/v1/pools', { name: 'common' })
  t.match((await shop.call('POST', `/v1/payment-events/${String(failed)}/replay`)).json(), { status: 'processed', order_id: /^OR-/ })
  await assertInvariants(t, shop.db)
})

// Guarantee (G1, G3): sources and events of another account are as absent ones; each call needs its own permission.
t.test('tenancy and permissions', async (t) => {
  const shop = await checkout(t)
  const event = (await shop.send(paid('A-1', { line_items: [] }))).json['id']
  const calls: Array<[permission: string, method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, absent: string | undefined, body?: object]> = [
    ['payment-sources:read', 'GET', '/v1/payment-sources', undefined],
    ['payment-sources:read', 'GET', `/v1/payment-sources/${shop.source.id}`, '/v1/payment-sources/PS-0'],
    ['payment-sources:write', 'PUT', `/v1/payment-sources/${shop.source.id}`, '/v1/payment-sources/PS-0', { name: 'x' }],
    ['payment-sources:write', 'DELETE', `/v1/payment-sources/${shop.source.id}`, '/v1/payment-sources/PS-0'],
    ['payment-sources:write', 'POST', '/v1/payment-sources', undefined, SHOP],
    ['payment-events:read', 'GET', '/v1/payment-events', undefined],
    ['payment-events:read', 'GET', `/v1/payment-events/${String(event)}`, '/v1/payment-events/PE-0'],
    ['payment-events:replay', 'POST', `/v1/payment-events/${String(event)}/replay`, '/v1/payment-events/PE-0/replay'],
  ]
  const lacking = new Map<string, Call>()
  for (const [permission] of calls) lacking.set(permission, callsOf(shop.app, await testAccount(shop.db, 'vendor', PERMISSIONS.filter((one) => one !== permission))))
  const before = await state(shop)
  for (const [permission, method, url, absent, body] of calls) {
    t.match((await lacking.get(permission)?.(method, url, body))?.json(), { status: 403, params: { permission } }, `${method} ${url} without ${permission}`)
    if (absent === undefined) continue
    const [foreign, none] = await Promise.all([url, absent].map((one) => callsOf(shop.app, shop.stranger)(method, one, body)))
    t.equal(foreign?.statusCode, 404)
    t.strictSame({ ...foreign?.json(), request_id: '' }, { ...none?.json(), request_id: '' })
  }
  t.equal(await state(shop), before)
  for (const url of ['/v1/payment-sources', '/v1/payment-events', '/v1/orders', '/v1/events?type=payment_source.created']) t.strictSame((await callsOf(shop.app, shop.stranger)('GET', url)).json(), [], url)
})
