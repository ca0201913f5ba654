import t from 'tap'
import { noteMessage, noteStateChange, openConversation } from '../../src/conversations/note.js'
import { inTransaction } from '../../src/database/transaction.js'
import { testAccount, testApp, type TestApp } from '../support/app.js'
import { clientOf } from '../support/sdk.js'
import { callsOf } from '../support/vendor.js'

const INSTANCE = 'PR-1111-2222-3333-001'
const CONVERSATION = 'CO-1111-2222-3333-001'

/** A vendor and a provider with the conversation about a request between them, as the request's verbs make it. */
async function talk ({ app, db }: Pick<TestApp, 'app' | 'db'>, instance_id = INSTANCE) {
  const [vendor, provider] = [await testAccount(db, 'vendor'), await testAccount(db, 'provider')]
  const between = { account_id: vendor.account_id, instance_id }
  await inTransaction(db, async (trx) => {
    await openConversation(trx, { ...between, provider_id: provider.account_id, topic: `Purchase ${instance_id}`, actor: provider.key_id })
    await noteStateChange(trx, { ...between, text: 'draft → pending', actor: provider.key_id })
  })
  return { vendor, provider, between, byVendor: callsOf(app, vendor), byProvider: callsOf(app, provider) }
}

// Guarantee: both sides of a request read and write its conversation, found by its own id and by the request's, in Connect's shape.
t.test('both sides', async (t) => {
  const { app, db } = await testApp(t)
  const { vendor, provider, between, byVendor, byProvider } = await talk({ app, db })
  const accounts = [{ id: vendor.account_id, name: 'vendor of a test' }, { id: provider.account_id, name: 'provider of a test' }]
  const events = { created: { at: /\+00:00$/ }, updated: { at: /\+00:00$/ } }
  const conversation = {
    id: CONVERSATION, instance_id: INSTANCE, topic: `Purchase ${INSTANCE}`, type: 'conversation', status: 'open', accounts, creator: { id: provider.key_id, name: 'test' }, created: /\+00:00$/, events,
  }
  for (const call of [byVendor, byProvider]) {
    for (const id of [CONVERSATION, INSTANCE]) t.match((await call('GET', `/v1/conversations/${id}`)).json(), conversation)
    const listed = await call('GET', `/v1/conversations?instance_id=${INSTANCE}`)
    t.match([listed.json(), listed.headers['content-range']], [[conversation], 'items 0-0/1'])
    t.strictSame((await call('GET', '/v1/conversations?instance_id=PR-0')).json(), [])
  }

  const posted = await byVendor('POST', `/v1/conversations/${INSTANCE}/messages`, { text: 'Which domain?', id: 'ME-0', conversation: 'CO-0' })
  t.equal(posted.statusCode, 201)
  t.match(posted.json(), {
    id: /^ME-/, conversation: CONVERSATION, account: accounts[0], creator: { id: vendor.key_id, name: 'test' }, text: 'Which domain?', type: 'message', created: /\+00:00$/, events,
  })
  t.equal(posted.headers['location'], `/v1/conversations/${CONVERSATION}/messages/${posted.json().id}`)
  await byProvider('POST', `/v1/conversations/${CONVERSATION}/messages`, { text: 'example.com' })
  await inTransaction(db, async (trx) => {
    await noteMessage(trx, { ...between, text: 'Waits for stock of pool PL-1' })
    await noteStateChange(trx, { ...between, text: 'pending → approved' })
  })
  const told = [
    { type: 'state_change', text: 'draft → pending', account: accounts[1] }, { type: 'message', text: 'Which domain?' }, { type: 'message', text: 'example.com', account: accounts[1] },
    { type: 'message', text: 'Waits for stock of pool PL-1', account: { id: '', name: 'Latchkey' }, creator: { id: '', name: 'Latchkey' } }, { type: 'state_change', text: 'pending → approved' },
  ]
  for (const call of [byVendor, byProvider]) {
    const { json, headers } = await call('GET', `/v1/conversations/${INSTANCE}/messages`)
    t.match([json(), headers['content-range']], [told, 'items 0-4/5'], 'in the order of what happened')
    t.strictSame((await call('GET', `${String(posted.headers['location'])}`)).json(), posted.json())
    t.match((await call('GET', `/v1/conversations/${INSTANCE}/messages?type=state_change&ordering(-created)`)).json(), [{ text: 'pending → approved' }, { text: 'draft → pending' }])
  }
  await t.rejects(inTransaction(db, (trx) => noteStateChange(trx, { ...between, instance_id: 'PR-0', text: 'x' })), /no conversation about PR-0/, 'a note never gets lost')
})

