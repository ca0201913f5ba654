import { createHmac } from 'node:crypto'
import t from 'tap'
import { testAccount, testApp, type TestAccount, type TestApp } from '../support/app.js'
import { askOf, makeMarket, type Market } from '../support/market.js'
import { callsOf } from '../support/vendor.js'

const WORDS = { subject: 'Your key', text: 'Here: {KEY}' }

async function shop (t: Parameters<typeof testApp>[0]) {
  const app = await testApp(t)
  const call = callsOf(app.app, app.vendor)
  const ask = askOf(call)
  const product = await ask('POST', '/v1/products', { name: 'Pro' })
  return { ...app, call, ask, product, below: `/v1/products/${String(product['id'])}` }
}

// Guarantee: a product needs no more than a name; it can be posted back whole; what steers requests is read as Connect nests it.
t.test('products as Connect has them', async (t) => {
  const { call, ask, product, below, vendor, app, db } = await shop(t)
  t.match(product, {
    status: 'published',
    version: 1,
    icon: '',
    owner: { id: vendor.account_id, name: 'vendor of a test' },
    capabilities: {
      subscription: { hold: true, scheduling: false, change: { validation: false } },
      tiers: { configs: null, updates: false },
      cart: { validation: false },
      inquiring: { validation: false },
    },
    configurations: { suspend_resume_supported: true, requires_reseller_information: false },
    visibility: { owner: true, listing: false },
    stats: { listings: 0, connections: 0 },
    mail_on_request: false,
    mail_template: { subject: 'Your license for {PROGRAM_NAME}', text: /\{KEY\}/ },
    external_ids: [],
  })
  t.match(product['events'], { created: { at: product['created_at'] }, updated: { at: product['updated_at'] } })
  const changed = await ask('PUT', below, {
    ...product,
    status: 'endofsale',
    icon: 'https://example.com/i.png',
    category: { id: 'CAT-1', name: 'Photo', extra: 1 },
    short_description: null,
    mail_on_request: true,
    capabilities: { subscription: { hold: false }, tiers: { configs: { level: 2 } }, ppu: { schema: 'QT' } },
  })
  t.match(changed, {
    status: 'endofsale', icon: 'https://example.com/i.png', short_description: '', mail_on_request: true, configurations: { suspend_resume_supported: false, requires_reseller_information: true },
  })
  t.strictSame(changed['category'], { id: 'CAT-1', name: 'Photo' }, 'unknown fields are not stored')
  t.match(changed['capabilities'], { ppu: { schema: 'QT' }, tiers: { configs: { level: 2 }, updates: false }, subscription: { hold: false } })
  t.strictSame(await ask('PUT', below, changed), { ...changed, updated_at: (await ask('GET', below))['updated_at'], events: (await ask('GET', below))['events'] }, 'posted back whole')

  const refused: Array<[object, RegExp]> = [
    [{ name: 'x', status: 'gone' }, /^status: must be one of "draft", "published", "endofsale"/],
    [{ name: 'x', capabilities: { subscription: { hold: 'yes' } } }, /^capabilities\.subscription\.hold: must be boolean or null/],
    [{ name: 'x', capabilities: { tiers: { configs: { level: 3 } } } }, /^capabilities\.tiers\.configs\.level: must be one of 1, 2/],
    [{ name: 'x', capabilities: { note: 'x'.repeat(10_000) } }, /^capabilities: must have at most/],
    [{}, /^name: is required/],
  ]
  for (const [body, sentence] of refused) {
    const { statusCode, json } = await call('POST', '/v1/products', body)
    t.equal(statusCode, 400, String(sentence))
    t.match(json().errors, [sentence])
  }
  const provider = await testAccount(db, 'provider', ['products:read', 'products:write'])
  t.equal((await callsOf(app, provider)('POST', '/v1/products', { name: 'mine' })).statusCode, 403, 'providers make none')
  t.match(await ask('GET', '/v1/products?status=endofsale&owner.id=' + vendor.account_id), [{ id: product['id'] }])
  t.strictSame(await ask('GET', '/v1/products?category.name=Other'), [])
})

