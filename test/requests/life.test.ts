import t from 'tap'
import { testApp } from '../support/app.js'
import { makeMarket, purchaseOf, type Market } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { callsOf } from '../support/vendor.js'

const itemOf = ({ asset }: Json): [string, string] => [asset.items[0].old_quantity, asset.items[0].quantity]
const valueOf = ({ asset }: Json, name: string): string => asset.params.find(({ id }: Json) => id === name).value
const write = (id: string, value: string, other: object = {}): object => ({ asset: { params: [{ id, value, ...other }] } })

async function approved ({ byVendor }: Market, { id, template }: Json, license_key = 'KEY-1'): Promise<Json> {
  await byVendor('PUT', `/v1/requests/${id}`, write('license_key', license_key))
  return byVendor('POST', `/v1/requests/${id}/approve`, { template_id: template.id })
}

// Guarantee: a purchase goes from draft to approved through validation and an inquiry, each side doing its part, and both read the result.
t.test('a purchase: draft, validate, purchase, inquire, pend, approve', async (t) => {
  const market = await makeMarket(await testApp(t))
  const { byVendor, byProvider } = market
  const draft = await byProvider('POST', '/v1/requests', purchaseOf(market, { status: 'draft', asset: { params: [{ id: 'admin_email', value: 'not one' }] } }))
  t.match(draft, { status: 'draft', type: 'purchase', asset: { status: 'draft' }, assignee: '', activation_key: '', answered: false })
  t.match(draft.id, /^PR-(\d{4}-){3}001$/)
  t.equal(draft.asset.id, `AS-${draft.id.slice(3, -4)}`)
  t.same(await byVendor('GET', '/v1/requests?status=draft'), [], 'the vendor is not shown drafts')
  const faulty = await byProvider('POST', `/v1/requests/${draft.id}/validate`, write('admin_email', 'not one'))
  t.not(faulty.asset.params[0].value_error, '', 'what is wrong is said with 200')
  const right = await byProvider('POST', `/v1/requests/${draft.id}/validate`, write('admin_email', 'ada@example.com'))
  t.equal(right.asset.params[0].value_error, '')
  await byProvider('PUT', `/v1/requests/${draft.id}`, { asset: { items: [{ id: market.item_id, quantity: '3' }], external_id: 'X-1' } })

  const pending = await byProvider('POST', `/v1/requests/${draft.id}/purchase`)
  t.match(pending, { status: 'pending', asset: { status: 'processing', external_id: 'X-1' } })
  t.match(pending.template.id, /^TL-/, 'it names a template before it is approved')
  t.same(itemOf(pending), ['0', '3'])
  t.same((await byVendor('GET', '/v1/requests')).map(({ id }: Json) => id), [draft.id], 'the vendor finds it without a filter')

  await byVendor('PUT', `/v1/requests/${draft.id}`, { ...write('admin_email', 'ada@example.com', { value_error: 'Unknown domain' }), note: 'asked' })
  const inquiring = await byVendor('POST', `/v1/requests/${draft.id}/inquire`)
  t.match(inquiring, { status: 'inquiring', note: 'asked', answered: false, assignee: { id: market.vendor.key_id } })
  t.match(inquiring.params_form_url, new RegExp(`/v1/requests/${draft.id}/form\\?code=[\\w-]{32}&request_id=${draft.id}$`))
  t.ok(inquiring.activation_key.includes(inquiring.params_form_url), 'the inquiry tells where to answer')
  const answered = await byProvider('PUT', `/v1/requests/${draft.id}`, write('admin_email', 'ada@known.example'))
  t.equal(answered.asset.params[0].value_error, '', 'a new value has no error')
  t.equal(answered.answered, true)
  const again = await byProvider('POST', `/v1/requests/${draft.id}/pend`)
  t.match(again, { status: 'pending', activation_key: '' })
  t.notOk('params_form_url' in again)

  const done = await approved(market, again, 'SECRET-KEY-1')
  t.match(done, { status: 'approved', asset: { status: 'active' }, template: { id: again.template.id } })
  t.ok(done.effective_date)
  const seen = await byProvider('GET', `/v1/requests/${draft.id}`)
  t.equal(valueOf(seen, 'license_key'), 'SECRET-KEY-1', 'the provider reads the key')
  const asset = await byProvider('GET', `/v1/assets/${draft.asset.id}`)
  t.match(asset, { status: 'active', items: [{ quantity: '3' }] })
  const messages = await byProvider('GET', `/v1/conversations/${draft.id}/messages`)
  t.same(messages.map(({ type }: Json) => type), Array(messages.length).fill('state_change'))
  t.equal(messages.length, 5, 'draft, pending, inquiring, pending, approved')
})

// Guarantee: a draft with a wrong value becomes a question to the buyer when it is asked for, not work for the vendor. A question in the vendor's
// own words comes in the message of a template too, where providers read it.
t.test('a purchase with a wrong value, and a question of the vendor', async (t) => {
  const market = await makeMarket(await testApp(t))
  const { byVendor, byProvider } = market
  const purchase = purchaseOf(market, { status: 'draft', asset: { params: [{ id: 'admin_email', value: 'not one' }] } })
  const draft = await byProvider('POST', '/v1/requests', purchase)
  const asked = await byProvider('POST', `/v1/requests/${draft.id}/purchase`)
  t.match(asked, { status: 'inquiring', asset: { params: [{ id: 'admin_email', value: 'not one', value_error: /mail address/ }] } })
  await byProvider('PUT', `/v1/requests/${draft.id}`, write('admin_email', 'ada@example.com'))
  t.match(await byProvider('POST', `/v1/requests/${draft.id}/pend`), { status: 'pending', answered: true })
  const again = await byVendor('POST', `/v1/requests/${draft.id}/inquire`, { activation_tile: 'Which domain?' })
  t.match(again, { status: 'inquiring', activation_key: 'Which domain?', template: { id: /^TL-/, message: 'Which domain?' } })
})