// Guarantee: each kind of request has a conversation of its own, even where their digits are the same.
t.test('ids of conversations', async (t) => {
  const { app, db } = await testApp(t)
  const { vendor, provider, between, byVendor } = await talk({ app, db })
  for (const [instance_id, id] of [['TAR-1111-2222-3333-001', 'CO-TAR-1111-2222-3333-001'], ['TCR-111-222-333-001', 'CO-111-222-333-001']] as const) {
    t.equal(await inTransaction(db, (trx) => openConversation(trx, { ...between, instance_id, provider_id: provider.account_id, topic: 'x', actor: null })), id)
    for (const known of [id, instance_id]) t.match((await byVendor('GET', `/v1/conversations/${known}`)).json(), { id, instance_id, creator: { id: '', name: 'Latchkey' } })
  }
  const other = await testAccount(db, 'vendor')
  await inTransaction(db, (trx) => openConversation(trx, { ...between, account_id: other.account_id, provider_id: provider.account_id, topic: 'x' }))
  t.match((await byVendor('GET', `/v1/conversations/${INSTANCE}`)).json(), { accounts: [{ id: vendor.account_id }, {}] }, 'two vendors may have the same digits')
})

// Guarantee: only its author changes a message, nobody tells a change of state but the service, and nobody writes to a closed conversation.
t.test('who writes what', async (t) => {
  const { app, db } = await testApp(t)
  const { vendor, between, byVendor, byProvider } = await talk({ app, db })
  const messages = `/v1/conversations/${INSTANCE}/messages`
  const opened = await byVendor('POST', '/v1/conversations', { instance_id: 'PR-0', topic: 'mine' })
  t.match([opened.statusCode, opened.json()], [403, { error_code: 'AUTH_002', detail: /made with its request/ }])

  for (const [payload, fault] of [
    [{ text: 'approved!', type: 'state_change' }, /^type: must be one of/], [{ text: '' }, /^text: /], [{}, /^text: is required/], [{ text: 'x'.repeat(4001) }, /^text: /],
  ] as const) {
    const { statusCode, json } = await byVendor('POST', messages, payload)
    t.match([statusCode, json().errors], [400, [fault]])
  }
  const { id } = (await byVendor('POST', messages, { text: 'x'.repeat(4000) })).json()
  const [change] = (await byVendor('GET', messages)).json()
  t.match((await byVendor('PUT', `${messages}/${id}`, { text: 'better', type: 'state_change' })).json(), { id, text: 'better', type: 'message' })
  t.equal((await byProvider('PUT', `${messages}/${id}`, { text: 'worse' })).statusCode, 403, 'the other side\'s')
  t.equal((await byProvider('PUT', `${messages}/${change.id}`, { text: 'not approved' })).statusCode, 403, 'a change of state, though it was the cause')
  t.equal((await byVendor('PUT', `${messages}/ME-0`, { text: 'x' })).json().error_code, 'CNV_002')
  t.strictSame((await byProvider('GET', messages)).json().map(({ text }: { text: string }) => text), ['draft → pending', 'better'])

  const key = { 'idempotency-key': 'once' }
  const [first, repeat] = [await byVendor('POST', messages, { text: 'once' }, key), await byVendor('POST', messages, { text: 'once' }, key)]
  t.equal(first.json().id, repeat.json().id, 'a repeat says nothing twice')

  for (let i = 0; i < 2; i++) t.match((await byProvider('POST', `/v1/conversations/${INSTANCE}/close`)).json(), { id: CONVERSATION, status: 'closed' })
  for (const answer of [await byVendor('POST', messages, { text: 'late' }), await byVendor('PUT', `${messages}/${id}`, { text: 'late' })]) {
    t.match([answer.statusCode, answer.json()], [409, { error_code: 'CNV_003', params: {} }])
  }
  await inTransaction(db, (trx) => noteStateChange(trx, { ...between, text: 'pending → failed' }))
  t.match((await byVendor('GET', `${messages}?ordering(-created)`)).json()[0], { text: 'pending → failed' }, 'what happens is still noted')
  const recorded = await db.selectFrom('events').select(['type', 'account_id', 'data']).where('type', 'like', 'message.%').orderBy('created_at').execute()
  t.match(recorded.map(({ type }) => type), ['message.posted', 'message.updated', 'message.posted'])
  t.match(recorded[0], { account_id: vendor.account_id, data: { conversation_id: CONVERSATION, instance_id: INSTANCE, type: 'message' } })
  t.notMatch(JSON.stringify(recorded), /better|once/, 'no event has a text')
  t.equal((await db.selectFrom('events').select('id').where('type', '=', 'conversation.closed').execute()).length, 1)
})