// Guarantee: an item has an id that clients can cut to its product's, a number that is never used again, and names no other item has.
t.test('items', async (t) => {
  const { call, ask, product, below, db } = await shop(t)
  const seat = await ask('POST', `${below}/items`, { name: 'Seat', mpn: 'SEAT', period: 'monthly', unit: { id: 'unit', title: 'Seats' }, group: 'ignored' })
  const local_id = `${String(product['id']).replaceAll('-', '_')}_0001`
  t.match(seat, {
    id: `${String(product['id'])}-0001`,
    local_id,
    mpn: 'SEAT',
    name: 'Seat',
    display_name: 'Seat',
    status: 'published',
    type: 'reservation',
    precision: 'integer',
    period: 'monthly',
    commitment: { count: 1, multiplier: 'billing_period' },
    unit: { id: 'Seats', name: 'Seats', title: 'Seats', unit: 'Seats' },
    external_id: null,
    position: 1,
    dynamic: false,
    ui: { visibility: true },
  })
  t.equal(String(seat['id']).slice(0, 15), product['id'])
  const other = await ask('POST', `${below}/items`, { name: 'Storage' })
  t.match(other, { id: /-0002$/, mpn: /_0002$/, unit: { title: 'Licenses' } })
  for (const [taken, sentence] of [[{ mpn: 'SEAT' }, /^mpn: PRD-.*-0001 has it/], [{ local_id }, /^local_id: PRD-.*-0001 has it/]] as const) {
    for (const answer of [await call('POST', `${below}/items`, { name: 'x', ...taken }), await call('PUT', `${below}/items/${String(other['id'])}`, taken)]) {
      t.equal(answer.statusCode, 409)
      t.match(answer.json(), { error_code: 'PRD_012', errors: [sentence], params: { item_id: seat['id'] } })
    }
  }
  const racers = await Promise.all(Array.from({ length: 5 }, () => call('POST', `${below}/items`, { name: 'R', mpn: 'RACE' })))
  t.strictSame(racers.map(({ statusCode }) => statusCode).sort(), [201, 409, 409, 409, 409])
  t.match(await ask('PUT', `${below}/items/${String(seat['id'])}`, { ...seat, display_name: 'One seat', period: 'years_2', ui: { visibility: false } }), {
    ...seat, display_name: 'One seat', period: 'years_2', ui: { visibility: false }, events: { updated: {} },
  }, 'posted back whole')
  t.match((await call('POST', `${below}/items`, { name: 'x', period: 'weekly' })).json().errors, [/^period: must be one of/])
  t.match((await call('PUT', `${below}/items/${String(seat['id'])}`, { precision: 'half' })).json().errors, [/^precision: must be one of/])

  const listed = await call('GET', `${below}/items?ordering(-position)&limit=2`)
  t.equal(listed.headers['content-range'], 'items 0-1/3')
  t.match(await ask('GET', `${below}/items?mpn=SEAT`), [{ id: seat['id'] }])
  t.match(await ask('GET', `${below}/items/${String(seat['id'])}/`), { display_name: 'One seat' }, 'with a trailing slash')

  t.equal((await call('DELETE', `${below}/items/${String(other['id'])}`)).statusCode, 204)
  t.equal((await call('DELETE', `${below}/items/${String(other['id'])}`)).statusCode, 404)
  t.match((await call('GET', `${below}/items/${String(other['id'])}`)).json(), { error_code: 'PRD_003' })
  t.match(await ask('POST', `${below}/items`, { name: 'Later' }), { id: /-0004$/ }, 'a number is not used twice')
  t.match(await db.selectFrom('events').select(['type', 'data']).where('subject_id', '=', String(product['id'])).where('type', 'like', '%item_updated').execute(),
    [{ data: { item_id: seat['id'] } }])
})

