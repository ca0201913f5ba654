import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import t from 'tap'
import { assertInvariants } from '../support/invariants.js'
import { makePool, makeProduct, orderOf, stockOf } from '../support/vendor.js'
import { messageOf } from '../support/webhooks.js'
import { checkout, paid, state, type Checkout } from './support.js'

const BODY_BYTES_MAX = 1024 * 1024
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const counts = async ({ db }: Checkout): Promise<{ orders: number, allocations: number, payment_events: number, deliveries: number }> => {
  const { rows } = await sql<{ orders: number, allocations: number, payment_events: number, deliveries: number }>`
    select (select count(*)::int from orders) as orders, (select count(*)::int from allocations) as allocations,
      (select count(*)::int from payment_events) as payment_events, (select count(*)::int from deliveries) as deliveries`.execute(db)
  return rows[0] as never
}

// Guarantee: a signed order.paid is an order with its licenses and mail before the answer, and the event is on record with it.
t.test('an order.paid', async (t) => {
  const shop = await checkout(t)
  const { status, json } = await shop.send(paid('A-1', { line_items: [{ product: 'sku-pro', quantity: 2, unit_amount: 4900 }] }), { id: 'evt-1' })
  t.equal(status, 200)
  t.match(json, { id: /^PE-[0-9a-f]{27}$/, status: 'processed', order_id: /^OR-[0-9a-f]{27}$/, reason: null })
  t.equal(Object.keys(json).length, 4)
  const event = (await shop.call('GET', `/v1/payment-events/${String(json['id'])}`)).json<Record<string, unknown>>()
  t.strictSame({ ...event, received_at: undefined, processed_at: undefined }, {
    ...json, source_id: shop.source.id, event_key: 'evt-1', type: 'order.paid', occurred_at: '2026-01-31T10:15:00.000Z', attempts: 0, next_attempt_at: null, erased_at: null, received_at: undefined, processed_at: undefined,
  })
  t.match((await shop.call('GET', `/v1/orders/${String(json['order_id'])}`)).json(), {
    external_id: 'A-1',
    source_id: shop.source.id,
    status: 'paid',
    fulfillment_status: 'fulfilled',
    mode: 'live',
    paid_at: '2026-01-31T10:15:00.000Z',
    customer: { email: 'ada@example.com' },
    line_items: [{ external_id: '1', product_id: shop.product_id, pool_id: shop.pool_id, quantity: 2, unit_amount: 4900, slots: 2 }],
    deliveries: [{ status: 'planned', reason: 'order' }],
  })
  t.strictSame(await counts(shop), { orders: 1, allocations: 2, payment_events: 1, deliveries: 1 })
  await assertInvariants(t, shop.db)
})

// Guarantee (A5, D4): however often and under however many event ids an order is told of, at once or later, it is placed once, and every answer is 2xx.
t.test('repeats', async (t) => {
  const shop = await checkout(t)
  const same = await Promise.all(range(20).map(() => shop.send(paid('A-1'), { id: 'evt-1' })))
  t.ok(same.every(({ status }) => status === 200))
  t.equal(new Set(same.map(({ json }) => JSON.stringify(json))).size, 1, 'and all answers say the same')
  t.strictSame(await counts(shop), { orders: 1, allocations: 1, payment_events: 1, deliveries: 1 })
  const others = await Promise.all(range(20).map((i) => shop.send(paid('A-2'), { id: `evt-2-${i}` })))
  t.ok(others.every(({ status }) => status === 200))
  t.equal(new Set(others.map(({ json }) => json['order_id'])).size, 1)
  t.equal(new Set(others.map(({ json }) => json['id'])).size, 20, 'each event is on record')
  t.strictSame(await counts(shop), { orders: 2, allocations: 2, payment_events: 21, deliveries: 2 })
  await sql`update payment_events set received_at = received_at - interval '8 days', processed_at = processed_at - interval '8 days'`.execute(shop.db)
  t.match(await shop.send(paid('A-1'), { id: 'evt-1' }), { status: 200, json: same[0]?.json }, 'a week later, with a fresh signature')
  t.strictSame(await counts(shop), { orders: 2, allocations: 2, payment_events: 21, deliveries: 2 })
  const storm = await Promise.all(range(60).map((i) => shop.send(paid(`S-${i % 6}`), { id: `storm-${i % 12}` })))
  t.ok(storm.every(({ status }) => status === 200), 'six orders under two ids each, five times each, in parallel')
  t.match(await counts(shop), { orders: 8, allocations: 8, payment_events: 33 })
  await assertInvariants(t, shop.db)
})

