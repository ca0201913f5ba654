// Everything at the second door that is a secret, planted, used rightly and wrongly: for the test that looks for it where it must not be.
import type { FastifyInstance } from 'fastify'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { testAccount, type TestAccount } from './app.js'
import { makeMarket, purchaseOf, tierOf, type Market } from './market.js'
import type { Received, Receiver } from './receiver.js'
import { until } from './until.js'
import { callsOf } from './vendor.js'

/** A text that is nowhere else, at least as long as the secret of an action must be. */
export const planted = (what: string): string => `PLANTED-${what}-6d1f0c2b9e-7a35-41c8-b6e2`

export interface Planted {
  /** what must be nowhere in clear, by what it is */
  secrets: Record<string, string>
  /** the code of an inquiry form, which the database has */
  form_code: string
  /** answers that may show no secret */
  answers: string[]
  /** what the vendor and the provider of the requests read */
  shown: string[]
}

type Service = { app: FastifyInstance, db: Kysely<Database> }

/** The vendor's product with a secret of every kind, and what is told about it. */
async function plantCatalogue ({ byVendor, byProvider, product_id }: Market, hook: Receiver): Promise<Record<string, string>> {
  const url = `/v1/products/${product_id}`
  for (const parameter of [
    { name: 'pin', type: 'password', phase: 'ordering' },
    { name: 'partner_key', phase: 'fulfillment', scope: 'tier1', secret: true, constraints: { required: true } },
  ]) await byVendor('POST', `${url}/parameters`, parameter)
  const vault = await byVendor('POST', `${url}/parameters`, { name: 'vault', phase: 'configuration', scope: 'product', secret: true })
  await byVendor('POST', `${url}/configurations`, { parameter: { id: vault['id'] }, value: planted('configuration') })
  await byVendor('POST', `${url}/actions`, { action: 'sso', title: 'Log in', url: 'https://vendor.example.com/sso', secret: planted('action') })
  const webhook = { label: 'hook', object_class: 'fulfillment_request', product_id, external_url: hook.url, active: true, headers: { 'x-token': planted('header') } }
  await byVendor('POST', '/v1/notifications/webhooks', { ...webhook, jwt_secret: planted('jwt') })
  await byVendor('POST', '/v1/notifications/webhooks', { ...webhook, type: 'validator', jwt_secret: planted('jwt') })
  const change = await byVendor('POST', '/v1/notifications/webhooks', { ...webhook, type: 'change' })
  const rotated = await byVendor('POST', `/v1/notifications/webhooks/${change['id'] as string}/rotate-secret`, {})
  const providers = await byProvider('POST', '/v1/notifications/webhooks', { ...webhook, type: 'change' })
  const secrets = { 'signing secret': change['signing_secret'], 'rotated secret': rotated['signing_secret'], "provider's secret": providers['signing_secret'] } as Record<string, string>
  return Object.fromEntries(Object.entries(secrets).map(([what, secret]) => [what, secret.slice('whsec_'.length)]))
}

/** A draft, judged and purchased; its reseller set up; filled by hand and approved with a text of the vendor's own. */
async function buyByHand ({ byVendor, byProvider, connection_id, item_id }: Market): Promise<string> {
  const asset = {
    params: [{ id: 'admin_email', value: 'admin@example.com' }, { id: 'pin', value: planted('pin') }], tiers: { customer: tierOf('Customer'), tier1: tierOf('Reseller') },
  }
  const { id } = await byProvider('POST', '/v1/requests', purchaseOf({ connection_id, item_id }, { status: 'draft', asset }))
  await byProvider('POST', `/v1/requests/${id as string}/validate`, { asset: { params: [{ id: 'pin', value: planted('pin') }] } })
  await byProvider('POST', `/v1/requests/${id as string}/purchase`)
  const [setup] = await byVendor('GET', '/v1/tier/config-requests?status=pending') as unknown as Array<{ id: string }>
  await byVendor('PUT', `/v1/tier/config-requests/${setup?.id ?? ''}`, { params: [{ id: 'partner_key', value: planted('partner') }] })
  await byVendor('POST', `/v1/tier/config-requests/${setup?.id ?? ''}/approve`, { template: { representation: `${planted('representation')} {{ partner_key }}` } })
  await byVendor('PUT', `/v1/requests/${id as string}/parameters/license_key`, { value: planted('license') })
  await byVendor('POST', `/v1/requests/${id as string}/approve`, { activation_tile: `${planted('tile')} {{ license_key }} {{ pin }}` })
  return id as string
}

/** A buyer is asked, and answers by the form. @returns the code of the form */
async function askBuyer ({ byVendor, byProvider, connection_id, item_id }: Market, app: FastifyInstance): Promise<string> {
  const { id } = await byProvider('POST', '/v1/requests', purchaseOf({ connection_id, item_id }, { asset: { tiers: { customer: tierOf('Customer') } } }))
  const { params_form_url } = await byVendor('POST', `/v1/requests/${id as string}/inquire`, {})
  const { search, searchParams } = new URL(params_form_url)
  const answer = await app.inject({ method: 'POST', url: `/v1/requests/${id as string}/pend${search}`, payload: { params: [{ id: 'pin', value: planted('pin') }] } })
  if (answer.statusCode !== 204) throw new Error(answer.body)
  return searchParams.get('code') ?? ''
}

