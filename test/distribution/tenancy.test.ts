import t from 'tap'
import { callsOf, type Call } from '../support/vendor.js'
import { testAccount, testApp } from '../support/app.js'
import { idOf, makeShelf, type Shelf } from './support.js'

const LISTS = ['/v1/hubs', '/v1/marketplaces', '/v1/contracts', '/v1/listings', '/v1/accounts']

/** Everything of a shelf that has a URL, with a body that would change it. */
function urlsOf ({ hub_id, marketplace_id, contract_id, listing_id, product_id, connection_id }: Shelf): Array<[url: string, change: object]> {
  return [
    [`/v1/hubs/${hub_id}`, { name: 'taken' }], [`/v1/marketplaces/${marketplace_id}`, { name: 'taken' }], [`/v1/contracts/${contract_id}`, { name: 'taken' }],
    [`/v1/listings/${listing_id}`, { status: 'unlisted' }], [`/v1/products/${product_id}/connections/${connection_id}`, { status: 'revoked' }],
  ]
}

const idsOf = async (call: Call, url: string): Promise<string[]> => (await call('GET', url)).json().map(({ id }: { id: string }) => id)
const body = (answer: { statusCode: number, json: () => object }) => ({ ...answer.json(), request_id: '' })

// Guarantee: of two vendors and two providers, each sees what is its own and what was connected to it, and nothing of the others, on every route;
// what is another's answers as what is absent, and stays as it was.
t.test('two vendors and two providers', async (t) => {
  const { app, db } = await testApp(t)
  const [one, two] = [await makeShelf({ app, db }), await makeShelf({ app, db })]
  const absent: Shelf = { ...one, hub_id: 'HB-0', marketplace_id: 'MP-0', contract_id: 'CRD-0', listing_id: 'LST-0', product_id: 'PRD-0', connection_id: 'CT-0' }
  const mine = JSON.stringify(await Promise.all(urlsOf(one).map(async ([url]) => (await one.byVendor('GET', url)).json())))

  for (const [who, call] of [['the other vendor', two.byVendor], ['the other provider', two.byProvider]] as const) {
    for (const [i, [url, change]] of urlsOf(one).entries()) {
      for (const [method, payload] of [['GET', undefined], ['PUT', change], ['DELETE', undefined]] as const) {
        const [foreign, none] = [await call(method, url, payload), await call(method, urlsOf(absent)[i]![0], payload)]
        t.ok(foreign.statusCode === 404 || foreign.statusCode === 403, `${who}: ${method} ${url} ${foreign.statusCode}`)
        t.strictSame(body(foreign), body(none), 'as if there were none')
      }
    }
    for (const url of [`/v1/hubs/${one.hub_id}/connections`, `/v1/hubs/${one.hub_id}/marketplaces`, `/v1/products/${one.product_id}/connections`, `/v1/accounts/${one.vendor.account_id}/users`]) {
      t.equal((await call('GET', url)).statusCode, 404, `${who}: ${url}`)
    }
    for (const url of LISTS) {
      const { body } = await call('GET', url)
      for (const id of [one.vendor.account_id, one.provider.account_id, one.hub_id, one.marketplace_id, one.contract_id]) t.notMatch(body, id, `${who}: ${url}`)
    }
  }
  t.equal((await two.byVendor('POST', `/v1/products/${one.product_id}/connections`, { type: 'test', hub: { id: two.hub_id } })).statusCode, 404)
  t.equal(JSON.stringify(await Promise.all(urlsOf(one).map(async ([url]) => (await one.byVendor('GET', url)).json()))), mine, 'nothing was changed')
})

// Guarantee: the two sides of one hub see each other's part and no third party's, and each writes only its own.
t.test('the two sides', async (t) => {
  const { app, db, stranger } = await testApp(t)
  const shelf = await makeShelf({ app, db })
  const byStranger = callsOf(app, stranger)
  const theirs = await idOf(byStranger('POST', '/v1/products', { name: 'Other', mail_template: { subject: 's', text: '{KEY}' } }))
  t.equal((await byStranger('GET', `/v1/hubs/${shelf.hub_id}`)).statusCode, 404, 'not before it deals with the provider')
  const connection = await idOf(byStranger('POST', `/v1/products/${theirs}/connections`, { type: 'production', hub: { id: shelf.hub_id } }))
  t.match((await byStranger('GET', `/v1/hubs/${shelf.hub_id}`)).json().stats, { connections: 1 }, 'how many others there are is not told')
  t.strictSame(await idsOf(byStranger, `/v1/hubs/${shelf.hub_id}/connections`), [connection])
  t.strictSame(await idsOf(shelf.byProvider, `/v1/hubs/${shelf.hub_id}/connections`), [shelf.connection_id, connection])
  t.strictSame(await idsOf(byStranger, '/v1/listings'), [])

  for (const [url, change] of urlsOf(shelf)) {
    const ownedByProvider = /hubs|marketplaces/.test(url)
    t.equal((await shelf.byVendor('GET', url)).statusCode, 200)
    t.equal((await shelf.byProvider('GET', url)).statusCode, 200)
    t.equal((await (ownedByProvider ? shelf.byVendor : shelf.byProvider)('PUT', url, change)).statusCode, 403, url)
    t.equal((await (ownedByProvider ? shelf.byVendor : shelf.byProvider)('DELETE', url)).statusCode, 403, url)
    t.equal((await (ownedByProvider ? shelf.byProvider : shelf.byVendor)('PUT', url, {})).statusCode, 200, url)
  }
  for (const [call, url, payload] of [
    [shelf.byVendor, '/v1/hubs', { name: 'x' }], [shelf.byVendor, '/v1/marketplaces', { name: 'x', hub: { id: shelf.hub_id } }],
    [shelf.byProvider, '/v1/contracts', { marketplace: { id: shelf.marketplace_id }, provider: { id: shelf.provider.account_id } }], [shelf.byProvider, '/v1/listings', { product: { id: shelf.product_id }, contract: { id: shelf.contract_id } }],
    [shelf.byProvider, `/v1/products/${shelf.product_id}/connections`, { type: 'test', hub: { id: shelf.hub_id } }],
  ] as const) t.equal((await call('POST', url, payload)).statusCode, 403, url)

  const reader = callsOf(app, await testAccount(db, 'vendor', ['products:read', 'products:write']))
  for (const url of [...LISTS, `/v1/products/${shelf.product_id}/connections`]) t.equal((await reader('GET', url)).statusCode, 403, `not permitted: ${url}`)
})