// Guarantee: one order told with other content is not changed by it; an event id told with other content stays what it was.
t.test('other content', async (t) => {
  const shop = await checkout(t)
  const first = await shop.send(paid('A-1'), { id: 'evt-1' })
  const other = await shop.send(paid('A-1', { line_items: [{ product: 'sku-pro', quantity: 2 }] }), { id: 'evt-2' })
  t.match(other, { status: 202, json: { status: 'failed', order_id: null, reason: /^external_id: order OR-\w+ has it/ } })
  t.match(await shop.send(paid('A-9'), { id: 'evt-1' }), { status: 200, json: first.json })
  t.strictSame(await counts(shop), { orders: 1, allocations: 1, payment_events: 2, deliveries: 1 })
  await assertInvariants(t, shop.db)
})

// Guarantee: events that say nothing to do are kept as that, in any order around the payment, and change no order.
t.test('types with nothing to do', async (t) => {
  const shop = await checkout(t)
  const types = ['order.created', 'order.refund', 'Order.Paid', 'order.paid ', 'x'.repeat(255), '😀']
  for (const [i, type] of types.entries()) {
    if (i === 2) t.equal((await shop.send(paid('A-1'))).status, 200)
    t.match(await shop.send(paid('A-1', {}, { type }), { id: `evt-${i}` }), { status: 202, json: { status: 'ignored', order_id: null, reason: /^type: / } }, type)
  }
  t.match(await shop.send({ type: 'ping' }), { status: 202, json: { status: 'ignored' } }, 'with no data at all')
  t.strictSame(await counts(shop), { orders: 1, allocations: 1, payment_events: types.length + 2, deliveries: 1 })
  await assertInvariants(t, shop.db)
})

