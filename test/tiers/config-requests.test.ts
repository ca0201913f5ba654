import { readFileSync } from 'node:fs'
import { sql } from 'kysely'
import t from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { MOVES, STATUSES } from '../../src/tiers/config-requests/transitions.js'
import { tierSetupNeeded } from '../../src/tiers/configs/tier-setup-needed.js'
import { untilWaiting } from '../orders/support.js'
import { testAccount, testApp } from '../support/app.js'
import { askOf, tierOf } from '../support/market.js'
import { clientOf, type Json } from '../support/sdk.js'
import { callsOf } from '../support/vendor.js'
import { askResellers, saleOf, tierAccountOf, type Sale } from './support.js'

const BOTH_LEVELS = { tiers: { configs: { level: 2 } } }

async function arranged (t: Parameters<typeof testApp>[0]) {
  const service = await testApp(t)
  const sale = await saleOf(service.db, service.vendor, { capabilities: BOTH_LEVELS })
  const templates = await askResellers(sale)
  const [vendor, provider] = [callsOf(service.app, service.vendor), callsOf(service.app, sale.provider)]
  return { ...service, sale, templates, vendor: askOf(vendor), provider: askOf(provider), byVendor: vendor, byProvider: provider }
}

const setUp = ({ product_id }: Sale, account: string, other: object = {}): object =>
  ({ type: 'setup', configuration: { product: { id: product_id }, account: { id: account }, tier_level: 1 }, params: [{ id: 'company', value: 'Reseller Ltd' }], ...other })

// Guarantee: the moves that the database lets pass are those of the table in code.
t.test('the moves', async (t) => {
  const text = readFileSync('migrations/0008_tiers.sql', 'utf8')
  const inDatabase = [...text.slice(text.indexOf('function tier_config_requests_move')).matchAll(/\('(\w+)', '(\w+)'\)/g)].map(([, from, to]) => `${from} → ${to}`)
  t.strictSame(new Set(inDatabase), new Set(MOVES.flatMap(({ from, to }) => to.map((each) => `${from} → ${each}`))))
})

