// Whose things are whose, for every operation of the OpenAPI document: a new route is in these tests without anybody thinking of it.
import t from 'tap'
import { testApp } from '../support/app.js'
import { contractOf, type Operation } from './document.js'
import { NEEDS, sidesOf } from './needs.js'
import { sellTo } from './sale.js'
import { contents, makeTenant, NEVER, newOrder, withKey, type Tenant, type ValidRequest } from './tenant.js'
import { requestOf } from './valid-requests.js'

const ID = /\b(?:[A-Z]{2,3}(?:-\d{3,5})+|[A-Z]{2}-[0-9a-f]{12,}|sku-\w+)\b/g
/** Of the same form, and nobody's. */
const absentId = (id: string): string => id.replace(/\d/g, (digit) => String((Number(digit) + 5) % 10)).replace(/^sku-.*/, 'sku-ABSENT')
/** The request with every id and name in it that is not the asker's replaced by one that nobody has. */
function absent ({ url, payload, ...request }: ValidRequest, { ids }: Tenant): ValidRequest {
  const swap = (text: string): string => text.replace(ID, (id) => Object.values(ids).includes(id) ? id : absentId(id))
  return { ...request, url: swap(url), ...(typeof payload === 'string' ? { payload: swap(payload) } : {}) }
}

// Guarantee: nobody can find out what others have: an id of theirs is answered as one that does not exist, in status, headers and body.
t.test('what is not yours is absent', async (t) => {
  const service = await testApp(t)
  const { operations } = contractOf(service.app)
  const owner = await makeTenant(service, 'OWNER')
  const stranger = await makeTenant(service, 'STRANGER')
  const ask = async (request: ValidRequest, authorization: string): Promise<object> => {
    const { statusCode, headers, body } = await service.app.inject(withKey(authorization)(request))
    const { date, 'x-request-id': request_id, 'content-length': length, ...rest } = headers
    t.type(date, 'string')
    t.type(length, 'string')
    return { statusCode, rest, body: body.replace(ID, '…').replaceAll(String(request_id), '…') }
  }
  const json = (method: 'POST' | 'PUT', url: string, payload: object): ValidRequest => ({ method, url, headers: { 'content-type': 'application/json' }, payload: JSON.stringify(payload) })
  const own = (place: string): string => `/v1/${place}/${stranger.ids[place] ?? ''}`
  const { authorization } = stranger
  const requests: Array<{ name: string, status: number, authorization: string, request: ValidRequest }> = [
    { name: "a key for another's account", status: 404, authorization, request: json('POST', '/v1/api-keys', { name: 'x', permissions: ['events:read'], account_id: owner.account_id }) },
    { name: "a pool for another's product", status: 404, authorization, request: json('PUT', own('pools'), { product_ids: [owner.ids['products']] }) },
    { name: "a parameter from another's pool", status: 400, authorization, request: json('POST', `${own('products')}/parameters`, { name: 'x', phase: 'fulfillment', pool_id: owner.ids['pools'] }) },
    { name: "a product under another's contract", status: 400, authorization, request: json('POST', '/v1/listings', { product: { id: stranger.ids['products'] }, contract: { id: owner.ids['contracts'] } }) },
    { name: "approval with another's template", status: 400, authorization, request: json('POST', `${own('requests')}/inquire`, { template_id: owner.ids['products/templates'] }) },
    { name: "another's agent", status: 400, authorization, request: json('POST', `${own('requests')}/assign`, { id: owner.ids['accounts/users'] }) },
    { name: "a renewal of another's order", status: 400, authorization, request: json('POST', '/v1/orders', { ...newOrder(stranger, 'renewal'), parent: owner.ids['orders'] }) },
    { name: "a supply from another's pool", status: 400, authorization, request: json('PUT', `${own('products')}/supplies`, [{ type: 'pool', pool_id: owner.ids['pools'] }]) },
    { name: "a replay of another's source", status: 404, authorization, request: json('POST', '/v1/payment-events/replay', { ...NEVER, source_id: owner.ids['payment-sources'] }) },
    { name: "another's secret below one's own source", status: 404, authorization, request: { method: 'DELETE', url: `${own('payment-sources')}/secrets/${owner.ids['payment-sources/secrets'] ?? ''}`, headers: {} } },
    { name: "a link for another's asset", status: 404, authorization, request: { method: 'GET', url: `${own('products')}/actions/${stranger.ids['products/actions'] ?? ''}/actionLink?asset_id=${owner.ids['assets'] ?? ''}`, headers: {} } },
  ]
  for (const operation of operations) {
    for (const [party, { authorization }] of [['vendor2', stranger], ['provider2', stranger.provider]] as const) {
      const cell = NEEDS[operation.id]?.gets[party] ?? 'ok'
      if (cell !== 'ok') requests.push({ name: `${operation.id} by ${party}`, status: Number(cell), authorization, request: await requestOf(operation, owner) })
    }
  }
  const before = await contents(service)
  for (const { name, status, authorization, request } of requests) {
    const theirs = await ask(request, authorization)
    t.match(theirs, { statusCode: status }, name)
    t.strictSame(theirs, await ask(absent(request, stranger), authorization), `${name}: as absent`)
  }
  t.equal(await contents(service), before)
})

const idsOf = (ids: Record<string, string>, but: (place: string) => boolean): string[] =>
  Object.entries(ids).flatMap(([place, id]) => but(place) ? [] : id.match(ID) ?? [])