const line = (fields: object): Record<string, unknown> => ({ line_items: [{ product: 'sku-pro', quantity: 1, ...fields }] })
/** What cannot be processed, and what its reason says first. */
const unprocessable: Record<string, [body: string | Buffer | object, reason: RegExp]> = {
  'no e-mail': [paid('A', { customer: { first_name: 'Ada' } }), /^customer\.email: is required/],
  'two addresses': [paid('A', { customer: { email: 'a@example.com, b@example.com' } }), /^customer\.email: /],
  'no customer': [paid('A', { customer: undefined }), /^customer: is required/],
  'unknown product': [paid('A', line({ product: 'sku-none' })), /^line_items\.0\.product: .*sku-none/],
  'no pool': [paid('A', line({ product: 'sku-unstocked' })), /^line_items\.0\.product: no live pool serves PRD-/],
  'a test order': [paid('A', { mode: 'test' }), /^mode: is test/],
  'an unknown mode': [paid('A', { mode: 'demo' }), /^mode: /],
  'quantity 0': [paid('A', line({ quantity: 0 })), /^line_items\.0\.quantity: /],
  'quantity -1': [paid('A', line({ quantity: -1 })), /^line_items\.0\.quantity: /],
  'quantity 1.5': [paid('A', line({ quantity: 1.5 })), /^line_items\.0\.quantity: /],
  'quantity "2"': [paid('A', line({ quantity: '2' })), /^line_items\.0\.quantity: /],
  'quantity null': [paid('A', line({ quantity: null })), /^line_items\.0\.quantity: /],
  'quantity 10001': [paid('A', line({ quantity: 10_001 })), /^line_items\.0\.quantity: /],
  'quantity 2^31': [paid('A', line({ quantity: 2 ** 31 })), /^line_items\.0\.quantity: /],
  'quantity 1e400': [JSON.stringify(paid('A')).replace('"quantity":1', '"quantity":1e400'), /^line_items\.0\.quantity: /],
  'an amount past 2^53': [paid('A', line({ unit_amount: 2 ** 60 })), /^line_items\.0\.unit_amount: /],
  'no lines': [paid('A', { line_items: [] }), /^line_items: /],
  '101 lines': [paid('A', { line_items: range(101).map(() => ({ product: 'sku-pro', quantity: 1 })) }), /^line_items: .*100/],
  'a line twice': [paid('A', { line_items: [{ external_id: 'x', product: 'sku-pro', quantity: 1 }, { external_id: 'x', product: 'sku-pro', quantity: 1 }] }), /^line_items\.1\.external_id: /],
  'a currency in words': [paid('A', { currency: 'euro' }), /^currency: /],
  'no external_id': [paid('A', { external_id: undefined }), /^external_id: is required/],
  'external_id null': [paid('A', { external_id: null }), /^external_id: must be string/],
  'external_id a number': [paid('A', { external_id: 7 }), /^external_id: must be string/],
  'no data': [{ type: 'order.paid' }, /^data: must be object/],
  'no type': [{ data: orderOf('A') }, /^type: is required/],
  'a timestamp in words': [paid('A', {}, { timestamp: 'yesterday' }), /^timestamp: /],
  'a timestamp of no day': [paid('A', {}, { timestamp: '2026-02-30T10:00:00Z' }), /^timestamp: /],
  'a timestamp of the year 0': [paid('A', {}, { timestamp: '0000-01-01T00:00:00Z' }), /^timestamp: /],
  'an ignored type of the year 0': [{ type: 'ping', timestamp: '0000-01-01T00:00:00Z' }, /^timestamp: /],
  'paid in the year 0': [paid('A', { paid_at: '0000-01-01T00:00:00Z' }), /^paid_at: /],
  'paid in seconds': [paid('A', { paid_at: 1769854500 }), /^paid_at: /],
  'a locale of 1,000 letters': [paid('A', { locale: 'de' + '-latn'.repeat(200) }), /^locale: /],
  'NUL in a text': [paid('A', { customer: { email: 'a@example.com', first_name: 'A\u0000' } }), /^data\.customer\.first_name: .*NUL/],
  'half a surrogate pair': [JSON.stringify(paid('A')).replace('"Ada"', '"\\ud800"'), /^data\.customer\.first_name: .*surrogate/],
  'half a surrogate pair in the type': [JSON.stringify(paid('A')).replace('order.paid', '\\udc00'), /^type: /],
  'a __proto__ member': [JSON.stringify(paid('A')).replace('"currency"', '"__proto__":{},"currency"'), /JSON/],
  'a form': ['webhook_id=7', /JSON/],
  'cut JSON': [JSON.stringify(paid('A')).slice(0, -1), /JSON/],
  'a BOM': ['\ufeff' + JSON.stringify(paid('A')), /JSON/],
  'an array': [JSON.stringify([paid('A')]), /^body: must be object/],
  'no body': ['', /^body: must be object/],
  'a body of null': ['null', /^body: must be object/],
  'bytes that are not UTF-8': [Buffer.from(JSON.stringify(paid('A')).replace('Ada', '\u00e9'), 'latin1'), /UTF-8/],
  'a NUL byte': [Buffer.from(JSON.stringify(paid('A')).replace('Ada', 'A\0')), /JSON/],
  '20,000 arrays': ['['.repeat(20_000) + ']'.repeat(20_000), /nested/],
  'a body of 1 MiB': [JSON.stringify(paid('A', {}, { pad: '' })).replace('"pad":""', `"pad":"${'x'.repeat(BODY_BYTES_MAX - 220)}"`).replace('sku-pro', 'sku-none'), /sku-none/],
}

// Guarantee: a signed event that cannot be processed is never lost: kept as it came, with a reason that names the field, once however often
// it is sent, and answered 202.
t.test('what cannot be processed', async (t) => {
  const shop = await checkout(t)
  await makeProduct(shop.call, 'sku-unstocked')
  const before = await counts(shop)
  for (const [name, [payload, reason]] of Object.entries(unprocessable)) {
    const message = messageOf(shop.source.secret, typeof payload === 'string' || payload instanceof Buffer ? payload : JSON.stringify(payload))
    const { status, json } = await shop.post(message)
    t.equal(status, 202, name)
    t.match(json, { id: /^PE-/, status: 'failed', order_id: null, reason }, name)
    t.strictSame(await shop.post(message), { status, json }, `${name}, again`)
    t.match((await shop.call('GET', `/v1/payment-events/${String(json['id'])}`)).json(), { ...json, processed_at: null }, name)
    const kept = await shop.db.selectFrom('payment_events').select('body').where('id', '=', String(json['id'])).executeTakeFirst()
    t.ok(kept?.body.equals(message.body), `${name}: as it came`)
  }
  const total = Object.keys(unprocessable).length
  t.strictSame(await counts(shop), { ...before, payment_events: total })
  const list = await shop.call('GET', '/v1/payment-events?status=failed&limit=1000')
  t.equal(list.headers['content-range'], `items 0-${total - 1}/${total}`)
  t.equal(new Set(list.json<Array<{ id: string }>>().map(({ id }) => id)).size, total)
  const unchanged = await state(shop)
  t.equal((await shop.send(`"${'x'.repeat(BODY_BYTES_MAX)}"`)).status, 413, 'a body past 1 MiB is refused')
  t.equal(await state(shop), unchanged, 'and not stored')
  await assertInvariants(t, shop.db)
})

