import t, { type Test } from 'tap'
import { planWebhooks } from '../../src/webhooks/plan.js'
import { purgeMessages } from '../../src/webhooks/purge.js'
import { testAccount } from '../support/app.js'
import { receiver } from '../support/receiver.js'
import { callsOf } from '../support/vendor.js'
import { CHANGE, changeOf, JWT_SECRET, makeWebhook, messagesOf, scene, tell, type Scene } from './support.js'

const URL = '/v1/notifications/webhooks'
const PUBLIC = 'https://hooks.example.com/requests'

// Guarantee: a webhook is Connect's object; what is secret in it is shown to nobody again, is sealed at rest, and survives the object being sent back.
t.test('a webhook and its secrets', async (t) => {
  const it = await scene(t)
  const { call, db, vendor, product_id } = it
  const headers = { 'x-team': 'blue-team-7', 'X-Other': 'other' }
  const made = await call('POST', URL, {
    label: 'Requests', object_class: 'fulfillment_request', product_id, external_url: PUBLIC, active: true, jwt_secret: JWT_SECRET, headers, data: { a: 1 }, api_url: 'x', stats: {},
  })
  t.equal(made.statusCode, 201)
  const webhook = made.json()
  t.match(webhook, {
    id: /^WH-\d{3}-\d{3}-\d{3}$/,
    label: 'Requests',
    type: 'event',
    object_class: 'fulfillment_request',
    external_url: PUBLIC,
    active: true,
    http_method: 'POST',
    product: { id: product_id, name: 'Product sku-pro' },
    headers: { 'x-team': '********', 'X-Other': '********' },
    jwt_secret: '********',
    data: { a: 1 },
    description: '',
    account: { id: vendor.account_id },
    created_by: { id: vendor.key_id, name: 'test', email: '' },
    api_url: /\/v1\/requests$/,
    last_success: null,
    last_event: null,
    stats: { events: 0, triggers: 0, success_triggers: 0, failure_triggers: 0, failure_since_last_success: 0 },
    modified_at: null,
    modified_by: null,
  })
  t.notOk('signing_secret' in webhook)
  t.equal(made.headers['location'], `${URL}/${webhook.id}`)
  t.strictSame((await call('GET', `${URL}/${webhook.id}`)).json(), webhook)

  const stored = async () => db.selectFrom('webhooks').select(['sealed_jwt_secret', 'sealed_headers', 'header_names']).executeTakeFirstOrThrow()
  const before = await stored()
  t.notMatch(JSON.stringify(Object.values(before).map(String)), /blue-team|only the two/, 'sealed')
  const back = await call('PUT', `${URL}/${webhook.id}`, { ...webhook, label: 'New', headers: { 'x-team': '********' } })
  t.match(back.json(), { label: 'New', headers: { 'x-team': '********' }, jwt_secret: '********', modified_by: { id: vendor.key_id } })
  t.strictSame(Object.keys(back.json().headers), ['x-team'])
  t.strictSame((await stored()).sealed_jwt_secret, before.sealed_jwt_secret, 'masked: left')
  t.match((await call('PUT', `${URL}/${webhook.id}`, { active: false })).json(), { active: false, label: 'New', external_url: PUBLIC }, 'in part')
  await call('PUT', `${URL}/${webhook.id}`, { jwt_secret: 'another' })
  t.notSame((await stored()).sealed_jwt_secret, before.sealed_jwt_secret, 'given: replaced')

  t.equal((await call('DELETE', `${URL}/${webhook.id}`)).statusCode, 204)
  for (const gone of [call('GET', `${URL}/${webhook.id}`), call('DELETE', `${URL}/${webhook.id}`), call('PUT', `${URL}/${webhook.id}`, {}), call('POST', `${URL}/${webhook.id}/trigger`)]) t.equal((await gone).statusCode, 404)
  t.match(await stored(), { sealed_jwt_secret: null, sealed_headers: null }, 'forgotten')
  t.strictSame((await call('GET', URL)).json(), [])
  const events = await db.selectFrom('events').selectAll().where('subject_id', '=', webhook.id).orderBy('created_at').execute()
  t.strictSame(events.map(({ type }) => type), ['webhook.created', 'webhook.updated', 'webhook.updated', 'webhook.updated', 'webhook.deleted'])
  t.notMatch(JSON.stringify([events, made.body, back.body]), /blue-team|only the two/)
})

