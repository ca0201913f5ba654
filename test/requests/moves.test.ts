import { readFileSync } from 'node:fs'
import { sql, type Kysely } from 'kysely'
import t from 'tap'
import type { Database } from '../../src/database/connect.js'
import { assetStatusAfter, EFFECTS, MOVES, OPEN, type RequestType, type Status, type Verb } from '../../src/requests/transitions.js'
import { testApp } from '../support/app.js'
import { makeMarket, purchaseOf, type Market } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { callsOf } from '../support/vendor.js'

const migration = readFileSync('migrations/0009_requests.sql', 'utf8')
const STATUSES = ['draft', 'tiers_setup', 'pending', 'inquiring', 'approved', 'failed', 'scheduled', 'revoking', 'revoked'] as const

/** The pairs that a trigger lets pass. */
function pairsOf (trigger: string): string[] {
  const [, body = ''] = new RegExp(`create function ${trigger}[^]*? in \\(([^]*?)\\)\\s*then`).exec(migration) ?? []
  return [...body.matchAll(/\('(\w+)', '(\w+)'\)/g)].map(([, from, to]) => `${from} → ${to}`).sort()
}

// Guarantee: the database holds exactly the moves of the table, of requests and of what they do to assets, and the one index knows what is open.
t.test('the table and the triggers have the same pairs', async (t) => {
  const moves = new Set(MOVES.flatMap(({ from, to }) => to.map((status) => `${from} → ${status}`)))
  t.same(pairsOf('requests_move'), [...moves].sort())
  const ofAssets = new Set<string>()
  for (const [type, { needs, opened }] of Object.entries(EFFECTS) as Array<[RequestType, typeof EFFECTS[RequestType]]>) {
    for (const before of needs) {
      const during = assetStatusAfter(type, 'draft', 'pending', before) ?? before
      t.equal(during, opened === 'same' ? before : opened)
      for (const [from, to] of [[before, during], [during, assetStatusAfter(type, 'pending', 'approved', before) ?? during], [during, assetStatusAfter(type, 'pending', 'failed', before) ?? during]]) {
        if (from !== to) ofAssets.add(`${from} → ${to}`)
      }
    }
  }
  t.same(pairsOf('assets_move'), [...ofAssets].sort())
  const [, open = ''] = /requests_one_open .* where status in \((.*)\)/.exec(migration) ?? []
  t.same([...open.matchAll(/'(\w+)'/g)].map(([, status]) => status), OPEN)
})

/** What a refused call must not touch. */
async function dump (db: Kysely<Database>): Promise<string> {
  const tables = ['requests', 'assets', 'asset_items', 'request_items', 'parameter_values', 'events', 'messages', 'webhook_messages', 'orders']
  const rows = await Promise.all(tables.map((table) => sql`select to_jsonb(x) as row from ${sql.table(table)} x order by to_jsonb(x)::text`.execute(db)))
  return JSON.stringify(rows.map(({ rows }) => rows))
}

/** The request as if it had come to this state. */
async function put (db: Kysely<Database>, { id, asset }: Json, status: Status): Promise<void> {
  const assetStatus = status === 'draft' ? 'draft' : status === 'approved' ? 'active' : status === 'failed' || status === 'revoked' ? 'terminated' : 'processing'
  await db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx) // no trigger: any state from any other
    await trx.updateTable('requests').set({
      status,
      effective_date: status === 'approved' ? new Date() : null,
      planned_date: new Date('2099-01-01'),
      form_code: status === 'inquiring' ? 'code' : null,
    }).where('id', '=', id).execute()
    await trx.updateTable('assets').set({ status: assetStatus }).where('id', '=', asset.id).execute()
  })
}

const BODIES: Partial<Record<Verb, object>> = { fail: { reason: 'no' }, schedule: { planned_date: '2099-01-31' }, revoke: { reason: 'no' } }
const CALLED = [...new Set(MOVES.filter(({ by }) => (by as readonly string[]).some((side) => side !== 'service')).map(({ verb }) => verb))]

