// Whose things are whose, for every operation of the OpenAPI document: a new route is in these tests without anybody thinking of it.
import t from 'tap'
import { testApp } from '../support/app.js'
import { contractOf, type Operation } from './document.js'
import { contents, makeTenant, namesSomething, requestOf, withKey, type Tenant, type ValidRequest } from './tenant.js'

const isList = ({ parameters }: Operation): boolean => parameters.some(({ name }) => name === 'ordering')

/** The request with every id and name of the tenant's replaced by one of the same form that nobody has. */
function absent (request: ValidRequest, { ids, product_ref, account_id }: Tenant): ValidRequest {
  const swap = (text: string): string => [...Object.values(ids), account_id, product_ref].reduce((all, id) => all.replaceAll(id, absentId(id)), text)
  return { ...request, url: swap(request.url), ...(typeof request.payload === 'string' ? { payload: swap(request.payload) } : {}) }
}

const absentId = (id: string): string => id.replace(/[0-9](?=[^0-9]*$)/, (digit) => String((Number(digit) + 1) % 10)).replace(/^sku-.*/, 'sku-ABSENT')

// Guarantee: nobody can find out what others have: an id of theirs is answered as one that does not exist, in status, headers and body.
t.test('what is not yours is absent', async (t) => {
  const service = await testApp(t)
  const { operations } = contractOf(service.app)
  const owner = await makeTenant(service, 'OWNER')
  const stranger = await makeTenant(service, 'STRANGER')
  const ask = async (request: ValidRequest, known: string[]): Promise<object> => {
    const { statusCode, headers, body } = await service.app.inject(withKey(stranger.authorization)(request))
    const { date, 'x-request-id': request_id, 'content-length': length, ...rest } = headers
    t.type(date, 'string')
    t.type(length, 'string')
    return { statusCode, rest, body: [...known, String(request_id)].reduce((text, id) => text.replaceAll(id, '…'), body) }
  }
  const known = [...Object.values(owner.ids), owner.product_ref].flatMap((id) => [id, absentId(id)])
  const naming = operations.filter((operation) => operation.permission !== undefined && namesSomething(operation))
  const requests = await Promise.all(naming.map(async (operation) => ({ name: operation.id, request: await requestOf(operation, owner) })))
  const json = (method: 'POST' | 'PUT', url: string, payload: object) => ({ method, url, headers: { 'content-type': 'application/json' }, payload: JSON.stringify(payload) })
  requests.push(
    { name: "a key for another's account", request: json('POST', '/v1/api-keys', { name: 'x', permissions: ['events:read'], account_id: owner.account_id }) },
    { name: "a pool for another's product", request: json('PUT', `/v1/pools/${stranger.ids['pools'] ?? ''}`, { product_ids: [owner.ids['products']] }) })
  const before = await contents(service)
  for (const { name, request } of requests) {
    const theirs = await ask(request, known)
    t.match(theirs, { statusCode: 404 }, name)
    t.strictSame(theirs, await ask(absent(request, owner), known), `${name}: as absent`)
  }
  t.equal(await contents(service), before)
})

// Guarantee: no list, filtered or not, shows or counts anything of another account.
t.test('lists show what is yours', async (t) => {
  const service = await testApp(t)
  const { operations } = contractOf(service.app)
  const owner = await makeTenant(service, 'OWNERCANARY')
  const stranger = await makeTenant(service, 'STRANGER')
  const lists = operations.filter(isList)
  t.ok(lists.length >= 10)
  for (const operation of lists) {
    const { url } = await requestOf(operation, stranger)
    const { url: theirs } = await requestOf(operation, owner)
    const own = await owner.call('GET', theirs)
    const canary = new RegExp(['OWNERCANARY', owner.account_id, ...Object.values(owner.ids), owner.key_id].join('|'), 'i')
    t.match(own.body, canary, `${operation.id}: the owner sees it`)
    const [id = ''] = own.json<Array<{ id: string }>>().map(({ id }) => id)
    const plain = await stranger.call('GET', url)
    t.not(plain.headers['content-range'], 'items 0-0/0', `${operation.id}: the stranger has something too`)
    for (const query of ['', `?id=${id}`, `?in(id,(${id},x))`, `?or(eq(id,${id}),ne(id,x))`, '?not(eq(id,x))', `?ne(id,${id})|eq(id,${id})`, '?limit=0', '?limit=1000&ordering=-id', `?account_id=${owner.account_id}`]) {
      const answer = await stranger.call('GET', `${url}${query}`)
      if (answer.statusCode === 400) continue // the list has no such field
      t.equal(answer.statusCode, 200)
      t.notMatch(answer.body, canary, `${operation.id}${query}`)
      const total = Number(/\/(\d+)$/.exec(String(answer.headers['content-range']))?.[1])
      t.ok(total <= Number(/\/(\d+)$/.exec(String(plain.headers['content-range']))?.[1]), `${operation.id}${query}: counts its own`)
      if (query.startsWith('?id=') || query.startsWith('?in')) t.equal(total, 0, `${operation.id}${query}: none`)
    }
  }
})