// Guarantee: what cannot work, or must not be called, is refused when it is registered, with one sentence per fault.
t.test('refusals', async (t) => {
  const { call, asProvider, product_id } = await scene(t, { WEBHOOK_ALLOWED_NETWORKS: '203.0.113.0/24' })
  const body = { label: 'x', object_class: 'fulfillment_request', product_id, external_url: PUBLIC, active: true, jwt_secret: 'x' }
  const refused: Array<[object, RegExp]> = [
    [{ external_url: 'hooks.example.com' }, /^external_url: must be a URL/],
    [{ external_url: 'ftp://example.com' }, /^external_url: must start with http/],
    [{ external_url: 'https://me:pw@example.com' }, /^external_url: must not hold credentials/],
    [{ external_url: 'http://127.0.0.1:3000/' }, /^external_url: its address/],
    [{ external_url: 'http://0x7f.1/' }, /^external_url: its address/],
    [{ external_url: 'http://[::ffff:10.0.0.1]/' }, /^external_url: its address/],
    [{ external_url: `https://example.com/${'x'.repeat(2048)}` }, /^external_url: /],
    [{ jwt_secret: undefined }, /^jwt_secret: is required/],
    [{ jwt_secret: '********' }, /^jwt_secret: is required/],
    [{ jwt_secret: 'x'.repeat(101) }, /^jwt_secret: /],
    [{ product_id: undefined }, /^product_id: is required/],
    [{ type: 'validator', http_method: 'GET' }, /^http_method: must be POST/],
    [{ type: 'change', http_method: 'GET' }, /^http_method: must be POST/],
    [{ type: 'other' }, /^type: must be one of/],
    [{ object_class: 'listing_request' }, /^object_class: must be one of/],
    [{ object_class: 'order', type: 'event' }, /^type: must be change/],
    [{ headers: { Host: 'evil' } }, /^headers\.Host: is set by the service/],
    [{ headers: { authorization: 'x' } }, /^headers\.authorization: is set by the service/],
    [{ headers: { 'a b': 'x' } }, /^headers: has a name/],
    [{ headers: { a: 'x\r\nevil: 1' } }, /^headers\.a: must be printable/],
    [{ headers: { a: '********' } }, /^headers\.a: has no value to keep/],
    [{ active: 'yes' }, /^active: must be boolean/],
  ]
  for (const [change, sentence] of refused) {
    const answer = await call('POST', URL, { ...body, ...change })
    t.equal(answer.statusCode, 400, JSON.stringify(change))
    t.match(answer.json(), { error_code: 'VAL_001', errors: [sentence] })
  }
  t.match((await asProvider('POST', URL, { ...body, object_class: 'pool', type: 'change' })).json(), { status: 400, errors: [/^object_class: pool is for vendors/] })
  t.match((await call('POST', URL, { ...body, external_url: 'nowhere', jwt_secret: '' })).json().errors, [/^external_url/, /^jwt_secret/], 'all at once')
  t.equal((await call('POST', URL, { ...body, external_url: 'http://203.0.113.7/' })).statusCode, 201, 'an allowed network')
  const made = (await call('POST', URL, { ...body, type: 'change_validator' })).json()
  t.equal(made.type, 'change_validator')
  t.match((await call('PUT', `${URL}/${made.id}`, { external_url: 'http://10.0.0.1/' })).json().errors, [/^external_url: its address/])
  t.match((await call('POST', `${URL}/${made.id}/trigger`)).json(), { status: 409, error_code: 'WHK_004' })
  t.match((await call('POST', `${URL}/${made.id}/rotate-secret`, {})).json(), { status: 409, error_code: 'WHK_003' })
})