// Guarantee: the life of a set-up and of a change, as both sides see it: what is approved is the configuration's, what fails changes nothing.
t.test('set up, then changed', async (t) => {
  const { db, sale, templates, vendor, provider, byVendor } = await arranged(t)
  const account = await tierAccountOf(sale, 'tier1', tierOf('Reseller Ltd'))
  const made = await provider('POST', '/v1/tier/config-requests', setUp(sale, account, { notes: 'new', params: [], id: 'TCR-1', events: {} }))
  t.match(made, { id: /^TCR-\d{3}-\d{3}-\d{3}-001$/, type: 'setup', status: 'inquiring', environment: 'production', notes: 'new', reason: '', assignee: null })
  t.match(made, { template: { id: templates.inquire, representation: 'Which company?' }, tiers: { tier1: { id: account }, tier2: null }, parent_configuration: null })
  const { configuration } = made
  t.match(configuration, { id: /^TC-/, status: 'processing', tier_level: 1, account: { id: account, name: 'Reseller Ltd' }, open_request: { id: made['id'] }, template: null })
  t.match(configuration.connection, { id: sale.connection_id, type: 'production', hub: { id: sale.hub_id, name: 'Hub' }, vendor: { id: sale.vendor.account_id } })
  t.match(configuration.configuration, { params: [{ id: 'terms_url', value: 'https://example.com/terms', scope: 'product' }] })
  t.strictSame(made['params'].map(({ id, value, scope }: Json) => [id, value, scope]), [['company', '', 'tier1'], ['partner_key', '', 'tier1']], 'its own level only')

  const url = `/v1/tier/config-requests/${made['id']}`
  t.strictSame((await byVendor('PUT', url, { params: [{ id: 'region', value: 'x' }] })).statusCode, 400)
  t.match(await provider('PUT', url, { params: [{ id: 'company', value: 'Reseller Ltd' }] }), { status: 'inquiring' })
  t.strictSame(await provider('POST', `${url}/pend`), {})
  t.match((await byVendor('POST', `${url}/approve`)).json(), { status: 400, errors: ['params.partner_key: is required before the request is approved'] })
  const written = await vendor('PUT', url, { params: [{ id: 'partner_key', value: 'K-1' }], notes: 'known' })
  t.match(written, { status: 'pending', notes: 'known', template: null })
  t.strictSame(await provider('PUT', url, {}), written, 'nothing to write is no change, and not refused')
  t.match((await byVendor('POST', `${url}/approve`, { template: { id: templates.tier2 } })).json(), { errors: [/^template\.id: .* tier1$/] })
  t.strictSame(await vendor('POST', `${url}/approve`, { template: { id: templates.tier1 }, effective_date: '2026-02-01 10:00:00.123456+01:00' }), {
    template: { id: templates.tier1, representation: 'Key K-1 of Reseller Ltd' }, effective_date: '2026-02-01T09:00:00+00:00',
  })
  const approved = await provider('GET', url)
  t.match(approved, { status: 'approved', assignee: { id: sale.vendor.key_id }, events: { approved: { at: /\+00:00$/ }, inquired: { at: /\+00:00$/ }, pended: { at: /\+00:00$/ } } })
  const config = `/v1/tier/configs/${configuration.id}`
  t.match(await provider('GET', config), { status: 'active', open_request: null, template: { id: templates.tier1, representation: 'Key K-1 of Reseller Ltd' } })
  const rendered = await byVendor('GET', `${config}/render`, undefined, { 'connect-localization': 'es_ES' })
  t.strictSame([rendered.body, rendered.headers['content-type'], rendered.headers['connect-localization']], ['Key K-1 of Reseller Ltd', 'text/markdown; charset=utf-8', 'es_ES'])
  const { rows } = await sql<{ stored: string }>`select concat((select json_agg(c) from tier_configs c), (select json_agg(r) from tier_config_requests r),
    (select json_agg(v) from parameter_values v), (select json_agg(e) from events e), (select json_agg(m) from messages m)) as stored`.execute(db)
  t.notMatch(rows[0]?.stored, /K-1/, 'a secret is nowhere in clear')
  t.match(rows[0]?.stored, /Key \{\{ partner_key \}\}/, 'only the template is kept')

  const change = await vendor('POST', '/v1/tier/config-requests', { configuration: { id: configuration.id }, params: [{ id: 'partner_key', value: 'K-2' }] })
  t.match(change, { id: `TCR${configuration.id.slice(2)}-002`, type: 'update', status: 'pending', configuration: { status: 'active', open_request: { id: change['id'] } } })
  t.strictSame(change['params'].map(({ value }: Json) => value), ['Reseller Ltd', 'K-2'], 'it starts from what the configuration has')
  t.match((await byVendor('POST', '/v1/tier/config-requests', { configuration: { id: configuration.id } })).json(), { status: 409, error_code: 'TCR_003', params: { request_id: change['id'], request_status: 'pending' } })
  t.match((await byVendor('POST', '/v1/tier/config-requests', setUp(sale, account))).json(), { errors: [/^configuration: TC-.* is set up/] })
  await vendor('POST', `/v1/tier/config-requests/${change['id']}/fail`, { reason: 'no' })
  t.match(await vendor('GET', `/v1/tier/config-requests/${change['id']}`), { status: 'failed', reason: 'no' })
  t.match(await vendor('GET', config), { status: 'active', template: { representation: 'Key K-1 of Reseller Ltd' } })
  const again = await provider('POST', '/v1/tier/config-requests', { type: 'adjustment', configuration: { id: configuration.id }, params: [{ id: 'partner_key', value: 'K-3' }] })
  t.strictSame(await vendor('POST', `/v1/tier/config-requests/${again['id']}/approve`, { template: { representation: 'Welcome, K-3' } }), {
    template: { id: '', representation: 'Welcome, K-3' }, effective_date: (await vendor('GET', `/v1/tier/config-requests/${again['id']}`))['effective_date'],
  })
  t.match(await vendor('GET', config), { template: { id: '', representation: 'Welcome, K-3' } }, 'a text of the vendor\'s own opens for the configuration too')

  const events = await db.selectFrom('events').select('type').where('subject_id', '=', made['id']).orderBy('created_at').orderBy('id').execute()
  t.strictSame(events.map(({ type }) => type.replace('tier_config_request.', '')), ['created', 'inquiring', 'parameters_written', 'pending', 'parameters_written', 'updated', 'approved'])
  const notes = await db.selectFrom('messages').innerJoin('conversations', 'conversations.id', 'messages.conversation_id').select('text').where('instance_id', '=', made['id']).execute()
  t.equal(notes.length, 3, 'the conversation has each move')
})

