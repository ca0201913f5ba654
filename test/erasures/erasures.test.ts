import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { sql } from 'kysely'
import { inTransaction } from '../../src/database/transaction.js'
import { finishDelivery } from '../support/deliveries.js'
import { removeKeptMails } from '../../src/erasures/remove-kept-mails.js'
import { checkout, paid } from '../payments/support.js'
import { assertInvariants } from '../support/invariants.js'
import { dataDir } from '../support/process.js'
import type { Json } from '../support/sdk.js'
import { callsOf, load, makePool, makeProduct, orderOf, type Call } from '../support/vendor.js'
import { claimMails, erase, mailAll, mentions, workOff } from './support.js'

const ADA = { email: 'Ada@example.com', first_name: 'Ada', last_name: 'Lovelace', company: 'Engines', phone: '+44 20 1' }
const place = async (call: Call, external_id: string, customer: object = ADA, other: object = {}): Promise<Json> => {
  const answer = await call('POST', '/v1/orders', orderOf(external_id, { customer, ...other }))
  if (answer.statusCode !== 201) throw new Error(answer.body)
  return answer.json()
}
const read = async (call: Call, url: string): Promise<Json> => (await call('GET', url)).json()
const problemOf = (answer: { json: <T>() => T }): string => answer.json<Json>()['type'].split('#')[1]

// Guarantee: a customer is erased by address, in capitals or not, over all orders, also those that were mailed to it in place of another; others are not. What
// was bought and given stays, and can be revealed; nobody mails, finds or places back what was erased.
t.test('a customer is erased, and nobody else', async (t) => {
  const shop = await checkout(t)
  const { db, call } = shop
  const one = await place(call, 'A-1')
  const two = await place(call, 'A-2', { email: 'ADA@EXAMPLE.COM' })
  const corrected = await place(call, 'A-3', { email: 'typo@example.com' })
  await sql`update orders set mail_to = 'ada@example.com' where id = ${corrected.id}`.execute(db)
  const other = await place(call, 'B-1', { email: 'bob@example.com', first_name: 'Bob' })
  const stranger = callsOf(shop.app, shop.stranger)
  await makePool(stranger, { product_ids: [await makeProduct(stranger, 'sku-pro')] }, ['STRANGERS-KEY-1'])
  const theirs = await place(stranger, 'A-1')
  await mailAll(shop)

  const erased = await erase(shop, call, { email: 'aDa@Example.com', reason: 'request 17' })
  t.match(erased, { kind: 'customer', status: 'done', orders: 3, kept: 0, kept_ids: [], reason: 'request 17' })
  for (const { id } of [one, two, corrected]) t.match(await read(call, `/v1/orders/${id}`), { customer: {}, erased_at: /^20/, status: 'paid', fulfillment_status: 'fulfilled' })
  t.match(await read(call, `/v1/orders/${other.id}`), { customer: { email: 'bob@example.com', first_name: 'Bob' }, erased_at: null })
  t.match(await read(stranger, `/v1/orders/${theirs.id}`), { customer: ADA, erased_at: null }, 'another vendor knows the customer still')
  t.strictSame((await mentions(shop, 'ada@example.com')).filter((row) => !row.includes(shop.stranger.account_id)), [], 'nothing is left')
  t.same(await read(call, '/v1/orders?customer.email=ada@example.com'), [])
  t.same(await read(call, '/v1/deliveries?to=ada@example.com'), [])
  t.equal((await read(call, '/v1/orders?erased_at=null()') as unknown as Json[]).length, 1)

  const [license] = (await read(call, `/v1/orders/${one.id}`))['line_items'][0].licenses
  t.match(await (await call('POST', `/v1/licenses/${license.id}/reveal`)).json(), { key: /^ABCD-EFGH-/ }, 'its license is still known')
  const resent = await call('POST', `/v1/orders/${one.id}/resend`)
  t.equal(resent.statusCode, 409)
  t.equal(problemOf(resent), 'customer-erased')
  t.equal((await call('POST', '/v1/orders', orderOf('A-1', { customer: ADA }))).statusCode, 200, 'the same order again is known')
  t.match(await read(call, `/v1/orders/${one.id}`), { customer: {} }, 'and does not bring the customer back')
  await call('POST', `/v1/orders/${two.id}/refund`, {})
  t.match(await read(call, `/v1/orders/${two.id}`), { status: 'refunded' }, 'it can be refunded')
  t.same((await read(call, '/v1/events?type=order.erased') as unknown as Json[]).map((event) => event['subject_id']).sort(), [one.id, two.id, corrected.id].sort())
  t.match(await erase(shop, call, { email: 'ada@example.com' }), { status: 'done', orders: 0 }, 'again there is nothing to do')
  t.equal((await callsOf(shop.app, shop.stranger)('GET', `/v1/erasures/${erased.id}`)).statusCode, 404)
  await assertInvariants(t, db)
})

