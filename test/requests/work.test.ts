import http from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { buildLogger } from '../../src/log.js'
import { startWorker } from '../../src/worker.js'
import { testApp } from '../support/app.js'
import { makeMarket, purchaseOf } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { until } from '../support/until.js'
import { callsOf } from '../support/vendor.js'

const LOOPBACK = { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' }

/** A vendor's system that judges drafts; `judge` answers the JSON, or a status instead. */
async function validator (t: Test, judge: (draft: Json) => Json | number): Promise<{ url: string, asked: Json[] }> {
  const asked: Json[] = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => { chunks.push(chunk) }).on('end', () => {
      const draft = JSON.parse(Buffer.concat(chunks).toString()) as Json
      asked.push(draft)
      const verdict = judge(draft)
      response.writeHead(typeof verdict === 'number' ? verdict : 200, { 'content-type': 'application/json' }).end(JSON.stringify(verdict))
    })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => new Promise((resolve) => { server.close(resolve) }))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/validate`, asked }
}

// Guarantee: a validating webhook is sent the whole draft but no secret, and what it says of values is kept with 200; one that fails says nothing.
t.test('a validating webhook', async (t) => {
  const service = await testApp(t, LOOPBACK)
  const market = await makeMarket(service)
  const { byVendor, byProvider, product_id } = market
  let verdict = (draft: Json): Json | number => ({ ...draft, asset: { ...draft.asset, params: [{ ...draft.asset.params[0], value_error: 'Unknown here' }, { id: 'license_key', value: 'FORGED' }, { id: 'nothing' }, null] } })
  const { url, asked } = await validator(t, (draft) => verdict(draft))
  await byVendor('POST', '/v1/notifications/webhooks', {
    label: 'judge', product_id, external_url: url, object_class: 'fulfillment_request', type: 'validator', jwt_secret: 'a secret that is long enough', active: true,
  })
  const draft = await byProvider('POST', '/v1/requests', purchaseOf(market, { status: 'draft' }))
  t.match(asked, [{ id: draft.id, status: 'draft', asset: { connection: { id: market.connection_id }, items: [{}], params: [{ id: 'admin_email', value: 'admin@example.com' }] } }])
  t.equal(asked[0]!.asset.params.length, 1, 'the secret one is absent')
  t.match(draft.asset.params, [{ id: 'admin_email', value_error: 'Unknown here' }, { id: 'license_key', value: '' }])
  verdict = (given) => ({ asset: { params: [{ ...given.asset.params[0], value: 'corrected@example.com', value_error: '' }] } })
  const corrected = await byProvider('POST', `/v1/requests/${draft.id}/validate`, { asset: { params: [{ id: 'admin_email', value: 'typo@example.com' }] } })
  t.match(corrected.asset.params, [{ value: 'corrected@example.com', value_error: '' }])
  verdict = () => 500
  const unasked = await byProvider('POST', `/v1/requests/${draft.id}/validate`, { asset: { params: [{ id: 'admin_email', value: 'other@example.com' }] } })
  t.match(unasked.asset.params, [{ value: 'other@example.com', value_error: '' }])
  t.equal(asked.length, 3)
  t.equal((await byProvider('POST', `/v1/requests/${draft.id}/purchase`)).status, 'pending')
  t.equal((await callsOf(service.app, market.provider)('POST', `/v1/requests/${draft.id}/validate`)).statusCode, 400, 'only a draft or an inquiry is')
})

// Guarantee: the worker makes a scheduled request pending on its date and deletes drafts that nobody touched for 30 days; others it leaves alone.
t.test('what the worker does', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const { byVendor, byProvider } = market
  const make = async (other: object = {}): Promise<string> => (await byProvider('POST', '/v1/requests', purchaseOf(market, { ...other }))).id
  const [due, later, old, young] = [await make(), await make(), await make({ status: 'draft' }), await make({ status: 'draft' })]
  for (const id of [due, later]) await byVendor('POST', `/v1/requests/${id}/schedule`, { planned_date: '2099-01-31' })
  await service.db.updateTable('requests').set({ planned_date: new Date(Date.now() - 1000) }).where('id', '=', due).execute()
  await service.db.updateTable('requests').set({ updated_at: new Date(Date.now() - 31 * 86_400_000) }).where('id', '=', old).execute()
  const { db, config, keyring } = service
  const worker = startWorker({ db, config, keyring, log: buildLogger(config), transport: {} as never })
  t.teardown(() => worker.stop(0))
  await until('the due one', async () => (await byVendor('GET', `/v1/requests/${due}`)).status === 'pending')
  await until('the old one', async () => (await callsOf(service.app, market.provider)('GET', `/v1/requests/${old}`)).statusCode === 404)
  t.equal((await byVendor('GET', `/v1/requests/${later}`)).status, 'scheduled')
  t.equal((await byProvider('GET', `/v1/requests/${young}`)).status, 'draft')
})

// Guarantee: a POST that is repeated under its Idempotency-Key happens once, and is answered as it stands now.
t.test('an Idempotency-Key', async (t) => {
  const service = await testApp(t)
  const market = await makeMarket(service)
  const provider = callsOf(service.app, market.provider)
  const purchase = purchaseOf(market)
  const headers = { 'idempotency-key': 'one' }
  const [first, second] = [await provider('POST', '/v1/requests', purchase, headers), await provider('POST', '/v1/requests', purchase, headers)]
  t.same([first.statusCode, second.statusCode, second.json().id], [201, 201, first.json().id])
  await market.byVendor('PUT', `/v1/requests/${first.json().id}`, { asset: { params: [{ id: 'license_key', value: 'KEY' }] } })
  const vendor = callsOf(service.app, market.vendor)
  const approve = () => vendor('POST', `/v1/requests/${first.json().id}/approve`, {}, headers)
  t.same([(await approve()).statusCode, (await approve()).statusCode], [200, 200])
})