// Guarantee: a webhook is of a product that is the caller's own or that it is connected to, is seen by its owner only, and their number is bounded.
t.test('whose it is', async (t) => {
  const it = await scene(t)
  const { app, call, asProvider, db, stranger, operator, product_id } = it
  const mine = await makeWebhook(it, PUBLIC)
  const theirs = await makeWebhook({ ...it, call: asProvider }, PUBLIC)
  const strange = callsOf(app, stranger)
  for (const [other, webhook] of [[asProvider, mine], [call, theirs], [strange, mine]] as const) {
    t.strictSame((await other('GET', URL)).json().filter(({ id }: { id: string }) => id === webhook.id), [])
    for (const [method, tail] of [['GET', ''], ['PUT', ''], ['DELETE', ''], ['POST', '/trigger'], ['POST', '/rotate-secret'], ['GET', '/messages'], ['POST', '/messages/x/replay']] as const) {
      const foreign = await other(method, `${URL}/${webhook.id}${tail}`, ['PUT', 'POST'].includes(method) ? {} : undefined)
      const absent = await other(method, `${URL}/WH-000-000-000${tail}`, ['PUT', 'POST'].includes(method) ? {} : undefined)
      t.equal(foreign.statusCode, 404, `${method} ${tail}`)
      t.strictSame({ ...foreign.json(), request_id: '' }, { ...absent.json(), request_id: '' })
    }
  }
  const body = { label: 'x', object_class: 'fulfillment_request', product_id, external_url: PUBLIC, active: true, jwt_secret: 'x' }
  t.match((await strange('POST', URL, body)).json(), { status: 404, error_code: 'PRD_001' }, "another vendor's product")
  t.match((await callsOf(app, await testAccount(db, 'provider'))('POST', URL, body)).json(), { status: 404, error_code: 'PRD_001' }, 'no connection')
  await db.updateTable('connections').set({ status: 'revoked' }).execute()
  t.equal((await asProvider('POST', URL, body)).statusCode, 404, 'a connection that ended')
  t.equal((await callsOf(app, operator)('GET', URL)).statusCode, 403)

  const racers = await Promise.all(Array.from({ length: 104 }, () => call('POST', URL, body)))
  t.equal(racers.filter(({ statusCode }) => statusCode === 201).length, 99, 'a hundred with the first')
  t.match(racers.find(({ statusCode }) => statusCode !== 201)?.json(), { status: 409, error_code: 'WHK_005' })
})

// Guarantee: lists are filtered by Connect's fields and paged.
t.test('lists', async (t) => {
  const it = await scene(t)
  const a = await makeWebhook(it, PUBLIC, { label: 'A', description: 'first' })
  const b = await makeWebhook(it, PUBLIC, { label: 'B', active: false, ...CHANGE })
  const ids = async (query: string): Promise<string[]> => (await it.call('GET', `${URL}?${query}`)).json().map(({ id }: { id: string }) => id)
  t.strictSame(await ids(''), [a.id, b.id])
  t.strictSame(await ids('active=true'), [a.id])
  t.strictSame(await ids('type=change'), [b.id])
  t.strictSame(await ids(`product.id=${it.product_id}&ordering=-label`), [b.id, a.id])
  t.strictSame(await ids('product.name=Product%20sku-pro&description=first'), [a.id])
  t.equal((await it.call('GET', `${URL}?limit=1`)).headers['content-range'], 'items 0-0/2')
  t.equal((await it.call('GET', `${URL}?jwt_secret=x`)).statusCode, 400, 'not by a secret')
})