// Guarantee: a product always has a text for the approval and one for the inquiry of an asset; a preview shows titles and runs nothing.
t.test('templates', async (t) => {
  const { call, ask, below } = await shop(t)
  const [fulfillment, inquire] = await ask('GET', `${below}/templates`) as unknown as Array<Record<string, string>>
  t.match([fulfillment, inquire], [{ type: 'fulfillment', scope: 'asset', position: 1, id: /^TL-\d{3}-\d{3}-\d{3}$/ }, { type: 'inquire', scope: 'asset', position: 2 }])
  await ask('POST', `${below}/parameters`, { name: 'license_key', title: 'License key', phase: 'fulfillment', secret: true })
  const made = await ask('POST', `${below}/templates`, { title: 'Welcome', body: '# Hi\n{{license_key}} {{ nothing }}{{ constructor }} <%= 1 %> #{1} {{ activation_form_url }}' })
  t.match(made, { title: 'Welcome', name: 'Welcome', scope: 'asset', type: 'fulfillment', position: 3 })
  for (const path of ['render', 'preview']) {
    const { statusCode, headers, body } = await call('GET', `${below}/templates/${String(made['id'])}/${path}`)
    t.equal(statusCode, 200)
    t.equal(headers['content-type'], 'text/markdown; charset=utf-8')
    t.equal(body, '# Hi\n[License key]  <%= 1 %> #{1} #')
  }
  for (const [method, url, payload] of [
    ['DELETE', `${below}/templates/${inquire?.['id'] ?? ''}`, undefined], ['PUT', `${below}/templates/${inquire?.['id'] ?? ''}`, { type: 'pending' }],
    ['PUT', `${below}/templates/${inquire?.['id'] ?? ''}`, { scope: 'tier1' }],
  ] as const) t.match((await call(method, url, payload)).json(), { status: 409, error_code: 'PRD_011', detail: /last one of the type inquire/ })
  t.match(await ask('PUT', `${below}/templates/${inquire?.['id'] ?? ''}`, { ...inquire, body: 'Tell us' }), { body: 'Tell us', type: 'inquire' })
  const gone = await Promise.all([fulfillment?.['id'] ?? '', String(made['id'])].map((id) => call('DELETE', `${below}/templates/${id}`)))
  t.strictSame(gone.map(({ statusCode }) => statusCode).sort(), [204, 409], 'of two that race to delete the last two, one does')
  t.equal((await call('GET', `${below}/templates/TL-000-000-000`)).json().error_code, 'PRD_005')
  t.match((await call('POST', `${below}/templates`, { title: 'x', body: '', type: 'other' })).json().errors, [/^type: must be one of/])
  t.match(await ask('GET', `${below}/templates?scope=asset&type=inquire`), [{ id: inquire?.['id'] }])
})

/** An asset written straight into the database: what requests make of it is tested elsewhere. */
async function assetOf ({ db }: Pick<TestApp, 'db'>, { vendor, provider, product_id, connection_id, marketplace_id }: Market, id: string): Promise<string> {
  await db.insertInto('assets').values({
    account_id: vendor.account_id, id, provider_id: provider.account_id, connection_id, product_id, status: 'active', external_uid: id, marketplace_id,
  }).execute()
  return id
}