// Guarantee: a move that the state does not allow is refused with the state named, and changes nothing; so is one of the wrong side.
t.test('every move from every state', async (t) => {
  const { db, sale, byVendor, byProvider } = await arranged(t)
  const inState = async (status: string): Promise<string> => {
    const account = await tierAccountOf(sale, 'tier1', tierOf(status))
    const { id } = (await byProvider('POST', '/v1/tier/config-requests', setUp(sale, account, { status: 'draft' }))).json()
    const through = { draft: [], tiers_setup: ['tiers_setup'], pending: ['pending'], inquiring: ['inquiring'], approved: ['pending', 'approved'], failed: ['pending', 'failed'] }[status] ?? []
    for (const each of through) {
      await db.updateTable('tier_config_requests').set({ status: each, approved_at: each === 'approved' ? new Date() : null }).where('id', '=', id).execute()
    }
    return id
  }
  const dump = async () => (await sql<{ all: string }>`select md5(concat((select json_agg(r order by id) from tier_config_requests r), (select json_agg(c order by id) from tier_configs c),
    (select count(*) from events), (select count(*) from messages), (select json_agg(v) from parameter_values v))) as all`.execute(db)).rows[0]?.all
  for (const status of STATUSES) {
    const id = await inState(status)
    for (const verb of ['submit', 'approve', 'fail', 'inquire', 'pend', 'assign', 'unassign', 'validate']) {
      const isLegal = MOVES.some((move) => move.verb === verb && move.from === status) || (verb.endsWith('assign') && !['approved', 'failed'].includes(status)) ||
        (verb === 'validate' && ['draft', 'inquiring'].includes(status))
      if (isLegal) continue
      const before = await dump()
      const refused = await byVendor('POST', `/v1/tier/config-requests/${id}/${verb}`)
      t.match([refused.statusCode, refused.json()], [400, { error_code: 'REQ_001', errors: [new RegExp(`is ${status}: `)], params: { request_status: status } }], `${status}: ${verb}`)
      t.equal(await dump(), before, `${status}: ${verb} changes nothing`)
    }
    for (const verb of ['approve', 'fail', 'inquire', 'assign']) t.equal((await byProvider('POST', `/v1/tier/config-requests/${id}/${verb}`)).statusCode, 403, `${verb} is for the vendor`)
    const isWritable = ['draft', 'pending', 'inquiring'].includes(status)
    t.equal((await byVendor('PUT', `/v1/tier/config-requests/${id}`, { notes: 'x' })).statusCode, isWritable ? 200 : 400, `${status}: notes`)
    await t.rejects(db.updateTable('tier_config_requests').set({ status: status === 'draft' ? 'approved' : 'draft', approved_at: status === 'draft' ? new Date() : null }).where('id', '=', id).execute(),
      { code: '23514' }, `${status}: the database refuses too`)
  }
  const twice = await inState('pending')
  await byVendor('PUT', `/v1/tier/config-requests/${twice}`, { params: [{ id: 'partner_key', value: 'K' }] })
  const approve = (id: string) => byVendor('POST', `/v1/tier/config-requests/${id}/approve`, undefined, { 'idempotency-key': 'approve' })
  t.strictSame([(await approve(twice)).statusCode, (await approve(twice)).statusCode], [200, 200], 'a repeat under its key is answered as before')
  const id = await inState('pending')
  await byVendor('PUT', `/v1/tier/config-requests/${id}`, { params: [{ id: 'partner_key', value: 'K' }] })
  const racers = await Promise.all(['approve', 'approve', 'approve', 'fail'].map((verb) => byVendor('POST', `/v1/tier/config-requests/${id}/${verb}`)))
  t.equal(racers.filter(({ statusCode }) => statusCode < 300).length, 1, 'of vendors that race, one wins')
  t.equal(racers.filter((answer) => answer.statusCode === 400 && answer.json().error_code === 'REQ_001').length, 3)
})