// Guarantee: a change is planned with its transaction or not at all, for those who asked for it and for nobody else.
t.test('planning', async (t) => {
  const it = await scene(t)
  const other = { ...it, call: it.asProvider }
  const hooks = {
    signal: await makeWebhook(it, PUBLIC),
    change: await makeWebhook(it, PUBLIC, CHANGE),
    every: await makeWebhook(it, PUBLIC, { ...CHANGE, product_id: undefined }),
    provider: await makeWebhook(other, PUBLIC, CHANGE),
    inactive: await makeWebhook(it, PUBLIC, { ...CHANGE, active: false }),
    validator: await makeWebhook(it, PUBLIC, { type: 'validator' }),
    tier: await makeWebhook(it, PUBLIC, { ...CHANGE, object_class: 'tier_config_request' }),
    order: await makeWebhook(it, PUBLIC, { ...CHANGE, object_class: 'order', product_id: undefined }),
    deleted: await makeWebhook(it, PUBLIC, CHANGE),
  }
  await it.call('DELETE', `${URL}/${hooks.deleted.id}`)
  const planned = async (): Promise<Record<string, number>> => Object.fromEntries(await Promise.all(
    Object.entries(hooks).map(async ([name, { id }]) => [name, (await messagesOf(it, id)).length] as const)))
  const none = await planned()
  await t.rejects(it.db.transaction().execute(async (trx) => {
    await planWebhooks(trx, changeOf(it))
    throw new Error('undone')
  }), /undone/)
  t.strictSame(await planned(), none, 'undone with its change')
  await tell(it, changeOf(it, { data: { id: 'PR-1', type: 'purchase', status: 'approved' } }))
  t.strictSame(await planned(), { ...none, signal: 1, change: 1, every: 1, provider: 1 })
  await tell(it, changeOf(it, { product_id: 'PRD-000-000-000' }), changeOf(it, { object_class: 'order', product_id: null, event: 'order.paid' }))
  t.strictSame(await planned(), { ...none, signal: 1, change: 1, every: 2, provider: 1, order: 1 })
  const [message] = await messagesOf(it, hooks.change.id)
  t.match(message, { kind: 'change', event: 'fulfillment_request.approved', data: { id: 'PR-1', type: 'purchase', status: 'approved' }, status: 'planned', attempts: 0 })
  t.match((await messagesOf(it, hooks.signal.id))[0], { kind: 'signal', data: {} })
})

/** Messages over the API. */
const messages = async ({ call }: Scene, id: string, query = '') => (await call('GET', `${URL}/${id}/messages?${query}`)).json()

// Guarantee: what was told is read back by its owner, and forgotten after 30 days or with its webhook.
t.test('messages', async (t: Test) => {
  const it = await scene(t)
  const { id } = await makeWebhook(it, (await receiver(t)).url, CHANGE)
  const gone = await makeWebhook(it, PUBLIC, CHANGE)
  await tell(it, changeOf(it), changeOf(it, { event: 'fulfillment_request.failed' }), changeOf(it))
  const [newest] = await messages(it, id)
  t.match(await messages(it, id, 'event=fulfillment_request.failed'), [{ event: 'fulfillment_request.failed', status: 'planned' }])
  t.match((await it.call('GET', `${URL}/${id}/messages/${newest.id}`)).json(), { ...newest, attempt_log: [] })
  t.equal((await it.call('GET', `${URL}/${gone.id}/messages/${newest.id}`)).statusCode, 404, "another webhook's message")
  t.match((await it.call('POST', `${URL}/${id}/messages/${newest.id}/replay`)).json(), { id: newest.id, status: 'planned' })
  await it.db.updateTable('webhook_messages').set({ created_at: new Date(Date.now() - 31 * 24 * 3600_000) }).where('id', '=', newest.id).execute()
  await it.db.insertInto('webhook_attempts').values({ account_id: it.vendor.account_id, message_id: newest.id, attempt: 1 }).execute()
  await it.call('DELETE', `${URL}/${gone.id}`)
  t.equal(await purgeMessages(it.db), 4)
  t.equal((await messages(it, id)).length, 2)
})