// Guarantee: once what it failed for is mended, an event gives its order, and once: replayed here or sent again by the checkout, even in parallel.
t.test('mended', async (t) => {
  const shop = await checkout(t)
  const event = paid('A-1', { line_items: [{ product: 'sku-late', quantity: 1 }] })
  const replay = async (id: unknown) => shop.call('POST', `/v1/payment-events/${String(id)}/replay`)
  const failed = await Promise.all(['evt-1', 'evt-2'].map((id) => shop.send({ ...event, data: { ...event['data'] as object, external_id: id } }, { id })))
  t.ok(failed.every(({ status }) => status === 202))
  t.match((await replay(failed[0]?.json['id'])).json(), { status: 'failed', reason: /sku-late/ }, 'replayed too early')
  const product_id = await makeProduct(shop.call, 'sku-late')
  t.match((await replay(failed[0]?.json['id'])).json(), { status: 'failed', reason: /no live pool/ }, 'the reason is that of the last try')
  const pool_id = await makePool(shop.call, { product_ids: [product_id] }, ['LATE-1', 'LATE-2'])
  const replays = await Promise.all(range(8).map(() => replay(failed[0]?.json['id'])))
  t.ok(replays.every(({ statusCode }) => statusCode === 200))
  const [{ order_id, ...first }] = replays.map((answer) => answer.json<Record<string, unknown>>()) as [Record<string, unknown>]
  t.match(first, { id: failed[0]?.json['id'], status: 'processed', reason: null, processed_at: String })
  t.match((await shop.call('GET', `/v1/orders/${String(order_id)}`)).json(), { external_id: 'evt-1', fulfillment_status: 'fulfilled' })
  const again = await Promise.all(range(4).map(() => shop.send({ ...event, data: { ...event['data'] as object, external_id: 'evt-2' } }, { id: 'evt-2' })))
  t.ok(again.every(({ status, json }) => status === 200 && json['status'] === 'processed' && json['id'] === failed[1]?.json['id']), 'sent again by the checkout')
  t.match((await replay(failed[1]?.json['id'])).json(), { status: 'processed', order_id: again[0]?.json['order_id'] }, 'replayed once more')
  t.match(await stockOf(shop.call, pool_id), { available: 0, allocated: 2 })
  t.match(await counts(shop), { orders: 2, allocations: 2, payment_events: 2, deliveries: 2 })
  await assertInvariants(t, shop.db)
})

// Guarantee: the bytes on record are those that the event was last judged by, so that a replay reads what the reason is about.
t.test('sent again in other bytes', async (t) => {
  const shop = await checkout(t)
  const { json: { id } } = await shop.send(paid('A-1', { customer: {} }), { id: 'evt-1' })
  await shop.send(paid('A-1', line({ product: 'sku-later' })), { id: 'evt-1' })
  const stored = async () => JSON.parse(String((await shop.db.selectFrom('payment_events').select('body').where('id', '=', String(id)).executeTakeFirstOrThrow()).body))
  t.match(await stored(), { data: { line_items: [{ product: 'sku-later' }] } })
  t.match(await shop.send(paid('A-1'), { id: 'evt-1' }), { status: 200, json: { id, status: 'processed' } })
  await assertInvariants(t, shop.db)
})

// Guarantee: an order of a webhook is paid, so it is kept when its pool refuses: unfulfilled, and visible.
t.test('out of stock', async (t) => {
  const shop = await checkout(t)
  const product_id = await makeProduct(shop.call, 'sku-scarce')
  await makePool(shop.call, { product_ids: [product_id], on_shortage: 'fail' }, ['SCARCE-1'])
  const lines = { line_items: [{ product: 'sku-scarce', quantity: 2 }, { product: 'sku-pro', quantity: 1 }] }
  const { status, json } = await shop.send(paid('A-1', lines), { id: randomUUID() })
  t.equal(status, 200)
  t.match((await shop.call('GET', `/v1/orders/${String(json['order_id'])}`)).json(), {
    fulfillment_status: 'partial', line_items: [{ fulfillment_status: 'unfulfilled', licenses: [] }, { fulfillment_status: 'fulfilled', licenses: { length: 1 } }],
  })
  const events = await shop.db.selectFrom('events').select('type').where('subject_id', '=', `${String(json['order_id'])}-1`).execute()
  t.strictSame(events, [{ type: 'line_item.unfulfilled' }])
  await assertInvariants(t, shop.db)
})