// Guarantee: a draft asks for nothing until it is submitted; what is wrong with it is kept with it.
t.test('drafts, validation and assignment', async (t) => {
  const { db, sale, vendor, provider, byVendor, byProvider } = await arranged(t)
  await db.updateTable('product_parameters').set({ type: 'email' }).where('name', '=', 'company').execute()
  const account = await tierAccountOf(sale, 'tier1')
  const draft = await provider('POST', '/v1/tier/config-requests', setUp(sale, account, { status: 'draft' }))
  t.match(draft, { status: 'draft', configuration: { open_request: null } })
  t.match(draft['params'][0], { id: 'company', value: 'Reseller Ltd', value_error: /./ })
  const url = `/v1/tier/config-requests/${draft['id']}`
  t.equal((await byProvider('POST', `${url}/submit`, { params: [{ id: 'company', value: 'nobody' }] })).statusCode, 400, 'submitted, it is checked')
  t.equal((await byProvider('POST', `${url}/submit`)).statusCode, 400, 'so is what it has already')
  t.match((await provider('POST', `${url}/validate`, { params: [{ id: 'company', value: 'a@example.com' }] }))['params'][0], { value: 'a@example.com', value_error: '' })
  const other = await provider('POST', '/v1/tier/config-requests', setUp(sale, account, { params: [{ id: 'company', value: 'b@example.com' }] }))
  t.equal((await byProvider('POST', `${url}/submit`)).json().error_code, 'TCR_003', 'one at a time')
  await vendor('POST', `/v1/tier/config-requests/${other['id']}/fail`)
  t.match(await provider('POST', `${url}/submit`), { status: 'pending' })

  await db.updateTable('api_keys').set({ email: 'ada@example.com' }).where('id', '=', sale.vendor.key_id).execute()
  t.equal((await byVendor('POST', `${url}/assign`, { email: 'ada@example.com' })).statusCode, 204)
  t.match(await vendor('GET', url), { assignee: { id: sale.vendor.key_id, email: 'ada@example.com' } })
  t.equal((await byVendor('POST', `${url}/unassign`)).statusCode, 204)
  t.strictSame((await vendor('GET', '/v1/tier/config-requests?unassigned=true&status=pending&select(-configuration)')).map((each: Json) => [each['id'], each['configuration']]), [[draft['id'], undefined]])
  t.match((await byVendor('POST', `${url}/assign`, { id: sale.provider.key_id })).json(), { errors: [/^id: /] })
})

// Guarantee: what cannot be set up is refused by the name of the field.
t.test('what a set-up names', async (t) => {
  const { db, sale, vendor, byProvider, byVendor, provider } = await arranged(t)
  const account = await tierAccountOf(sale, 'tier1')
  const unseen = await tierAccountOf(sale, 'tier1', tierOf('Unseen'))
  const foreign = await saleOf(db, await testAccount(db, 'vendor'))
  const refused = async (configuration: object, call = byProvider): Promise<string> => {
    const answer = await call('POST', '/v1/tier/config-requests', { configuration: { product: { id: sale.product_id }, account: { id: account }, tier_level: 1, ...configuration } })
    return answer.statusCode === 400 ? answer.json().errors[0].split(':')[0] : `${answer.statusCode}`
  }
  t.equal(await refused({ tier_level: 3 }), 'configuration.tier_level')
  t.equal(await refused({ product: {} }), 'configuration.product.id')
  t.equal(await refused({ product: { id: foreign.product_id } }), 'configuration.connection.id')
  t.equal(await refused({ connection: { id: foreign.connection_id } }), 'configuration.connection.id')
  t.equal(await refused({ account: { id: 'TA-0000-0000-0000' } }), 'configuration.account.id')
  t.equal(await refused({ account: { external_uid: 'nobody' } }), 'configuration.account.external_uid')
  t.equal(await refused({ account: {} }), 'configuration.account')
  t.equal(await refused({ parent_account: { id: 'TA-0000-0000-0000' } }), 'configuration.parent_account.id')
  t.equal(await refused({ account: { id: unseen } }, byVendor), 'configuration.account.id', 'an account that the vendor has nothing to do with')
  t.equal(await refused({ id: 'TC-000-000-000' }), 'configuration.id')
  const made = await provider('POST', '/v1/tier/config-requests', setUp(sale, account))
  t.equal(await refused({ id: made['configuration'].id }), 'configuration.id', 'not set up yet')
  t.equal(await refused({}, byVendor), '409', 'now the vendor knows the account')
  await db.updateTable('products').set({ capabilities: '{}' }).where('id', '=', sale.product_id).execute()
  t.equal(await refused({ account: { id: unseen } }), 'configuration.tier_level', 'the product sets up nobody')
  t.equal((await vendor('GET', '/v1/tier/configs')).length, 1, 'refusals left nothing')
})