// Guarantee: a link of an action is signed with its secret, short-lived, holds ids only, and is made only for what the caller may see.
t.test('actions and versions', async (t) => {
  const parts = await testApp(t)
  const market = await makeMarket(parts)
  const { byVendor, byProvider, product_id } = market
  const below = `/v1/products/${product_id}`
  const [call, foreign] = [callsOf(parts.app, market.vendor), callsOf(parts.app, parts.stranger)]
  const asset_id = await assetOf(parts, market, 'AS-1111-2222-3333')
  const { secret, ...action } = await byVendor('POST', `${below}/actions`, { action: 'sso', title: 'Log in', url: 'https://example.com/sso?a=1' })
  t.match(action, { id: /^ACT-/, name: 'sso', scope: 'asset', type: 'button', url: 'https://example.com/sso?a=1' })
  t.match(secret, /^[0-9a-f]{64}$/)
  t.strictSame(await byVendor('GET', `${below}/actions/${String(action['id'])}`), action, 'the secret is shown once')
  t.notMatch(await byProvider('GET', `${below}/actions`), [{ url: 'https://example.com/sso?a=1' }], 'where it leads is the vendor\'s')
  t.match(await byProvider('GET', `${below}/actions?scope=asset`), [{ id: action['id'] }])

  const link = async (ask: Market['byVendor'], query: string, of = below): Promise<URL> => new URL(String((await ask('GET', `${of}/actions/${String(action['id'])}/actionLink?${query}`))['link']))
  for (const [ask, caller] of [[byVendor, market.vendor], [byProvider, market.provider]] as const) {
    const url = await link(ask, `asset_id=${asset_id}`)
    t.equal(`${url.origin}${url.pathname}`, 'https://example.com/sso')
    t.equal(url.searchParams.get('a'), '1')
    const [head = '', body = '', signature] = url.searchParams.get('jwt')?.split('.') ?? []
    t.equal(createHmac('sha256', String(secret)).update(`${head}.${body}`).digest('base64url'), signature)
    const { iat, exp, ...claims } = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, number>
    t.equal(exp! - iat!, 600)
    t.strictSame(claims, { asset_id, action_id: action['id'], action: 'sso', product_id, account_id: (caller as TestAccount).account_id, iss: parts.config.public_url, sub: asset_id })
  }
  const at = `${below}/actions/${String(action['id'])}/actionLink`
  t.match((await call('GET', at)).json(), { status: 400, errors: [/^asset_id: is required/] })
  t.match((await call('GET', `${at}?asset_id=AS-0000-0000-0000`)).json(), { status: 404, error_code: 'AST_001' })
  t.match((await call('GET', `${below}/actions/ACT-0/actionLink?asset_id=${asset_id}`)).json(), { status: 404, error_code: 'PRD_006' })
  t.match((await foreign('GET', `${at}?asset_id=${asset_id}`)).json(), { status: 404, error_code: 'PRD_001' })
  const other = await makeMarket(parts, { vendor: market.vendor })
  await byVendor('POST', `${below}/connections`, { type: 'production', provider: { id: other.provider.account_id } })
  const otherProvider = callsOf(parts.app, other.provider)
  t.match((await otherProvider('GET', `${at}?asset_id=${asset_id}`)).json(), { status: 404, error_code: 'AST_001' }, 'another provider of the product')
  const { id: tiered } = await byVendor('POST', `${below}/actions`, { action: 'tier', title: 'T', url: 'https://example.com/', scope: 'tier1' })
  t.match((await call('GET', `${below}/actions/${String(tiered)}/actionLink?asset_id=${asset_id}`)).json().errors, [/^tier_config_id: is required/])
  t.match((await call('POST', `${below}/actions`, { action: 'sso', title: 'x', url: 'https://example.com/' })).json(), { status: 409, error_code: 'PRD_012' })
  for (const url of ['javascript:alert(1)', 'https://example.com/#x', 'x', 'http://a:99999', 'https://']) {
    t.equal((await call('POST', `${below}/actions`, { action: 'x', title: 'x', url })).statusCode, 400, url)
  }

  await t.test('versions', async (t) => {
    t.match(await byVendor('GET', `${below}/versions`), [{ id: product_id, version: 1, items: [], name: 'Front Street Pro' }], 'a product is its own first version')
    const made = await byVendor('POST', `${below}/versions`)
    t.match(made, { version: 2, owner: { id: market.vendor.account_id }, items: [{ mpn: 'SEAT-1' }], parameters: [{ name: 'admin_email' }, { name: 'license_key' }], templates: [{}, {}] })
    await byVendor('PUT', `${below}`, { name: 'Renamed' })
    t.strictSame(await byProvider('GET', `${below}/versions/2`), made, 'it stays as it was published')
    t.notMatch(JSON.stringify(made), /pool_id|mail_template/)
    t.equal((await byVendor('GET', below))['version'], 2)
    t.match(await byVendor('GET', `${below}/versions?ordering(-version)&gt(id,1)`), [{ version: 2 }])
    t.match(await byProvider('GET', `${below}/versions/2/actions?ordering(action)`), [{ action: 'sso' }, { action: 'tier' }])
    t.match(await byProvider('GET', `${below}/versions/2/actions?action=tier`), [{ action: 'tier' }])
    t.match(await byProvider('GET', `${below}/versions/2/actions/${String(action['id'])}`), { action: 'sso' })
    t.match((await link(byProvider, `asset_id=${asset_id}`, `${below}/versions/2`)).href, /^https:\/\/example\.com\/sso\?a=1&jwt=/)
    t.match((await call('GET', `${below}/versions/1/actions/${String(action['id'])}/actionLink?asset_id=${asset_id}`)).json(), { status: 404, error_code: 'PRD_006' })
    t.match((await call('GET', `${below}/versions/9`)).json(), { status: 404, error_code: 'PRD_007' })
    const racers = await Promise.all(Array.from({ length: 4 }, () => byVendor('POST', `${below}/versions`)))
    t.strictSame(racers.map(({ version }) => Number(version)).sort(), [3, 4, 5, 6])
  })
  await t.test('another secret and a deletion', async (t) => {
    const renewed = 'a-secret-of-our-own-of-32-characters'
    t.match(await byVendor('PUT', `${below}/actions/${String(action['id'])}`, { ...action, title: 'Enter', secret: renewed }), { title: 'Enter', url: action['url'] })
    const [head = '', body = '', signature] = (await link(byVendor, `asset_id=${asset_id}`)).searchParams.get('jwt')?.split('.') ?? []
    t.equal(createHmac('sha256', renewed).update(`${head}.${body}`).digest('base64url'), signature)
    const events = await parts.db.selectFrom('events').select('data').execute()
    t.notMatch(JSON.stringify(events), new RegExp(`${renewed}|${String(secret)}`))
    t.equal((await call('DELETE', `${below}/actions/${String(action['id'])}`)).statusCode, 204)
    t.match((await call('GET', `${below}/versions/2/actions/${String(action['id'])}/actionLink?asset_id=${asset_id}`)).json(), { status: 404, error_code: 'PRD_006' })
  })
})