// Guarantee: from every state every move that the table lacks, and every move of the other side, is refused with the state named, and changes nothing.
t.test('every illegal move from every state', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const request = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  await market.byVendor('PUT', `/v1/requests/${request.id}`, { asset: { params: [{ id: 'license_key', value: 'KEY' }] } })
  const sides = { vendor: callsOf(service.app, market.vendor), provider: callsOf(service.app, market.provider) }
  for (const status of STATUSES) {
    await put(service.db, request, status)
    const before = await dump(service.db)
    for (const verb of CALLED) {
      for (const side of ['vendor', 'provider'] as const) {
        const moves = MOVES.filter((move) => move.verb === verb)
        const isOfSide = moves.some(({ by }) => (by as readonly string[]).includes(side)) && !(verb === 'submit' && side === 'vendor') // a purchase is the provider's
        const isLegal = verb !== 'submit' && moves.some(({ from, by }) => from === status && (by as readonly string[]).includes(side))
        if (isLegal) continue
        const answer = await sides[side]('POST', `/v1/requests/${request.id}/${verb}`, BODIES[verb] ?? {})
        const what = `${side} ${verb} from ${status}`
        t.equal(answer.statusCode, isOfSide ? 400 : 403, what)
        if (isOfSide) t.match(answer.json(), { error_code: 'REQ_001', params: { request_status: status } }, what)
      }
    }
    for (const side of ['vendor', 'provider'] as const) {
      if (status === 'draft' && side === 'provider') continue
      t.ok([400, 403].includes((await sides[side]('DELETE', `/v1/requests/${request.id}`)).statusCode), `${side} delete from ${status}`)
    }
    t.equal(await dump(service.db), before, `nothing changed from ${status}`)
  }
})

// Guarantee: the database itself refuses a move that no code should make.
t.test('the trigger', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const { id } = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  await t.rejects(service.db.updateTable('requests').set({ status: 'revoked' }).where('id', '=', id).execute(), { constraint: 'requests_move' } as never)
})

const written = { asset: { params: [{ id: 'license_key', value: 'KEY-1' }] } }

async function pendingOf (market: Market): Promise<Json> {
  const request = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  await market.byVendor('PUT', `/v1/requests/${request.id}`, written)
  return request
}

// Guarantee: of those who move one request at once, one wins; the others are told that it has moved.
t.test('two approvals, and an approval and a failure, at once', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const vendor = callsOf(service.app, market.vendor)
  for (let round = 0; round < 5; round++) {
    const { id } = await pendingOf(market)
    const answers = await Promise.all([vendor('POST', `/v1/requests/${id}/approve`), vendor('POST', `/v1/requests/${id}/approve`)])
    t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 400])
    const events = await market.byVendor('GET', `/v1/events?subject_id=${id}&type=request.approved`)
    t.equal(events.length, 1)
    const other = await pendingOf(market)
    const mixed = await Promise.all([vendor('POST', `/v1/requests/${other.id}/approve`), vendor('POST', `/v1/requests/${other.id}/fail`, {})])
    t.same(mixed.map(({ statusCode }) => statusCode).sort(), [200, 400])
  }
})

// Guarantee: an approval needs every required fulfillment parameter, a template of the product, and says what is missing; nothing changes then.
t.test('what an approval needs', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const vendor = callsOf(service.app, market.vendor)
  const { id } = await market.byProvider('POST', '/v1/requests', purchaseOf(market))
  const before = await dump(service.db)
  const empty = await vendor('POST', `/v1/requests/${id}/approve`, {})
  t.match(empty.json(), { status: 400, error_code: 'VAL_001' })
  t.match(empty.json().errors[0], /^asset\.params\.license_key: /)
  t.equal(await dump(service.db), before)
  await market.byVendor('PUT', `/v1/requests/${id}`, written)
  const strange = await vendor('POST', `/v1/requests/${id}/approve`, { template_id: 'TL-000-000-000' })
  t.match(strange.json(), { status: 400, errors: [/^template_id: /] })
  const done = await vendor('POST', `/v1/requests/${id}/approve`, { effective_date: '2030-01-01 11:36:38.814429', asset: { billing: { next_date: '2031-01-01' } } })
  t.match(done.json(), { status: 'approved', effective_date: '2030-01-01T11:36:38+00:00' })
  t.match(await service.db.selectFrom('assets').select('billing_next_date').execute(), [{ billing_next_date: new Date('2031-01-01T00:00:00.000Z') }])
})

// Guarantee: clients of Connect may send an empty body as JSON, and a slash at the end.
t.test('bodies that are left out', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const { id } = await pendingOf(market)
  const headers = { authorization: market.vendor.authorization, 'content-type': 'application/json', 'content-length': '0' }
  for (const [verb, status] of [['inquire', 'inquiring'], ['pend', 'pending'], ['approve', 'approved']] as const) {
    const answer = await service.app.inject({ method: 'POST', url: `/v1/requests/${id}/${verb}/`, headers })
    t.match(answer.json(), { status }, verb)
  }
})