// Guarantee: what is asked for is exactly one person, and what is kept of it is nobody's name.
t.test('what an erasure is asked for', async (t) => {
  const shop = await checkout(t)
  const { call } = shop
  for (const asked of [{}, { email: 'a@example.com', order_id: 'OR-1' }, { email: 'a@example.com', reason: 'for a@example.com' }, { mail: 'a@example.com' }]) {
    const answer = await call('POST', '/v1/erasures', asked)
    t.equal(answer.statusCode, 400, JSON.stringify(asked))
  }
  t.equal(problemOf(await call('POST', '/v1/erasures', { order_id: 'OR-1' })), 'order-not-found')
  t.equal(problemOf(await call('POST', '/v1/erasures', { tier_account_id: 'TA-1' })), 'tier-account-not-found', 'tier accounts are the provider\'s')
  const order = await place(call, 'A-1')
  await place(call, 'A-2')
  await mailAll(shop)
  t.match(await erase(shop, call, { order_id: order.id }), { orders: 2 }, 'the customer of an order is all that has its address')
  t.same(await shop.db.selectFrom('erasures').select(['sealed_subject', 'fingerprint']).execute(), [{ sealed_subject: null, fingerprint: null }], 'whom it was about is not kept')
})

// Guarantee: what is paid and not delivered is not lost by an erasure that does not say so: waiting for stock, not mailed yet, mailed in vain, or disputed.
// Forced, its mails are cancelled, it goes on waiting, and nobody is mailed when it is filled.
t.test('what is not delivered is refused, unless forced', async (t) => {
  const shop = await checkout(t, 3)
  const { db, call, pool_id } = shop
  const planned = await place(call, 'A-1')
  await place(call, 'A-2')
  const [first, second] = (await claimMails(shop)).sort((a) => a.order_id === planned.id ? -1 : 1)
  await inTransaction(db, (trx) => finishDelivery(trx, first as never, { outcome: 'deferred', response: '451 later, Ada@example.com' }))
  await inTransaction(db, (trx) => finishDelivery(trx, second as never, { outcome: 'bounced', response: '550 no Ada@example.com' }))
  const waiting = await place(call, 'A-3', ADA, { line_items: [{ product: 'sku-pro', quantity: 2 }] })
  await place(call, 'A-4') // behind it
  const refused = await call('POST', '/v1/erasures', { order_id: planned.id })
  t.equal(refused.statusCode, 409)
  t.equal(problemOf(refused), 'customer-served')
  t.ok(refused.json<Json>()['params'].ids.includes(planned.id), 'it says which')
  t.same(await db.selectFrom('erasures').select('id').execute(), [], 'and nothing is begun')

  t.match(await erase(shop, call, { email: 'ada@example.com', force: true }), { status: 'done', orders: 4, kept: 0 })
  t.same((await db.selectFrom('deliveries').select('status').distinct().orderBy('status').execute()).map((row) => row.status), ['bounced', 'cancelled'])
  t.strictSame(await mentions(shop, 'ada@example.com'), [], 'the answers of the mail server are gone too')
  await load(call, pool_id, ['LATE-KEY-0001', 'LATE-KEY-0002', 'LATE-KEY-0003'])
  t.match(await read(call, `/v1/orders/${waiting.id}`), { fulfillment_status: 'fulfilled', customer: {} })
  t.same(await claimMails(shop), [], 'nobody is mailed')
  await assertInvariants(t, db)
})

// Guarantee: the worker, which looks at every order, leaves what became undelivered after it was asked, and says so.
t.test('what is left is named', async (t) => {
  const shop = await checkout(t)
  const { call } = shop
  await place(call, 'A-1')
  await mailAll(shop)
  const order = await place(call, 'A-2', { email: 'AdA@example.com' })
  await sql`update deliveries set "to" = 'elsewhere@example.com' where order_id = ${order.id}`.execute(shop.db) // so that the quick look does not see it
  t.match(await erase(shop, call, { email: 'ada@example.com' }), { status: 'done', orders: 1, kept: 1, kept_ids: [order.id] })
  t.match(await read(call, `/v1/orders/${order.id}`), { customer: { email: 'AdA@example.com' }, erased_at: null })
})

// Guarantee: a mail that is being sent is waited for: its worker writes down what the server says, and only then is the order erased.
t.test('a mail under way is waited for', async (t) => {
  const shop = await checkout(t)
  const { db, call } = shop
  const order = await place(call, 'A-1')
  const [claimed] = await claimMails(shop)
  const running = await erase(shop, call, { email: 'ada@example.com', force: true })
  t.match(running, { status: 'running', orders: 0 })
  t.match(await read(call, `/v1/orders/${order.id}`), { customer: ADA })
  await inTransaction(db, (trx) => finishDelivery(trx, claimed as never, { outcome: 'deferred', response: '451 later, Ada@example.com' }))
  await workOff(shop)
  t.match(await read(call, `/v1/erasures/${running.id}`), { status: 'done', orders: 1 })
  t.strictSame(await mentions(shop, 'ada@example.com'), [])
  t.match(await db.selectFrom('deliveries').select(['status', 'last_error', 'to']).execute(), [{ status: 'cancelled', to: '' }])
  await assertInvariants(t, db)
})