// Guarantee: a purchase waits for its resellers that are not set up, the one above first; racing purchases wait for the same requests.
t.test('the chain of a purchase', async (t) => {
  const { db, keyring, sale, vendor, byVendor } = await arranged(t)
  const tier1_id = await tierAccountOf(sale, 'tier1', tierOf('Below'))
  const tier2_id = await tierAccountOf(sale, 'tier2', tierOf('Above'))
  const { product_id, connection_id, marketplace_id, vendor: { account_id }, provider: { account_id: provider_id } } = sale
  const purchase = { account_id, provider_id, product_id, connection_id, marketplace_id, contract_id: null, tier1_id, tier2_id }
  const needed = (of: { tier1_id?: string, tier2_id?: string | null } = {}) =>
    inTransaction(db, (trx) => tierSetupNeeded(trx, keyring, { ...purchase, ...of }, null))
  const request = (id = '') => vendor('GET', `/v1/tier/config-requests/${id}`)

  const racers = await Promise.all(Array.from({ length: 6 }, () => needed()))
  t.equal(new Set(racers.map(String)).size, 1, 'all wait for the same')
  const [above, below] = racers[0]!
  t.match(await request(above), { type: 'setup', status: 'pending', configuration: { tier_level: 2, account: { id: tier2_id }, marketplace: { id: marketplace_id, name: 'Shop' } }, tiers: { tier1: null, tier2: { id: tier2_id } } })
  const waiting = await request(below)
  t.match(waiting, { status: 'tiers_setup', tiers: { tier1: { id: tier1_id }, tier2: { id: tier2_id } }, parent_configuration: { id: `TC${above?.slice(3, -4)}` } })
  await vendor('PUT', `/v1/tier/config-requests/${above}`, { params: [{ id: 'region', value: 'north' }] })
  t.match(await vendor('POST', `/v1/tier/config-requests/${above}/approve`), { template: { representation: 'Region north' } }, 'the first template of the tier')
  t.match(await request(below), { status: 'inquiring' }, 'it asks for its company now')
  t.strictSame(await needed(), [below], 'a later purchase waits for the rest')
  await vendor('PUT', `/v1/tier/config-requests/${below}`, { params: [{ id: 'company', value: 'Below' }, { id: 'partner_key', value: 'K' }] })
  await vendor('POST', `/v1/tier/config-requests/${below}/pend`)
  await vendor('POST', `/v1/tier/config-requests/${below}/approve`)
  t.strictSame(await needed(), [], 'all are set up')
  t.strictSame(await needed({ tier2_id: null }), [])

  const other = await tierAccountOf(sale, 'tier2', tierOf('Other above'))
  const another = await tierAccountOf(sale, 'tier1', tierOf('Another below'))
  t.equal((await needed({ tier2_id: other })).length, 1, 'only the new one')
  const [second, third] = await needed({ tier1_id: another, tier2_id: other })
  t.equal((await byVendor('POST', `/v1/tier/config-requests/${third}/approve`)).statusCode, 400)
  await vendor('POST', `/v1/tier/config-requests/${second}/fail`, { reason: 'unknown' })
  t.match(await request(third), { status: 'failed', reason: new RegExp(`^${second}`) }, 'what waits for it fails with it')
  t.match(await vendor('GET', `/v1/tier/configs?account.id=${another}`), [{ status: 'processing', open_request: null }])
  const { first, later } = await inTransaction(db, async (trx) => {
    const first = await tierSetupNeeded(trx, keyring, { ...purchase, tier1_id: another, tier2_id: other }, null)
    const later = needed({ tier1_id: another, tier2_id: other }).catch((error: Error) => [error.message])
    await untilWaiting(db)
    return { first, later }
  })
  t.equal(first.length, 2, 'a later purchase asks again')
  t.strictSame(await later, first, 'and another at the same time finds what it asked')
  await db.updateTable('products').set({ capabilities: '{}' }).where('id', '=', product_id).execute()
  t.strictSame(await needed({ tier1_id: another, tier2_id: other }), [], 'a product that asks for none')
})