// Guarantee: every type of follow-up does to the asset what the table says, and its items show what was before and what is wanted.
t.test('adjustment, change, suspend, resume, cancel', async (t) => {
  const market = await makeMarket(await testApp(t))
  const { byVendor, byProvider, item_id } = market
  const purchase = await approved(market, await byProvider('POST', '/v1/requests', purchaseOf(market)))
  const asset = { id: purchase.asset.id }
  const statusOf = async (): Promise<string> => (await byProvider('GET', `/v1/assets/${asset.id}`)).status

  const adjustment = await byVendor('POST', '/v1/requests', { type: 'adjustment', asset: { ...asset, params: [{ id: market.parameters['license_key'], name: 'license_key', value: 'KEY-2' }] } })
  t.match(adjustment, { id: purchase.id.replace('001', '002'), status: 'pending', asset: { status: 'active' }, previous_approved_request: { id: purchase.id } })
  t.equal(valueOf(await byProvider('GET', `/v1/requests/${purchase.id}`), 'license_key'), 'KEY-1', 'the earlier request keeps what it had')
  await byVendor('POST', `/v1/requests/${adjustment.id}/approve`, { activation_tile: 'Your new key has come' })
  t.match(await byProvider('GET', `/v1/requests/${adjustment.id}`), { status: 'approved', activation_key: 'Your new key has come' })

  const change = await byProvider('POST', '/v1/requests', { type: 'change', asset: { ...asset, items: [{ id: item_id, quantity: 5 }] } })
  t.same(itemOf(change), ['1', '5'])
  t.equal(valueOf(change, 'license_key'), 'KEY-2')
  t.same((await byProvider('GET', `/v1/assets/${asset.id}`)).items[0].quantity, '1', 'the asset keeps its quantity until then')
  await byVendor('POST', `/v1/requests/${change.id}/approve`, {})
  t.equal((await byProvider('GET', `/v1/assets/${asset.id}`)).items[0].quantity, '5')

  for (const [type, during, after] of [['suspend', 'active', 'suspended'], ['resume', 'suspended', 'active'], ['cancel', 'terminating', 'terminated']] as const) {
    const failing = await byProvider('POST', '/v1/requests', { type, asset })
    const before = type === 'cancel' ? 'active' : during
    t.equal(await statusOf(), during, `${type}: while it is pending`)
    t.same(itemOf(failing), ['5', '5'])
    await byVendor('POST', `/v1/requests/${failing.id}/fail`, { reason: 'not today' })
    t.equal(await statusOf(), before, `${type}: failed`)
    const { id } = await byProvider('POST', '/v1/requests', { type, asset })
    await byVendor('POST', `/v1/requests/${id}/approve`)
    t.equal(await statusOf(), after, `${type}: approved`)
  }
})

// Guarantee: a request is put off, revoked by its provider and confirmed by its vendor; or becomes pending again.
t.test('schedule, revoke, confirm', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const { byVendor, byProvider } = market
  const { id } = await byProvider('POST', '/v1/requests', purchaseOf(market))
  const past = await callsOf(service.app, market.vendor)('POST', `/v1/requests/${id}/schedule`, { planned_date: '2001-01-01' })
  t.match(past.json(), { status: 400, errors: ['planned_date: must be in the future'] })
  const never = await callsOf(service.app, market.vendor)('POST', `/v1/requests/${id}/schedule`, { planned_date: '2099-02-30' })
  t.match(never.json(), { status: 400, errors: [/^planned_date: must be a moment/] }, 'a day that is not there is not another one')
  const planned_date = '2099-01-31 10:15:00.814429+00:00'
  t.match(await byVendor('POST', `/v1/requests/${id}/schedule`, { data: { planned_date } }), { status: 'scheduled', planned_date: '2099-01-31T10:15:00+00:00' })
  t.match(await byVendor('POST', `/v1/requests/${id}/pend`), { status: 'pending' })
  await byVendor('POST', `/v1/requests/${id}/schedule`, { planned_date })
  t.match(await byProvider('POST', `/v1/requests/${id}/revoke`, { reason: 'no longer wanted' }), { status: 'revoking', reason: 'no longer wanted' })
  t.match(await byVendor('POST', `/v1/requests/${id}/confirm`), { status: 'revoked', asset: { status: 'terminated' } })
})

// Guarantee: a request is given to an API key of the vendor by id or e-mail, to nobody else, and taken back.
t.test('assign and unassign', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const { byVendor, byProvider, vendor } = market
  const { id } = await byProvider('POST', '/v1/requests', purchaseOf(market))
  const key = await byVendor('POST', '/v1/api-keys', { name: 'Grace', email: 'grace@example.com', permissions: ['requests:read'] })
  const assigneeOf = async (url: string, body?: object): Promise<unknown> => (await byVendor('POST', `/v1/requests/${id}/${url}`, body)).assignee
  t.match(await assigneeOf('assign', { email: 'grace@example.com' }), { id: key.id, email: 'grace@example.com' })
  t.match(await byVendor('GET', `/v1/requests?assignee=${key.id}`), [{ id }])
  t.equal(await assigneeOf('unassign'), '')
  t.match(await byVendor('GET', '/v1/requests?assignee=null()'), [{ id }])
  t.match(await assigneeOf(`assign/${vendor.key_id}`), { id: vendor.key_id })
  const strange = await callsOf(service.app, vendor)('POST', `/v1/requests/${id}/assign`, { id: market.provider.key_id })
  t.equal(strange.statusCode, 400, 'an API key of somebody else')
})