// Guarantee: what was sold, requested, offered or is named elsewhere is not deleted; what was not goes with all below it.
t.test('deletions', async (t) => {
  const parts = await testApp(t)
  const market = await makeMarket(parts)
  const { byVendor, product_id, item_id } = market
  const call = callsOf(parts.app, market.vendor)
  const asset_id = await assetOf(parts, market, 'AS-1111-2222-3333')
  await parts.db.insertInto('asset_items').values({ account_id: market.vendor.account_id, asset_id, item_id, quantity: 1 }).execute()
  t.match((await call('DELETE', `/v1/products/${product_id}/items/${item_id}`)).json(), { status: 409, error_code: 'PRD_009', params: { used_by: 'asset_items' } })
  t.match((await call('DELETE', `/v1/products/${product_id}`)).json(), { status: 409, error_code: 'PRD_008' })
  t.match(await byVendor('GET', `/v1/products/${product_id}/parameters`), [{}, {}], 'all of it is still there')
  const templates = await byVendor('GET', `/v1/products/${product_id}/templates`) as unknown as Array<{ id: string }>
  await byVendor('POST', `/v1/products/${product_id}/templates`, { title: 'x', body: '' })
  await parts.db.updateTable('assets').set({ template_id: templates[0]!.id }).execute()
  t.match((await call('DELETE', `/v1/products/${product_id}/templates/${templates[0]!.id}`)).json(), { status: 409, error_code: 'PRD_011', params: { used_by: 'assets' } })

  const fresh = async (): Promise<string> => String((await byVendor('POST', '/v1/products', { name: 'Short', external_ids: ['sku-short'], mail_template: WORDS }))['id'])
  const id = await fresh()
  await byVendor('POST', `/v1/products/${id}/items`, { name: 'x' })
  const { id: parameter } = await byVendor('POST', `/v1/products/${id}/parameters`, { name: 'region', phase: 'configuration' })
  await byVendor('PUT', `/v1/products/${id}/configurations/${String(parameter)}`, { value: 'eu' })
  await byVendor('POST', `/v1/products/${id}/actions`, { action: 'x', title: 'x', url: 'https://example.com/' })
  t.equal((await callsOf(parts.app, parts.stranger)('DELETE', `/v1/products/${id}`)).statusCode, 404)
  t.equal((await call('DELETE', `/v1/products/${id}`)).statusCode, 204)
  t.equal((await call('GET', `/v1/products/${id}`)).statusCode, 404)
  const pooled = await fresh()
  await byVendor('POST', '/v1/pools', { name: 'p', product_ids: [pooled] })
  t.match((await call('DELETE', `/v1/products/${pooled}`)).json(), { status: 409, params: { used_by: 'pools' } })
})
