// What ties an order of a checkout to a hold made before it, and to the order that it renews.
import { sql } from 'kysely'
import t from 'tap'
import { startWorker } from '../../src/worker.js'
import { assertInvariants } from '../support/invariants.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { checkout, paid } from './support.js'

const failed = (external_id: string, data: object = {}) => ({ type: 'order.payment_failed', data: { external_id, ...data } })

// Guarantee: a paid event that names a hold gets what it holds; a failed payment releases the hold of its session, by its id or the
// session's, and never one that was paid.
t.test('holds of checkouts', async (t) => {
  const { db, call, send } = await checkout(t, 3)
  const hold = async (external_id: string): Promise<string> =>
    (await call('POST', '/v1/holds', { external_id, currency: 'EUR', line_items: [{ product: 'sku-pro', quantity: 1 }] })).json<Json>()['id']
  const statusOf = async (id: string): Promise<string> => (await call('GET', `/v1/holds/${id}`)).json<Json>()['status']
  const [first, second, third] = [await hold('cs_1'), await hold('cs_2'), await hold('cs_3')]
  const { status, json: body } = await send(paid('A-1', { hold_id: first }))
  t.equal(status, 200)
  t.match((await call('GET', `/v1/orders/${(body as Json)['order_id']}`)).json(), { fulfillment_status: 'fulfilled' }, 'there is nothing but what is held')
  await send(failed('cs_1'))
  await send(failed('A-1', { hold_id: first }))
  t.equal(await statusOf(first), 'committed')
  await send(failed('cs_2'))
  t.equal(await statusOf(second), 'released')
  await send(failed('A-3', { hold_id: third }))
  t.equal(await statusOf(third), 'released')
  await assertInvariants(t, db)
})

// Guarantee: a renewal that comes before the order it renews waits for it, and is placed by the worker when it is there; one that waits in vain
// fails with its reason.
t.test('a renewal before its parent', async (t) => {
  const { db, config, keyring, call, send, source } = await checkout(t, 5)
  const { status, json: body } = await send(paid('A-2', { parent: 'A-1' }))
  t.equal(status, 202)
  const event_id = (body as Json)['id'] as string
  t.match((await call('GET', `/v1/payment-events/${event_id}`)).json(), { status: 'waiting', reason: /^parent: / })
  const parent = (await send(paid('A-1'))).json as Json
  const log = { info () {}, warn () {}, error () {} }
  const worker = startWorker({ db, config, keyring, log, transport: { send: async () => '250', close () {} } as never })
  t.teardown(() => worker.stop(0))
  await sql`update payment_events set next_attempt_at = now() where id = ${event_id}`.execute(db)
  const { order_id } = await until('the renewal to be placed', async () => {
    const event = (await call('GET', `/v1/payment-events/${event_id}`)).json<Json>()
    return event['status'] === 'processed' ? event : undefined
  })
  t.match((await call('GET', `/v1/orders/${order_id}`)).json(), { source_id: source.id, parent_id: parent['order_id'], line_items: [{ renewal: { number: 1 } }] })
  const lost = (await send(paid('A-4', { parent: 'A-none' }))).json as Json
  await sql`update payment_events set received_at = now() - interval '2 h' where id = ${lost['id']}`.execute(db)
  t.match((await call('POST', `/v1/payment-events/${lost['id']}/replay`)).json(), { status: 'failed', reason: /^parent: / })
  await worker.stop(0)
  await assertInvariants(t, db)
})