// Guarantee: whatever a checkout says of an erased order, again or anew, is known and counts, and does not bring the customer back: the same event, another
// with the same order, a refund, another content under its name. What was erased cannot be replayed.
t.test('a checkout says it again', async (t) => {
  const shop = await checkout(t)
  const { db, call, send } = shop
  const { id: source_id } = shop.source
  const customer = { ...ADA, email: 'ada+shop@example.com' }
  const said = paid('A-1', { customer })
  t.match(await send(said, { id: 'one' }), { status: 200 })
  await mailAll(shop)
  t.match(await erase(shop, call, { email: 'ada+shop@example.com' }), { orders: 1, payment_events: 1 })
  const [event] = await read(call, '/v1/payment-events') as unknown as Json[]
  t.match(event, { status: 'processed', erased_at: /^20/ })
  const replayed = await call('POST', `/v1/payment-events/${event?.id}/replay`)
  t.equal(replayed.statusCode, 409)
  t.equal(problemOf(replayed), 'payment-event-erased')
  t.match((await call('POST', '/v1/payment-events/replay', { source_id, received_from: '2020-01-01T00:00:00Z' })).json(), { total: 0 }, 'nor in a range')

  t.match(await send(said, { id: 'one' }), { status: 200, json: { status: 'processed', id: event?.id } }, 'the same event')
  t.match(await send(said, { id: 'two' }), { status: 200, json: { status: 'processed' } }, 'another event with the same order')
  t.match(await send(paid('A-1', { customer, currency: 'USD' }), { id: 'three' }), { status: 202, json: { status: 'failed' } }, 'other content')
  const refund = { type: 'order.refunded', timestamp: '2026-02-01T10:15:00Z', data: { external_id: 'A-1', customer } }
  t.match(await send(refund, { id: 'four' }), { status: 200, json: { status: 'processed' } }, 'a refund')
  t.match(await read(call, '/v1/orders?external_id=A-1'), [{ status: 'refunded', customer: {} }])
  t.strictSame(await mentions(shop, 'ada+shop'), [])
  t.equal((await db.selectFrom('payment_events').select('id').where('erased_at', 'is not', null).execute()).length, 4, 'each is known, and empty')
  await assertInvariants(t, db)
})

// Guarantee: what a checkout sent that never became an order is erased with its customer too, however the address is written in it; not without being
// forced, as it is paid. Sent again, it does not become an order.
t.test('events that failed', async (t) => {
  const shop = await checkout(t)
  const { db, call, send } = shop
  const said = JSON.stringify(paid('A-1', { customer: ADA, line_items: [{ product: 'sku-late', quantity: 1 }] })).replace('Ada@example.com', 'Ada\\u0040example.com')
  t.match(await send(said, { id: 'one' }), { status: 202, json: { status: 'failed' } })
  await send(paid('B-1', { customer: { email: 'bob@example.com' }, line_items: [{ product: 'sku-late', quantity: 1 }] }), { id: 'bob' })
  const [event] = await db.selectFrom('payment_events').select('id').where('event_key', '=', 'one').execute()
  t.match(await erase(shop, call, { email: 'ada@example.com' }), { payment_events: 0, kept: 1, kept_ids: [event?.id] })
  t.match(await erase(shop, call, { email: 'ada@example.com', force: true }), { payment_events: 1, kept: 0 })
  t.match(await read(call, `/v1/payment-events/${event?.id}`), { status: 'ignored', reason: 'its content was erased' })
  await makePool(call, { product_ids: [await makeProduct(call, 'sku-late')] }, ['LATE-KEY-0001', 'LATE-KEY-0002'])
  t.match(await send(said, { id: 'one' }), { status: 202, json: { status: 'ignored', id: event?.id } }, 'it stays erased')
  t.strictSame((await db.selectFrom('orders').select('id').execute()), [])
  t.match(await send(paid('B-1', { customer: { email: 'bob@example.com' }, line_items: [{ product: 'sku-late', quantity: 1 }] }), { id: 'bob' }), { status: 200 }, 'another\'s goes on')
  t.strictSame(await mentions(shop, 'Lovelace'), [])
  await assertInvariants(t, db)
})

// Guarantee: where mails are kept as files, those of an erased customer go, and no others; without the directory nothing happens.
t.test('mails that were kept as files', async (t) => {
  const shop = await checkout(t)
  const { db, call } = shop
  const dir = dataDir(t)
  await removeKeptMails(db, dir)
  for (const email of ['ada@example.com', 'bob@example.com']) await place(call, email, { email })
  await mailAll(shop)
  const mails = await db.selectFrom('deliveries').select(['id', 'to']).execute()
  mkdirSync(dir)
  for (const name of [...mails.map(({ id }) => `${id}.eml`), 'notes.txt']) writeFileSync(`${dir}/${name}`, name)
  await erase(shop, call, { email: 'ada@example.com' })
  await removeKeptMails(db, dir)
  t.same(readdirSync(dir).sort(), [...mails.filter(({ to }) => to.startsWith('bob')).map(({ id }) => `${id}.eml`), 'notes.txt'])
})