/** What a provider sees of a vendor's that it is connected to. */
const isShared = (place: string): boolean => (place.startsWith('products') && place !== 'products/connections') || ['accounts', 'accounts/users', 'requests/assign'].includes(place)
/** What a vendor sees of a provider's that it deals with. */
const isOfShop = (place: string): boolean => isShared(place) || ['hubs', 'marketplaces'].includes(place)

// Guarantee: nothing that is read shows or counts anything of another vendor, though both sell through one provider, nor of another provider,
// though both sell for one vendor; and a provider is not shown what a vendor keeps to itself.
t.test('reading shows what is yours', { timeout: 110_000 }, async (t) => {
  const service = await testApp(t)
  const { operations } = contractOf(service.app)
  const owner = await makeTenant(service, 'OWNER')
  const stranger = await makeTenant(service, 'STRANGER')
  const both = await sellTo(owner, stranger.provider, 'BOTH') // the owner's product, sold by the stranger's provider
  const canary = (...parts: string[]): RegExp => new RegExp(parts.join('|'))
  const readers = [
    { by: 'vendor', asks: stranger, owner, never: canary('OWNER', 'BOTH(?!SHOP)', ...idsOf(owner.ids, () => false), ...idsOf(both.ids, isOfShop)) },
    { by: 'provider', asks: stranger, owner, never: canary('OWNERSHOP', 'OWNERSALE', 'VENDORONLY', 'sku-', '\\{KEY\\}', ...idsOf(owner.ids, isShared)) },
    { by: 'provider', asks: both, owner, never: canary('OWNERSHOP', 'OWNERSALE', 'VENDORONLY', 'sku-', '\\{KEY\\}', ...idsOf(owner.ids, isShared)) },
  ] as const
  let lists = 0
  for (const { by, asks, owner, never } of readers) {
    const [call, ownersCall] = by === 'vendor' ? [asks.call, owner.call] : [asks.provider.call, owner.provider.call]
    for (const operation of operations.filter(({ id, method }) => method === 'GET' && NEEDS[id] !== undefined && sidesOf(id).includes(by))) {
      const { url } = await requestOf(operation, asks)
      const plain = await call('GET', url)
      t.equal(plain.statusCode, 200, `${operation.id} by ${by}`)
      t.notMatch(plain.body, never, `${operation.id} by ${by} of ${asks.name}`)
      if (!operation.parameters.some(({ name }) => name === 'ordering')) continue
      lists++
      const total = (range: unknown): number => Number(/\/(\d+)$/.exec(String(range))?.[1])
      const seen = plain.json<Array<{ id: string }>>().map(({ id }) => id)
      const [id = 'x'] = (await ownersCall('GET', (await requestOf(operation, owner)).url)).json<Array<{ id: string }>>().map(({ id }) => id).filter((id) => !seen.includes(id))
      const whole = await call('GET', `${url}?ne(id,x)&limit=0`) // without a filter a vendor is shown the pending requests only
      const count = total((whole.statusCode === 200 ? whole : plain).headers['content-range'])
      for (const query of [`id=${id}`, `in(id,(${id},x))`, `or(eq(id,${id}),ne(id,x))`, 'not(eq(id,x))', `ne(id,${id})|eq(id,${id})`, 'limit=1000&ordering=-id', 'search=OWNER', `account_id=${owner.account_id}`]) {
        const answer = await call('GET', `${url}?${query}`)
        if (answer.statusCode === 400) continue // the list has no such field
        t.equal(answer.statusCode, 200)
        t.notMatch(answer.body, never, `${operation.id}?${query} by ${by} of ${asks.name}`)
        if (id !== 'x' && /^i[dn]/.test(query)) t.equal(total(answer.headers['content-range']), 0, `${operation.id}?${query}: none`)
        else t.ok(total(answer.headers['content-range']) <= count, `${operation.id}?${query}: counts its own`)
      }
    }
  }
  t.ok(lists >= 80, `${lists} lists`)
})

/** What a provider has none of; each list is read by a vendor too. */
const VENDORS_ONLY = [
  'listPools', 'listHolds', 'listOrders', 'listPaymentEvents', 'listPaymentReplays', 'listPaymentSources', 'listDeliveries', 'listSupplyOrders', 'listBatches', 'listRecalls', 'listWebhooks',
  'listEvents', 'listAlerts',
]

// Guarantee: the canaries of the test above do stand in what their owners read.
t.test('lists show all that is yours', async (t) => {
  const service = await testApp(t)
  const { operations } = contractOf(service.app)
  const owner = await makeTenant(service, 'OWNER')
  const canary = new RegExp(['OWNER', owner.key_id, ...idsOf(owner.ids, () => false), owner.provider.account_id].join('|'))
  for (const operation of operations.filter(({ parameters }: Operation) => parameters.some(({ name }) => name === 'ordering'))) {
    for (const side of sidesOf(operation.id)) {
      const { account_id, call } = side === 'vendor' ? owner : owner.provider
      const { url } = await requestOf(operation, owner)
      const answer = await call('GET', `${url}${operation.id === 'listRequests' ? '?type=purchase' : ''}`)
      const nothing = side === 'provider' && VENDORS_ONLY.includes(operation.id)
      if (!nothing) t.match(answer.body, canary, `${operation.id} by the ${side} ${account_id}`)
    }
  }
  t.match((await owner.call('GET', `/v1/requests/${owner.ids['bought'] ?? ''}`)).body, /VENDORONLY/)
})
