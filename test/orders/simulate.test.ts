import t, { type Test } from 'tap'
import { contents } from '../contract/tenant.js'
import { testApp, type TestApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { callsOf, keys, makePool, makeProduct, orderOf, type Call } from '../support/vendor.js'

interface Simulation {
  known_as: string | null
  outcome: string
  line_items: Array<Record<string, unknown>>
  mails: Array<{ product_id: string, is_sent_at_once: boolean, licenses: number, subject: string, text: string, html: string, problems: unknown[] }>
}
interface Shop { service: TestApp, call: Call, simulate: (order: Record<string, unknown>) => Promise<Simulation> }

/** Simulates, and sees to it that no table has changed. */
async function shop (t: Test): Promise<Shop> {
  const service = await testApp(t)
  const call = callsOf(service.app, service.vendor)
  return {
    service,
    call,
    async simulate (order) {
      const before = await contents(service)
      const answer = await call('POST', '/v1/orders/simulate', order)
      t.equal(await contents(service), before, 'nothing was taken or written')
      if (answer.statusCode !== 200) throw new Error(answer.body)
      return answer.json()
    },
  }
}

// Guarantee: a simulation says what placing the order then does: pool, policy, slots and what is filled; and changes nothing.
t.test('as it is placed', async (t) => {
  const { call, simulate } = await shop(t)
  const [pro, common, refused] = [await makeProduct(call, 'sku-pro'), await makeProduct(call, 'sku-common'), await makeProduct(call, 'sku-fail')]
  const partial = await makePool(call, { product_ids: [pro], on_shortage: 'partial' }, keys(3, 'PRO'))
  const rest = await makePool(call, { quantity_rule: 'line' }, keys(1, 'COMMON'))
  await makePool(call, { product_ids: [refused], on_shortage: 'fail' })
  await makePool(call, { product_ids: [await makeProduct(call, 'sku-two')], on_shortage: 'partial' }, keys(3, 'TWO'))
  await makePool(call, { product_ids: [await makeProduct(call, 'sku-wait')] }, keys(3, 'WAIT'))
  const lines = (...asked: Array<[string, number]>) => ({ line_items: asked.map(([product, quantity]) => ({ product, quantity, unit_amount: 100 })) })
  for (const [n, asked] of [
    lines(['sku-pro', 2]), lines(['sku-pro', 2], ['sku-common', 5]), lines(['sku-pro', 1]), lines(['sku-common', 3], ['sku-common', 1]), lines(['sku-pro', 1], ['sku-fail', 1]),
    lines(['sku-two', 2], ['sku-two', 2]), lines(['sku-wait', 5], ['sku-wait', 2]), // one line leaves less for the next, and is not overtaken by it
  ].entries()) {
    const order = orderOf(`A-${n}`, asked)
    const { outcome, line_items, known_as } = await simulate(order)
    t.equal(known_as, null)
    const placed = await call('POST', '/v1/orders', order)
    const body = placed.json()
    t.equal(placed.statusCode, outcome === 'refused' ? 409 : 201, `${n}: ${outcome}`)
    if (outcome === 'refused') continue
    t.equal(body.fulfillment_status, outcome, `${n}: the order`)
    t.same(line_items.map((line) => [line['pool_id'], line['slots'], line['outcome']]),
      body.line_items.map((line: Record<string, unknown>) => [line['pool_id'], line['slots'], line['fulfillment_status']]), `${n}: its lines`)
    t.equal((await simulate(order)).known_as, body.id)
  }
  t.match(await simulate(orderOf('B', lines(['sku-pro', 2], ['sku-common', 4]))), {
    outcome: 'backordered',
    line_items: [
      { product_id: pro, pool_id: partial, reason: 'it serves this one product, in any currency', on_shortage: 'partial', quantity_rule: 'unit', slots: 2, available: 0, outcome: 'backordered', supplies: [] },
      { product_id: common, pool_id: rest, reason: 'it is common to all products, in any currency', quantity_rule: 'line', slots: 1 },
    ],
    mails: [{ product_id: pro, is_sent_at_once: false, licenses: 2 }, { product_id: common, is_sent_at_once: false, licenses: 1 }],
  })
})

// Guarantee: the mails of a simulation are the order's: its customer, its locale, the keys it would have, made up; and what is wrong with them is said.
t.test('the mails', async (t) => {
  const { call, simulate } = await shop(t)
  const id = await makeProduct(call, 'sku-pro')
  await call('PUT', `/v1/products/${id}`, { locales: { pt: { name: 'Profissional', mail_template: { subject: 'Para {FNAME}', text: '{QUANTITY}: {KEY} {PRICE_ALL_DUPLICATES} {LICENSE_FOR}' } } } })
  await makePool(call, { product_ids: [id] }, keys(500))
  const order = orderOf('A-1', { locale: 'pt_BR', licensee: { name: 'Bea' }, line_items: [{ product: 'sku-pro', quantity: 2, unit_amount: 150 }, { external_id: 'x', product: id, quantity: 1, unit_amount: 150 }] })
  const { mails } = await simulate(order)
  t.match(mails, [{ subject: 'Para Ada', text: /3: SAMPLE-00001-XXXX-XXXX\nSAMPLE-00002-XXXX-XXXX\nSAMPLE-00003-XXXX-XXXX 4\.50 EUR Bea\n/, is_sent_at_once: true, licenses: 3, problems: [] }])
  t.equal(mails.length, 1, 'one for the product')
  t.match((await simulate(orderOf('A-2', { line_items: [{ product: id, quantity: 400 }] }))).mails, [{ licenses: 400, text: /SAMPLE-00100-XXXX-XXXX\n\n/ }], 'at most a hundred keys are shown')
  await call('PUT', `/v1/products/${id}/supplies`, [{ type: 'information', subject: 'Soon', text: 'We will write.' }])
  t.match(await simulate(orderOf('A-3', { line_items: [{ product: id, quantity: 1 }] })), {
    outcome: 'fulfilled', line_items: [{ pool_id: null, slots: 0, reason: /a mail and no license/ }], mails: [{ subject: 'Soon', is_sent_at_once: true, licenses: 0, problems: [] }],
  })
})

// Guarantee: supplies, holds and renewals are taken into account as far as they are known beforehand; what cannot be placed is refused alike.
t.test('supplies, holds, renewals and refusals', async (t) => {
  const { call, simulate, service } = await shop(t)
  const id = await makeProduct(call, 'sku-pro')
  const one = { line_items: [{ product: 'sku-pro', quantity: 2 }] }
  t.match(await simulate(orderOf('A-1', one)), { outcome: 'refused', line_items: [{ pool_id: null, reason: `no live pool serves ${id} in EUR`, outcome: 'refused' }], mails: [] })
  const pool_id = await makePool(call, { product_ids: [id] }, keys(2))
  await call('PUT', `/v1/products/${id}/supplies`, [{ type: 'web_service', url: 'https://x.example/keys' }, { type: 'emulator', behaviour: 'succeed' }])
  t.match(await simulate(orderOf('A-1', { line_items: [{ product: 'sku-pro', quantity: 3 }] })), { outcome: 'backordered', line_items: [{ available: 2, supplies: ['web_service'] }] })

  const { id: hold_id } = (await call('POST', '/v1/holds', { currency: 'EUR', line_items: [{ product: 'sku-pro', quantity: 2 }], expires_in_s: 3600 })).json()
  t.match(await simulate(orderOf('A-1', one)), { outcome: 'backordered', line_items: [{ available: 0 }] })
  t.match(await simulate(orderOf('A-1', { ...one, hold_id })), { outcome: 'fulfilled', line_items: [{ available: 2 }] })
  const more = [{ product: 'sku-pro', quantity: 2 }, { product: 'sku-pro', quantity: 1 }]
  t.match(await simulate(orderOf('A-1', { line_items: more, hold_id })), { outcome: 'partial', line_items: [{ available: 2 }, { available: 0 }] })
  const { id: parent } = (await call('POST', '/v1/orders', orderOf('A-1', { ...one, hold_id }))).json()

  await call('PUT', `/v1/products/${id}`, { on_renewal: 'keep' })
  t.match(await simulate(orderOf('A-2', { ...one, parent })), { outcome: 'fulfilled', line_items: [{ slots: 0, kept: 2 }], mails: [{ licenses: 2, is_sent_at_once: true }] })
  t.match(await simulate(orderOf('A-2', { line_items: [{ product: 'sku-pro', quantity: 3 }], parent })), { line_items: [{ slots: 1, kept: 2, available: 0, pool_id }] })
  const asked = async (order: object) => (await call('POST', '/v1/orders/simulate', order)).json()
  t.match(await asked(orderOf('A-3', { parent: 'none' })), { error_code: 'ORD_006' })
  t.match(await asked(orderOf('A-3', { line_items: [{ product: 'sku-none', quantity: 1 }] })), { error_code: 'PRD_001', errors: [/^line_items\.0\.product/] })
  t.match((await callsOf(service.app, service.stranger)('POST', '/v1/orders/simulate', orderOf('A-3'))).json(), { error_code: 'PRD_001' }, 'what is another\'s is absent')
})

// Guarantee: of a hold only what its order would be given counts: not what lasts shorter than the pool demands by now, nor anything of a hold that is over.
t.test('holds whose licenses are not given any more', async (t) => {
  const { app, vendor, db } = await testApp(t, { LOG_LEVEL: 'error' })
  const call = callsOf(app, vendor)
  const pool_id = await makePool(call, { product_ids: [await makeProduct(call, 'sku-pro')] })
  const until = new Date(Date.now() + 20 * 86_400_000).toISOString()
  await call('POST', `/v1/pools/${pool_id}/licenses`, `key,expires_at\nDATED-0001,${until}`, { 'content-type': 'text/csv' })
  const { id: hold_id } = (await call('POST', '/v1/holds', { currency: 'EUR', line_items: [{ product: 'sku-pro', quantity: 1 }] })).json()
  const order = orderOf('A-1', { line_items: [{ product: 'sku-pro', quantity: 1 }], hold_id })
  const outcome = async (): Promise<unknown> => (await call('POST', '/v1/orders/simulate', order)).json()['outcome']
  t.equal(await outcome(), 'fulfilled')
  await call('PUT', `/v1/pools/${pool_id}`, { min_remaining_days: 30 })
  t.equal(await outcome(), 'backordered')
  await call('PUT', `/v1/pools/${pool_id}`, { min_remaining_days: 0 })
  t.equal(await outcome(), 'fulfilled')
  await call('POST', `/v1/holds/${hold_id}/release`)
  await db.updateTable('pools').set({ min_remaining_days: 30 }).where('id', '=', pool_id).execute()
  t.equal(await outcome(), 'backordered')
  t.match((await call('POST', '/v1/orders', order)).json(), { fulfillment_status: 'backordered' }, 'and so it is')
  await assertInvariants(t, db)
})