/** Secrets where they do not fit: what is answered must not repeat them. */
async function sendWrongly ({ app }: Service, { vendor, provider, product_id, connection_id, item_id }: Market, request_id: string): Promise<string[]> {
  const answers: string[] = []
  const wrong = async (who: TestAccount, method: 'POST' | 'PUT' | 'GET', url: string, payload?: object): Promise<void> => {
    const { statusCode, body, headers } = await callsOf(app, who)(method, url, payload)
    if (statusCode < 400) throw new Error(`${method} ${url} ${statusCode} ${body}`)
    answers.push(body, JSON.stringify(headers))
  }
  const parameter = `/v1/requests/${request_id}/parameters/license_key`
  await wrong(vendor, 'PUT', parameter, { value: planted('license') })
  await wrong(vendor, 'PUT', parameter, { value: { secret: planted('license') } })
  for (const value of [planted('pin').repeat(80), `${planted('pin')}\0`]) {
    await wrong(provider, 'POST', '/v1/requests', purchaseOf({ connection_id, item_id }, { asset: { params: [{ id: 'pin', value }, { id: 'admin_email', value: 'none' }] } }))
  }
  await wrong(vendor, 'POST', `/v1/requests/${request_id}/approve`, { activation_tile: planted('tile') })
  await wrong(vendor, 'POST', `/v1/products/${product_id}/actions`, { action: 'x', title: 'x', url: planted('action'), secret: planted('action').repeat(20) })
  const webhook = { label: 'x', object_class: 'fulfillment_request', product_id, active: true, external_url: 'http://localhost:9' }
  await wrong(vendor, 'POST', '/v1/notifications/webhooks', { ...webhook, jwt_secret: planted('jwt').repeat(10) })
  await wrong(vendor, 'POST', '/v1/notifications/webhooks', { ...webhook, jwt_secret: 'x', headers: { 'x-token': `${planted('header')}\n` } })
  await wrong(vendor, 'POST', '/v1/notifications/webhooks', { ...webhook, jwt_secret: 'x', headers: { authorization: planted('header') } })
  await wrong(vendor, 'GET', `/v1/products/${product_id}/parameters?value=x`)
  return answers
}

/** Both sides read all there is; a provider reads what only its vendor may know in clear. */
async function readAll ({ app }: Service, { vendor, provider, product_id }: Market, request_id: string): Promise<Pick<Planted, 'answers' | 'shown'>> {
  const [answers, shown]: [string[], string[]] = [[], []]
  const [byVendor, byProvider] = [callsOf(app, vendor), callsOf(app, provider)]
  const webhooks = (await byVendor('GET', '/v1/notifications/webhooks')).json<Array<{ id: string }>>().map(({ id }) => `/v1/notifications/webhooks/${id}`)
  const quiet = [
    '/v1/events?limit=1000', '/v1/conversations', `/v1/conversations/${request_id}/messages`, '/v1/subscriptions/assets', '/v1/subscriptions/requests', '/v1/orders', '/v1/deliveries',
    '/v1/notifications/webhooks', `/v1/products/${product_id}/actions`, `/v1/products/${product_id}/parameters`, ...webhooks, ...webhooks.map((url) => `${url}/messages`),
  ]
  for (const url of quiet) for (const call of [byVendor, byProvider]) answers.push((await call('GET', url)).body)
  answers.push((await byProvider('GET', `/v1/products/${product_id}/configurations`)).body)
  for (const url of ['/v1/requests?type=purchase', '/v1/assets', '/v1/tier/configs', '/v1/tier/config-requests', `/v1/requests/${request_id}/render`, `/v1/requests/${request_id}/parameters`]) {
    for (const call of [byVendor, byProvider]) shown.push((await call('GET', url)).body)
  }
  shown.push((await byVendor('GET', `/v1/products/${product_id}/configurations`)).body)
  return { answers, shown }
}

/** Plants and plays all of that. The pool's license is read through a request that took it. */
export async function playMarket (service: Service, { vendor, pool_id, hook }: { vendor: TestAccount, pool_id: string, hook: Receiver }): Promise<Planted> {
  const { app, db } = service
  hook.answer = ({ body }: Received, response) => { response.writeHead(200, { 'content-type': 'application/json' }).end(body === '' ? '{}' : body) }
  const provider = await testAccount(db, 'provider')
  const market = await makeMarket(service, { vendor, provider, product: { capabilities: { cart: { validation: true }, tiers: { configs: { level: 1 } } } } })
  const signing = await plantCatalogue(market, hook)
  const request_id = await buyByHand(market)
  const form_code = await askBuyer(market, app)
  const bound = await makeMarket(service, { vendor, provider, license_key: { pool_id } })
  const taken = await bound.byProvider('POST', '/v1/requests', purchaseOf(bound, { asset: { tiers: { customer: tierOf('Customer') } } }))
  if (taken['status'] !== 'approved') throw new Error(JSON.stringify(taken))
  const refusals = await sendWrongly(service, market, request_id)
  await until('the webhooks to be told', async () => (await sql`select from webhook_messages where status in ('planned', 'sending')`.execute(db)).rows.length === 0)
  const { answers, shown } = await readAll(service, market, request_id)
  const kinds = ['configuration', 'action', 'header', 'jwt', 'pin', 'partner', 'representation', 'license', 'tile']
  const secrets = { ...signing, ...Object.fromEntries(kinds.map((what) => [what, planted(what)])) }
  return { secrets, form_code, answers: [...answers, ...refusals], shown: [...shown, JSON.stringify(taken)] }
}