// Guarantee: neither another vendor nor another provider sees a configuration or its requests, on any route.
t.test('what is not yours is as absent', async (t) => {
  const { app, db, sale, provider, stranger, operator } = await arranged(t)
  const made = await provider('POST', '/v1/tier/config-requests', setUp(sale, await tierAccountOf(sale, 'tier1')))
  for (const outsider of [stranger, await testAccount(db, 'provider')]) {
    const call = callsOf(app, outsider)
    for (const list of ['configs', 'config-requests']) t.strictSame((await call('GET', `/v1/tier/${list}`)).json(), [])
    for (const [method, url, payload] of [
      ['GET', ''], ['GET', '/render'], ['PUT', '', {}], ['PUT', '', { notes: 'x' }],
      ...['approve', 'fail', 'inquire', 'pend', 'assign', 'unassign', 'submit', 'validate'].map((verb) => ['POST', `/${verb}`] as const),
    ] as Array<['GET' | 'PUT' | 'POST', string, object?]>) {
      const [foreign, absent] = [await call(method, `/v1/tier/config-requests/${made['id']}${url}`, payload), await call(method, `/v1/tier/config-requests/TCR-000-000-000-001${url}`, payload)]
      t.equal(foreign.statusCode, 404, `${method} ${url}`)
      t.strictSame({ ...foreign.json(), request_id: '' }, { ...absent.json(), request_id: '' })
    }
    for (const url of ['', '/render']) t.equal((await call('GET', `/v1/tier/configs/${made['configuration'].id}${url}`)).statusCode, 404)
  }
  t.equal((await callsOf(app, operator)('GET', '/v1/tier/config-requests')).statusCode, 403)
})

// Guarantee: Connect's official client does all that it can do with tiers.
t.test('the official client', async (t) => {
  const { app, sale, templates, provider: ask } = await arranged(t)
  const url = await app.listen({ port: 0 })
  const [vendor, provider] = [clientOf(url, sale.vendor), clientOf(url, sale.provider)]
  const account = (await ask('POST', '/v1/tier/accounts', { ...tierOf('Reseller'), type: 'reseller' }))['id']
  const made = await provider.fulfillment.createTierConfigRequest(setUp(sale, account))
  t.match(await vendor.fulfillment.searchTierConfigRequests({ status: ['pending', 'inquiring'], 'configuration.product.id': sale.product_id, 'configuration.account.id': account }), [{ id: made.id, status: 'pending' }])
  t.match(await vendor.fulfillment.updateTierConfigRequest(made.id, {}), { status: 'pending' })
  await vendor.fulfillment.inquireTierConfigRequest(made.id, [{ id: 'company', value_error: 'who?' }], 'please')
  t.match(await vendor.fulfillment.getTierConfigRequest(made.id), { status: 'inquiring', notes: 'please', params: [{ id: 'company', value_error: 'who?' }, {}] })
  await vendor.fulfillment.pendingTierConfigRequest(made.id)
  await vendor.fulfillment.updateTierConfigRequestParameters(made.id, [{ id: 'partner_key', value: 'K-1' }])
  t.match(await vendor.fulfillment.approveTierConfigRequestWithTemplate(made.id, templates.tier1), { template: { id: templates.tier1, representation: 'Key K-1 of Reseller Ltd' } })
  const [config] = await vendor.directory.searchTierConfigurations({ 'account.id': account, 'params.id': 'company', 'params.value': 'Reseller Ltd' })
  t.match(config, { status: 'active', id: made.configuration.id })
  t.strictSame(await vendor.directory.searchTierConfigurations({ 'params.value': 'K-1' }), [], 'a secret cannot be looked for')
  const change = await vendor.fulfillment.createUpdateTierConfigRequest(config.id, [{ id: 'company', value: 'New Ltd' }])
  t.match(change, { type: 'update', status: 'pending' })
  t.match(await vendor.fulfillment.approveTierConfigRequest(change.id, { template: { id: templates.tier1 } }), { template: { representation: 'Key K-1 of New Ltd' } })
  const last = await provider.fulfillment.createUpdateTierConfigRequest(config.id, [])
  await vendor.fulfillment.failTierConfigRequest(last.id, 'no')
  t.match(await vendor.client.tierConfigRequests.get(last.id), { status: 'failed', reason: 'no' })
  t.match((await vendor.client.tierConfigs.search({ 'product.id': sale.product_id })).map(({ id }: Json) => id), [config.id])
  t.match(await vendor.fulfillment.pendingTierConfigRequest(last.id).then(() => undefined, (error: Json) => error), { status: 400, errorCode: 'REQ_001', errors: [/is failed/] })
  t.match((await vendor.directory.searchTierAccounts({ type: 'reseller' }))[0], { id: account, version: 1 })
})
