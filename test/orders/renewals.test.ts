import t, { type Test } from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { claimDeliveries } from '../../src/deliveries/claim.js'
import { readLetter } from '../support/deliveries.js'
import { render } from '../../src/mailer/render.js'
import { testApp, type TestApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import type { Json } from '../support/sdk.js'
import { callsOf, keys, load, makePool, orderOf, subjectOf, type Call } from '../support/vendor.js'

interface Shop extends TestApp {
  call: Call
  pool_id: string
  order: (external_id: string, more?: Record<string, unknown>) => Promise<Json>
  renew: (external_id: string, parent: string, quantity?: number) => Promise<Json>
  read: (id: string) => Promise<Json>
}

async function shopOf (t: Test, on_renewal: string | undefined, pool: object = {}): Promise<Shop> {
  const service = await testApp(t)
  const call = callsOf(service.app, service.vendor)
  const mail_template = { subject: 'Renewed!', text: 'Now: {KEY}\nBefore: {PARENT_KEY}.', html: '<a title="{PARENT_KEY}">{KEY}</a> before {PARENT_KEY}.' }
  const { id } = (await call('POST', '/v1/products', { name: 'Pro', external_ids: ['sku-pro'], mail_template, ...(on_renewal === undefined ? {} : { on_renewal }) })).json<Json>()
  // a subject with keys is refused now, and there are older ones
  await subjectOf(service.db, id, 'Renewed {PARENT_KEY}{KEY}!')
  const pool_id = await makePool(call, { product_ids: [id], ...pool }, keys(20, 'KEY'))
  const order = async (external_id: string, more: Record<string, unknown> = {}): Promise<Json> => {
    const answer = await call('POST', '/v1/orders', orderOf(external_id, more))
    return { statusCode: answer.statusCode, ...answer.json<Json>() }
  }
  return {
    ...service,
    call,
    pool_id,
    order,
    renew: (external_id, parent, quantity = 1) => order(external_id, { parent, line_items: [{ product: 'sku-pro', quantity, period: 'P1Y' }] }),
    read: async (order_id) => (await call('GET', `/v1/orders/${order_id}`)).json(),
  }
}

const idsOf = (order: Json, line = 0): string[] => (order['line_items'][line]['licenses'] as Json[]).map((license) => license.id)
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

/** All mails that are due, written, by the external id of their order. */
async function mails ({ db, keyring }: Shop): Promise<Record<string, { subject: string, text: string, html: string }>> {
  const claimed = await inTransaction(db, (trx) => claimDeliveries(trx, { limit: 100, lease_ms: 60_000, domain: 'x.example' }))
  const written = await Promise.all(claimed.map(async (delivery) => {
    const letter = await readLetter(db, { keyring, public_url: 'https://licenses.example.com' }, delivery)
    return [letter.order.external_id, render(letter)] as const
  }))
  return Object.fromEntries(written)
}

// Guarantee: by the policy `issue`, and where none is set, a renewal gets the next license, and its mail may say the one before: which counts as seen.
t.test('the next license', async (t) => {
  const shop = await shopOf(t, undefined)
  const first = await shop.order('A-1')
  const next = await shop.renew('A-2', first.id)
  t.match(next, { statusCode: 201, parent_id: first.id, fulfillment_status: 'fulfilled' })
  t.match(next['line_items'][0], { slots: 1, renewal: { parent_line_item_id: `${first.id}-1`, first_line_item_id: `${first.id}-1`, number: 1, on_renewal: 'issue', period: 'P1Y', kept_license_ids: [] } })
  t.notSame(idsOf(next), idsOf(first))
  t.match(await shop.read(first.id), { parent_id: null, line_items: [{ renewal: null }] })
  await shop.db.deleteFrom('deliveries').where('order_id', '=', first.id).execute()
  const { 'A-2': mail } = await mails(shop)
  t.equal(mail?.subject, 'Renewed !')
  t.match(mail?.text, 'Now: KEY-00000002\nBefore: KEY-00000001.')
  t.match(mail?.html, /<a title="KEY-00000001"><code[^>]*>KEY-00000002<\/code><\/a> before <code[^>]*>KEY-00000001<\/code>\./)
  const seen = await shop.db.selectFrom('license_sightings').select('license_id').execute()
  t.same(seen.map((row) => row.license_id).sort(), [...idsOf(first), ...idsOf(next)].sort())
})

// Guarantee: by the policies `keep` and `extend` no license is taken: the renewal names those that the customer has, and its mail says them.
for (const policy of ['keep', 'extend']) {
  t.test(`no license: ${policy}`, async (t) => {
    const shop = await shopOf(t, policy)
    const first = await shop.order('A-1', { line_items: [{ product: 'sku-pro', quantity: 2 }] })
    const next = await shop.renew('A-2', 'A-1', 2)
    t.match(next, { statusCode: 201, parent_id: first.id, fulfillment_status: 'fulfilled', deliveries: [{ license_ids: idsOf(first), status: 'planned' }] })
    t.match(next['line_items'][0], { slots: 0, licenses: [], fulfillment_status: 'fulfilled', renewal: { number: 1, on_renewal: policy, kept_license_ids: idsOf(first) } })
    t.equal((next['deliveries'] as unknown[]).length, 1)
    t.match((await shop.call('GET', `/v1/pools/${shop.pool_id}`)).json(), { stock: { available: 18, allocated: 2 } })
    t.match(await shop.renew('A-2', 'A-1', 2), { statusCode: 200, id: next.id }, 'the order again changes nothing')
    const { 'A-2': mail } = await mails(shop)
    t.match(mail?.text, 'Now: KEY-00000001\nKEY-00000002\nBefore: KEY-00000001\nKEY-00000002.')
    t.equal((await shop.call('POST', `/v1/orders/${next.id}/resend`)).statusCode, 202)
    t.match((await mails(shop))['A-2']?.text, 'Now: KEY-00000001\nKEY-00000002')
    await assertInvariants(t, shop.db)
  })
}

// Guarantee: more units than before get licenses for what is new, in the same mail; as many as are paid for, whatever the chain.
t.test('more units than before', async (t) => {
  const shop = await shopOf(t, 'keep')
  const first = await shop.order('A-1', { line_items: [{ product: 'sku-pro', quantity: 2 }] })
  const more = await shop.renew('A-2', first.id, 5)
  t.match(more['line_items'][0], { slots: 3, quantity: 5, renewal: { kept_license_ids: idsOf(first) } })
  t.match(more['deliveries'], [{ license_ids: [...idsOf(first), ...idsOf(more)] }])
  t.equal((more['deliveries'] as unknown[]).length, 1)
  const again = await shop.renew('A-3', more.id, 6)
  t.match(again['line_items'][0], { slots: 1, renewal: { number: 2, kept_license_ids: [...idsOf(first), ...idsOf(more)] } })
  const fewer = await shop.renew('A-4', again.id, 1)
  t.match(fewer['line_items'][0], { slots: 0, renewal: { number: 3, kept_license_ids: { length: 6 } } })
  await assertInvariants(t, shop.db)
})

// Guarantee: a chain of ten goes on from its last, whichever of its orders is named, and remembers its first; renewals at once get places of their own.
t.test('a chain of ten', async (t) => {
  const shop = await shopOf(t, 'issue')
  const first = await shop.order('A-0')
  let last = first
  for (const i of range(10)) {
    const next = await shop.renew(`A-${i + 1}`, i % 2 === 0 ? first.id : last.id)
    t.match(next['line_items'][0]['renewal'], { number: i + 1, first_line_item_id: `${first.id}-1`, parent_line_item_id: `${last.id}-1` })
    last = next
  }
  const at_once = await Promise.all(range(5).map((i) => shop.renew(`B-${i}`, first.id)))
  t.same(at_once.map((each) => each['line_items'][0]['renewal']['number']).sort(), [11, 12, 13, 14, 15])
  t.match((await mails(shop))['A-10']?.text, 'Now: KEY-00000011\nBefore: KEY-00000010.')
  await assertInvariants(t, shop.db)
})

// Guarantee: where nothing is left to be kept, the customer who pays gets a license; a refunded renewal is passed over by the next.
t.test('refunds in a chain', async (t) => {
  const shop = await shopOf(t, 'keep')
  const first = await shop.order('A-1')
  const kept = await shop.renew('A-2', first.id)
  await shop.call('POST', `/v1/orders/${kept.id}/refund`, { reason: 'a mistake' })
  t.match(await shop.read(kept.id), { status: 'refunded' })
  t.match(await shop.read(first.id), { status: 'paid', fulfillment_status: 'fulfilled' }, 'its own license stays')
  const third = await shop.renew('A-3', kept.id)
  t.match(third['line_items'][0]['renewal'], { number: 2, parent_line_item_id: `${first.id}-1`, kept_license_ids: idsOf(first) })
  await shop.call('POST', `/v1/orders/${first.id}/refund`, { reason: 'a mistake' })
  t.match((await shop.read(third.id))['line_items'][0]['renewal'], { kept_license_ids: [] })
  const fourth = await shop.renew('A-4', first.id)
  t.match(fourth['line_items'][0], { slots: 1, licenses: { length: 1 }, renewal: { number: 3, on_renewal: 'issue', kept_license_ids: [] } })
  await mails(shop)
  await assertInvariants(t, shop.db)
})

// Guarantee: lines find the line of their product, the first the first; what has none is an ordinary line; a waiting license is kept too.
t.test('which line renews which', async (t) => {
  const shop = await shopOf(t, 'keep')
  const { id } = (await shop.call('POST', '/v1/products', { name: 'Other', external_ids: ['sku-other'], on_renewal: 'keep' })).json<Json>()
  const other_pool = await makePool(shop.call, { product_ids: [id] })
  const first = await shop.order('A-1', { line_items: [{ product: 'sku-pro', quantity: 1 }, { product: 'sku-other', quantity: 1 }, { product: 'sku-pro', quantity: 2 }] })
  const lines = [{ product: 'sku-other', quantity: 1 }, { product: 'sku-pro', quantity: 1 }, { product: 'sku-pro', quantity: 2 }, { product: 'sku-pro', quantity: 1 }]
  const next = await shop.order('A-2', { parent: first.id, line_items: lines })
  t.same((next['line_items'] as Json[]).map((line) => [line['renewal']?.['parent_line_item_id'] ?? null, line['slots']]), [
    [`${first.id}-2`, 0], [`${first.id}-1`, 0], [`${first.id}-3`, 0], [null, 1],
  ])
  await load(shop.call, other_pool, ['OTHER-KEY-1'])
  t.match((await shop.read(next.id))['line_items'][0]['renewal']['kept_license_ids'], { length: 1 })
  await assertInvariants(t, shop.db)
})

// Guarantee: a parent that is not known, is another vendor's or of the other mode is refused, and nothing is kept of the order.
t.test('no such parent', async (t) => {
  const shop = await shopOf(t, 'keep')
  const first = await shop.order('A-1')
  t.match(await shop.renew('A-2', 'A-none'), { statusCode: 400, error_code: 'ORD_006', errors: [/^parent: /] })
  t.match(await shop.order('A-2', { parent: first.id, mode: 'test' }), { statusCode: 400, error_code: 'ORD_006' })
  t.match(await shop.renew('A-2', 'A-2'), { statusCode: 400 }, 'nor itself')
  const stranger = await callsOf(shop.app, shop.stranger)('POST', '/v1/orders', orderOf('S-1', { parent: first.id }))
  t.equal(stranger.statusCode, 400)
  t.equal((await shop.db.selectFrom('orders').select('id').execute()).length, 1)
  await assertInvariants(t, shop.db)
})

// Guarantee: a renewal that keeps what the customer has can be cancelled as any order; the invariants know that it has nothing to give back.
t.test('a renewal that is cancelled', async (t) => {
  const shop = await shopOf(t, 'keep')
  const first = await shop.order('A-1')
  const next = await shop.renew('A-2', first.id)
  t.equal((await shop.call('POST', `/v1/orders/${next.id as string}/cancel`, {})).statusCode, 200)
  t.match(await shop.read(next.id), { status: 'cancelled' })
  t.equal(idsOf(await shop.read(first.id)).length, 1, 'the customer has what the first order gave')
  await assertInvariants(t, shop.db)
})