// Guarantee: a private message is shown to nobody but its author's account; a conversation to nobody but its two sides. What is not yours is as absent.
t.test('who reads what', async (t) => {
  const { app, db, operator } = await testApp(t)
  const one = await talk({ app, db })
  const two = await talk({ app, db }, 'PR-4444-5555-6666-001')
  const messages = `/v1/conversations/${INSTANCE}/messages`
  const secret = (await one.byVendor('POST', messages, { text: 'they pay late', type: 'private' })).json()
  t.match(secret, { type: 'private', text: 'they pay late' })
  t.equal((await one.byVendor('GET', messages)).json().length, 2)
  const seen = await one.byProvider('GET', messages)
  t.match([seen.json().length, seen.headers['content-range']], [1, 'items 0-0/1'])
  t.strictSame((await one.byProvider('GET', `${messages}?type=private`)).json(), [])
  t.strictSame((await one.byProvider('GET', `${messages}?or(type=private,like(text,*late*))`)).json(), [])
  for (const answer of [await one.byProvider('GET', `${messages}/${secret.id}`), await one.byProvider('PUT', `${messages}/${secret.id}`, { text: 'x' })]) {
    t.match([answer.statusCode, answer.json().error_code], [404, 'CNV_002'])
  }
  const answer = (await one.byProvider('POST', messages, { text: 'they ask much', type: 'private' })).json()
  t.strictSame((await one.byVendor('GET', `${messages}?type=private`)).json(), [secret], 'nor the provider\'s to the vendor')
  for (const [call, hidden, own] of [[one.byVendor, answer.id, secret.id], [one.byProvider, secret.id, answer.id]]) {
    const { body } = await call('GET', '/v1/events')
    t.notMatch(body, hidden, 'the audit trail does not tell of it either')
    t.match(body, own)
  }
  t.match((await one.byVendor('PUT', `${messages}/${secret.id}`, { text: 'they pay' })).json(), { type: 'private', text: 'they pay' })

  const absent = (url: string): string => url.replace(INSTANCE, 'PR-0').replace(CONVERSATION, 'CO-0')
  for (const call of [two.byVendor, two.byProvider, callsOf(app, await testAccount(db, 'operator', ['conversations:read', 'conversations:write']))]) {
    for (const url of [`/v1/conversations/${CONVERSATION}`, messages, `${messages}/${secret.id}`]) {
      const [foreign, none] = [await call('GET', url), await call('GET', absent(url))]
      t.equal(foreign.statusCode, 404)
      t.strictSame({ ...foreign.json(), request_id: '' }, { ...none.json(), request_id: '' })
    }
    t.equal((await call('POST', messages, { text: 'hello' })).statusCode, 404)
    t.equal((await call('PUT', `${messages}/${secret.id}`, { text: 'hello' })).statusCode, 404)
    t.equal((await call('POST', `/v1/conversations/${INSTANCE}/close`)).statusCode, 404)
    t.notMatch((await call('GET', '/v1/conversations')).body, INSTANCE)
  }
  t.equal((await callsOf(app, operator)('GET', '/v1/conversations')).statusCode, 403)
  t.match((await one.byVendor('GET', `/v1/conversations/${INSTANCE}`)).json(), { status: 'open' })
})

// Guarantee: Connect's own client finds the conversation of a request, reads it and writes to it.
t.test('the official client', async (t) => {
  const { app, db } = await testApp(t)
  const { vendor, provider } = await talk({ app, db })
  const url = await app.listen({ port: 0 })
  const [{ client }, { client: theirs }] = [clientOf(url, vendor), clientOf(url, provider)]
  t.match(await client.conversations.getConversationsByObjectId(INSTANCE), [{ id: CONVERSATION, instance_id: INSTANCE }])
  const message = await client.conversations.createMessage(CONVERSATION, 'Which domain?')
  t.match(message, { id: /^ME-/, text: 'Which domain?' })
  const messages = theirs.conversations.messages(CONVERSATION)
  t.match(await messages.search({ type: 'message' }), [message])
  t.match(await messages.get(message.id), message)
  t.match(await client.conversations.messages(CONVERSATION).update(message.id, { ...message, text: 'Which one?' }), { id: message.id, text: 'Which one?' })
  t.match(await theirs.conversations.get(INSTANCE), { id: CONVERSATION })
  const refused: unknown = await theirs.conversations.create({ instance_id: 'PR-0' }).catch((error: unknown) => error)
  t.match(refused, { status: 403, errorCode: 'AUTH_002' })
})
