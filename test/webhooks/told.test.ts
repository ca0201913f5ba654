import t, { type Test } from 'tap'
import { sql } from 'kysely'
import { inTransaction } from '../../src/database/transaction.js'
import { ATTEMPTS_MAX } from '../../src/deliveries/schedule.js'
import { wakeWorker } from '../../src/deliveries/wake.js'
import { recordEvent } from '../../src/events/record.js'
import { newId } from '../../src/ids.js'
import { markSeen } from '../../src/licenses/mark-seen.js'
import { placeOrder } from '../../src/orders/place.js'
import { TOLD } from '../../src/webhooks/told.js'
import { testApp, type TestApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { mailServer } from '../support/smtp.js'
import { until } from '../support/until.js'
import { makeProduct, makePool } from '../support/vendor.js'
import { WEBHOOKS, work } from './support.js'
import { allTold, CANARY, checkoutSays, hookOf, order, shopOf, tellerOf, type Shop, type Told } from './told-support.js'

const typesOf = (told: readonly Told[], id?: string): string[] => told.filter(({ data }) => id === undefined || data['id'] === id || data['order_id'] === id).map(({ type }) => type).sort()

/** What the shop was told of an order and all that is its own, in the order of the changes. */
const storyOf = (told: readonly Told[], id: string): Told[] =>
  told.filter(({ data }) => data['id'] === id || data['order_id'] === id).sort((a, b) => a.data['sequence'] - b.data['sequence'])

async function licenseOf (it: TestApp, order_id: string): Promise<string> {
  return (await it.db.selectFrom('allocations').select('license_id').where('order_id', '=', order_id).where('ended_as', 'is', null).orderBy('unit').executeTakeFirstOrThrow()).license_id
}

const refund = (shop: Shop, id: string, body: object): Promise<unknown> => shop.call('POST', `/v1/orders/${id}/refund`, body)

/** What ALERTS raise of a pool: their events, with the pool's name. */
async function alertOf (it: TestApp, { account_id, pool_id }: Shop): Promise<void> {
  const said = { name: `${CANARY} pool`, alert_id: 'AL-1', available: 2, threshold: 5 }
  await inTransaction(it.db, (trx) => recordEvent(trx,
    ...['pool.low', 'pool.empty', 'pool.backordered'].map((type) => ({ account_id, type, subject_id: pool_id, data: { ...said, kind: type } })),
    { account_id, type: 'batch.expiring', subject_id: 'BA-1', data: { ...said, pool_id, first_expires_at: '2030-01-01T00:00:00Z' } }))
}

/** Everything that can be told of, once, over the API and a checkout, before a worker runs and while one does. Returns the ids of orders by what they show. */
async function live (t: Test, it: TestApp, shop: Shop): Promise<Record<string, string>> {
  const mail = await mailServer(t)
  mail.faults.rcpt = (address) => address.startsWith('nobody') ? { code: 550, text: 'no such user' } : undefined
  const ids: Record<string, string> = {}
  ids['unseen'] = await order(shop, 'unseen', 'sku-told')
  await shop.call('POST', `/v1/orders/${ids['unseen']}/cancel`, { reason: CANARY })
  ids['shown'] = await order(shop, 'shown', 'sku-told')
  const license_ids = [await licenseOf(it, ids['shown'])]
  for (const how of ['order_page', 'approved'] as const) await inTransaction(it.db, (trx) => markSeen(trx, { account_id: shop.account_id, license_ids, how, seen_by: null }))
  ids['bounced'] = await order(shop, 'bounced', 'sku-told', 1, { customer: { email: `nobody.${CANARY}@example.com` } })
  ids['failed'] = await order(shop, 'failed', 'sku-told')
  await it.db.updateTable('deliveries').set({ attempts: ATTEMPTS_MAX }).where('order_id', '=', ids['failed']).execute()
  work(t, it, { SMTP_URL: mail.url })
  ids['seen'] = await order(shop, 'seen', 'sku-told', 2)
  const sent = async (id: string): Promise<unknown> => until(`the mail of ${id}`, async () => it.db.selectFrom('deliveries').select('id').where('order_id', '=', id).where('status', '=', 'sent').executeTakeFirst())
  await sent(ids['seen'])
  await refund(shop, ids['seen'], { lines: [{ external_id: '1', quantity: 1 }], reason: CANARY })
  await refund(shop, ids['seen'], {})
  const paid = { external_id: 'disputed', currency: 'EUR', customer: { email: `${CANARY}@example.com` }, line_items: [{ external_id: '1', product: 'sku-told', quantity: 1 }] }
  await checkoutSays(it, shop, 'order.paid', paid)
  ids['disputed'] = (await it.db.selectFrom('orders').select('id').where('external_id', '=', 'disputed').executeTakeFirstOrThrow()).id
  await sent(ids['disputed'])
  await checkoutSays(it, shop, 'order.refunded', { external_id: 'disputed', refund_id: 'R-1' })
  await checkoutSays(it, shop, 'order.refund_failed', { external_id: 'disputed', refund_id: 'R-1' })
  await checkoutSays(it, shop, 'dispute.opened', { external_id: 'disputed', dispute_id: 'D-1' })
  await checkoutSays(it, shop, 'dispute.lost', { external_id: 'disputed', dispute_id: 'D-1' })
  ids['replaced'] = await order(shop, 'replaced', 'sku-told')
  await sent(ids['replaced'])
  await shop.call('POST', `/v1/licenses/${await licenseOf(it, ids['replaced'])}/replace`, { reason: CANARY })
  ids['short'] = await order(shop, 'short', 'sku-told', 50)
  await it.db.updateTable('pools').set({ on_shortage: 'fail' }).where('id', '=', shop.pool_id).execute()
  await shop.call('POST', `/v1/orders/${ids['short']}/cancel`, {})
  await checkoutSays(it, shop, 'order.paid', { ...paid, external_id: 'unfulfilled', line_items: [{ external_id: '1', product: 'sku-told', quantity: 50 }] })
  await alertOf(it, shop)
  wakeWorker()
  await until('every mail to be over', async () =>
    (await it.db.selectFrom('deliveries').select('id').where('status', 'in', ['planned', 'sending']).execute()).length === 0)
  return ids
}

// Guarantee (B6, E2, E4, G2): whatever happens to orders, licenses, pools and deliveries is told, each event of the list at least once, in messages that the
// library of Standard Webhooks verifies, with the state after the change; none holds a key, a customer, an address or a reason, and nobody hears of another's.
t.test('everything that is told', async (t) => {
  const it = await testApp(t)
  const [shop, other] = [await shopOf(it, it.vendor, 'sku-told', 12), await shopOf(it, it.stranger, 'sku-told', 3)]
  const [mine, theirs] = [await tellerOf(t, shop), await tellerOf(t, other)]
  const ids = await live(t, it, shop)
  const others_id = await order(other, 'theirs', 'sku-told')
  await until('their mail', async () => it.db.selectFrom('deliveries').select('id').where('order_id', '=', others_id).where('status', '=', 'sent').executeTakeFirst())
  const told = await allTold(it, mine)

  t.strictSame([...new Set(told.map(({ type }) => type))].sort(), Object.values(TOLD).flat().sort(), 'each event, and no other')
  const bodies = [...mine.hook.received, ...theirs.hook.received].map(({ body }) => body)
  t.notMatch(bodies.join('\n'), new RegExp(CANARY, 'i'), 'no key, no name, no address, no reason')
  const id = String(ids['seen'])
  t.strictSame(typesOf(told, id), ['delivery.sent', 'license.delivered', 'license.delivered', 'license.revoked', 'license.revoked', 'order.created', 'order.fulfilled', 'order.paid',
    'order.partially_refunded', 'order.refunded'])
  const own = storyOf(told, id).filter(({ type }) => type.startsWith('order.'))
  t.match(own, [
    { type: 'order.created', data: { id, external_id: 'seen', source_id: 'api-live', mode: 'live', status: 'paid', units: 2, ended_units: 0 } },
    { type: 'order.paid', data: { id, status: 'paid' } },
    { type: 'order.fulfilled', data: { id, status: 'paid', fulfillment_status: 'fulfilled', licenses: 2, missing: 0 } },
    { type: 'order.partially_refunded', data: { status: 'partially_refunded', units: 2, ended_units: 1, licenses: 1, line_item_ids: [`${id}-1`] } },
    { type: 'order.refunded', data: { status: 'refunded', ended_units: 2, licenses: 0, line_item_ids: [`${id}-1`] } },
  ])
  t.strictSame(typesOf(told, ids['unseen']), ['license.returned', 'order.cancelled', 'order.created', 'order.fulfilled', 'order.paid'])
  const shown = storyOf(told, String(ids['shown'])).filter(({ type }) => type === 'license.delivered')
  t.match(shown, [{ data: { state: 'allocated', how: 'order_page', order_external_id: 'shown', product_id: shop.product_id } }], 'shown, and not delivered again when it is shown again or mailed')
  t.equal(shown.length, 1)
  t.match(storyOf(told, id).find(({ type }) => type === 'license.delivered'), { data: { how: 'mailed', delivery_id: /^DE-/, line_item_id: `${id}-1` } })
  t.match(storyOf(told, String(ids['bounced'])).at(-1), { type: 'delivery.bounced', data: { status: 'bounced', attempts: 1, licenses: 1, order_external_id: 'bounced' } })
  t.match(storyOf(told, String(ids['failed'])).at(-1), { type: 'delivery.failed', data: { status: 'failed' } })
  t.strictSame(storyOf(told, String(ids['disputed'])).map(({ type }) => type).filter((type) => !type.startsWith('delivery')), [
    'order.created', 'order.paid', 'order.fulfilled', 'license.delivered', 'license.revoked', 'order.refunded', 'license.reinstated', 'order.fulfilled', 'order.restored',
    'order.disputed', 'license.revoked', 'order.charged_back',
  ])
  const replaced = storyOf(told, String(ids['replaced']))
  t.match(replaced.find(({ type }) => type === 'license.replaced'), { data: { state: 'revoked', cause: 'replaced', replaced_by: await licenseOf(it, String(ids['replaced'])), line_item_id: `${ids['replaced']}-1` } })
  t.strictSame(storyOf(told, String(ids['short'])).map(({ type }) => type), ['order.created', 'order.paid', 'order.backordered', 'order.cancelled'])
  t.match(storyOf(told, String(ids['short']))[2], { data: { fulfillment_status: 'backordered', licenses: 0, missing: 50 } })
  t.match(told.find(({ type }) => type === 'pool.low')?.data, { id: shop.pool_id, mode: 'live', kind: 'pool.low', available: 2, threshold: 5 })
  t.match(told.find(({ type }) => type === 'pool.expiring')?.data, { id: shop.pool_id, batch_id: 'BA-1', first_expires_at: '2030-01-01T00:00:00Z' })

  t.strictSame(typesOf(await allTold(it, theirs)), ['delivery.sent', 'license.delivered', 'order.created', 'order.fulfilled', 'order.paid'], 'each hears of its own')
  t.ok((await allTold(it, theirs)).every(({ data }) => [data['id'], data['order_id']].includes(others_id)))
  await assertInvariants(t, it.db)
})

// Guarantee: whichever way an order was taken in, by the plain statement or the careful way, the same is told of it.
t.test('both ways tell the same', async (t) => {
  const it = await testApp(t)
  const shop = await shopOf(it, it.vendor, 'sku-told', 4)
  for (const object_class of ['order', 'license']) await hookOf(shop.call, 'http://127.0.0.1:9/hook', object_class)
  const asked = {
    source_id: 'api-live',
    mode: 'live' as const,
    currency: 'EUR',
    locale: null,
    customer: { email: 'ada@example.com' },
    paid_at: new Date().toISOString(),
    line_items: [{ external_id: '1', product: 'sku-told', quantity: 2, unit_amount: 4900 }],
  }
  const arrivalOf = (external_id: string) => ({ account_id: shop.account_id, order_id: newId('OR'), actor: 'test', order: { external_id, ...asked } })
  const [plain, careful] = [arrivalOf('a'), arrivalOf('b')]
  t.match(await it.intake.place(plain), { plain: true })
  await inTransaction(it.db, (trx) => placeOrder(trx, careful))
  const storyOf = async (id: string): Promise<unknown[]> =>
    (await sql<{ said: string }>`select event || ' ' || (data - 'id' - 'external_id' - 'sequence')::text as said from webhook_messages where data ->> 'id' = ${id} order by (data ->> 'sequence')::int`.execute(it.db))
      .rows.map(({ said }) => said)
  const first = await storyOf(plain.order_id)
  t.equal(first.length, 3)
  t.strictSame(await storyOf(careful.order_id), first)
})

// Guarantee: a webhook hears what it chose, of its product, while it is active, once; a wrong choice is refused with those there are.
t.test('what a webhook chooses', async (t) => {
  const it = await testApp(t)
  const shop = await shopOf(it, it.vendor, 'sku-told', 5)
  const second = await makeProduct(shop.call, 'sku-second')
  await makePool(shop.call, { product_ids: [second] }, ['second-000001', 'second-000002'])
  const url = 'http://127.0.0.1:9/hook'
  const made = {
    all: await hookOf(shop.call, url, 'order'),
    paid: await hookOf(shop.call, url, 'order', { event_types: ['order.paid'] }),
    second: await hookOf(shop.call, url, 'order', { product_id: second, event_types: ['order.fulfilled'] }),
    inactive: await hookOf(shop.call, url, 'order', { active: false }),
    seen: await hookOf(shop.call, url, 'license', { product_id: second }),
  }
  const heard = async ({ id }: { id: string }): Promise<string[]> =>
    (await it.db.selectFrom('webhook_messages').select(['event', sql<string>`data ->> 'external_id'`.as('of')]).where('webhook_id', '=', id).execute()).map((row) => `${row.event} ${row.of}`).sort()
  await order(shop, 'one', 'sku-told')
  await order(shop, 'two', 'sku-told', 1, { line_items: [{ product: 'sku-told', quantity: 1 }, { product: 'sku-second', quantity: 1 }] })
  t.strictSame(await heard(made.all), ['one', 'two'].flatMap((of) => ['order.created', 'order.fulfilled', 'order.paid'].map((event) => `${event} ${of}`)).sort())
  t.strictSame(await heard(made.paid), ['order.paid one', 'order.paid two'])
  t.strictSame(await heard(made.second), ['order.fulfilled two'])
  t.strictSame(await heard(made.inactive), [])
  const cancelled = await shop.call('GET', '/v1/orders?external_id=two')
  await shop.call('POST', `/v1/orders/${cancelled.json()[0].id}/cancel`, {})
  t.strictSame((await it.db.selectFrom('webhook_messages').select(['event', sql<string>`data ->> 'product_id'`.as('product_id')]).where('webhook_id', '=', made.seen.id).execute()),
    [{ event: 'license.returned', product_id: second }], 'the license of its product only')

  const changed = await shop.call('PUT', `${WEBHOOKS}/${made.paid.id}`, { event_types: ['order.cancelled'] })
  t.match(changed.json(), { event_types: ['order.cancelled'] })
  t.match((await shop.call('PUT', `${WEBHOOKS}/${made.paid.id}`, { label: 'other' })).json(), { event_types: ['order.cancelled'] }, 'what is absent stays')
  await order(shop, 'three', 'sku-told')
  t.equal((await heard(made.paid)).length, 2)
  await shop.call('DELETE', `${WEBHOOKS}/${made.all.id}`)
  for (const [object_class, event_types, more, reason] of [
    ['order', ['license.revoked'], {}, /event_types: "license.revoked" is not told; choose of order.created, /],
    ['fulfillment_request', ['x'], { type: 'change' }, /event_types: cannot be chosen for type change and object_class fulfillment_request/],
    ['order', ['order.payment.failed'], { type: 'noventiq', jwt_secret: 'secret_key' }, /choose of order.created, order.payment.succeeded, product.delivered, product.returned/],
    ['license', [], { type: 'noventiq', jwt_secret: 'secret_key' }, /object_class: must be order for type noventiq/],
    ['order', [], { type: 'event', jwt_secret: 'x' }, /type: must be change/],
  ] as const) {
    const answer = await shop.call('POST', WEBHOOKS, { label: 'x', active: true, external_url: url, object_class, event_types, ...more })
    t.equal(answer.statusCode, 400)
    t.match(answer.json(), { detail: reason })
  }
})
