// Who may do what, for every operation of the OpenAPI document: a new route is in these tests without anybody thinking of it.
import { sql } from 'kysely'
import t from 'tap'
import { PERMISSIONS, PRESETS, type Permission } from '../../src/accounts/permissions.js'
import { testAccount, testApp, type TestApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { exchange, listen, requestBytes } from '../support/socket.js'
import { contractOf, type Operation } from './document.js'
import { NEEDS, PARTIES, type Party } from './needs.js'
import { contents, keyOf, makeTenant, withKey, type Tenant, type ValidRequest } from './tenant.js'
import { requestOf } from './valid-requests.js'

const PUBLIC = ['getInquiryForm', 'getOrderPage', 'isLive', 'isReady', 'receivePayment', 'revealOnOrderPage', 'sendInquiryForm']
/** Answered without a key, and not in the document. */
const PAGES = [
  '/docs', '/docs/static/theme/latchkey.css', '/docs/static/index.html', '/docs/static/swagger-initializer.js', '/docs/*', '/docs/json', '/docs/yaml', '/docs/problems', '/openapi.json',
  '/order', '/order/icon.svg', '/order/page.css', '/order/page.js', '/order/words.js',
]
/** What browsers ask before a storefront's script calls; not in the document. */
const PREFLIGHTS = ['/v1/order-page', '/v1/order-page/reveal']
/** Refused to everybody, with the reason, and so not in the document. */
const REFUSED = '/v1/conversations'

interface Principal { name: string, send: (request: ValidRequest) => ValidRequest, expected: (operation: Operation) => number[] }

const granted = ({ answers }: Operation): number[] => Object.keys(answers).map(Number).filter((status) => status < 300)

/** Callers that nobody is: 401 whatever they ask for. */
async function nobodies (service: TestApp, { account_id }: Tenant): Promise<Principal[]> {
  const { db } = service
  const [good, revoked, expired] = await Promise.all([1, 2, 3].map(() => keyOf(service, account_id, PERMISSIONS))) as [string, string, string]
  const idOf = (authorization: string): string => authorization.slice('ApiKey '.length).split(':')[0] as string
  await sql`update api_keys set revoked_at = now() where id = ${idOf(revoked)}`.execute(db)
  await sql`update api_keys set expires_at = now() where id = ${idOf(expired)}`.execute(db)
  const [key, secret] = good.split(':') as [string, string]
  const headers = {
    'a garbage header': 'ÿ garbage',
    'a key without a scheme': good.slice(7),
    'another scheme': good.replace('ApiKey', 'Basic'),
    'a wrong secret': `${key}:lk_${'0'.repeat(46)}`,
    'a shortened secret': good.slice(0, -1),
    'no secret': `${key}:`,
    'an upper-cased secret': `${key}:${secret.toUpperCase()}`,
    'an unknown key': good.replace(idOf(good), 'SU-000-000-0001'),
    "another key's secret": `${revoked.split(':')[0] as string}:${secret}`,
    'a revoked key': revoked,
    'an expired key': expired,
    'two keys in one value': `${good}, ${good}`,
  }
  const expected = ({ permission, ...operation }: Operation): number[] => permission === undefined ? granted({ permission, ...operation }) : [401]
  const inQuery = `authorization=${encodeURIComponent(good)}&api_key=${encodeURIComponent(good.slice(7))}`
  return [
    { name: 'nobody', send: (request) => request, expected },
    { name: 'a key in the query', send: (request) => ({ ...request, url: `${request.url}${request.url.includes('?') ? '&' : '?'}${inQuery}` }), expected },
    { name: 'two values', send: (request) => ({ ...request, headers: { ...request.headers, authorization: [good, good] as never } }), expected },
    ...Object.entries(headers).map(([name, authorization]) => ({ name, send: withKey(authorization), expected })),
  ]
}

/** A caller with these permissions, whose account is this party to what is asked for. */
function somebody (name: string, authorization: string, permissions: readonly string[], party: Party): Principal {
  return {
    name,
    send: withKey(authorization),
    expected: (operation) => {
      const need = NEEDS[operation.id]
      if (need === undefined) return granted(operation)
      if (!permissions.includes(need.permission)) return [403]
      return need.gets[party] === 'ok' ? granted(operation) : [Number(need.gets[party])]
    },
  }
}

/** One caller of every party with all permissions, and one of every preset. */
async function somebodies (service: TestApp, accounts: Record<Party, string>): Promise<Principal[]> {
  const parties = PARTIES.map(async (party) => somebody(`the ${party}`, await keyOf(service, accounts[party], PERMISSIONS), PERMISSIONS, party))
  const presets = Object.entries(PRESETS).map(async ([preset, permissions]) => {
    const party = preset === 'operator' || preset === 'provider' ? preset : 'vendor'
    return somebody(`the preset ${preset}`, await keyOf(service, accounts[party], permissions), permissions, party)
  })
  return await Promise.all([...parties, ...presets])
}

/** Of each party that is granted an operation, a key that lacks only its permission, and one that has only that. */
function specialKeys (service: TestApp, accounts: Record<Party, string>): (operation: Operation) => Promise<Principal[]> {
  const made = new Map<string, Principal>()
  const key = async (name: string, permissions: readonly Permission[], party: Party): Promise<Principal> => {
    const principal = made.get(`${party} ${name}`) ?? somebody(`the ${party} with ${name}`, await keyOf(service, accounts[party], permissions), permissions, party)
    made.set(`${party} ${name}`, principal)
    return principal
  }
  return async ({ id }) => {
    const need = NEEDS[id]
    if (need === undefined) return []
    const granted = (['vendor', 'provider', 'operator'] as const).filter((party) => need.gets[party] === 'ok')
    return await Promise.all(granted.flatMap((party) => [
      key(`all but ${need.permission}`, PERMISSIONS.filter((other) => other !== need.permission), party), key(`only ${need.permission}`, [need.permission], party),
    ]))
  }
}

// Guarantee: what is answered without an API key is this list and no more, and every other operation asks for what it was decided to ask for.
t.test('what each operation needs', async (t) => {
  const service = await testApp(t)
  const { operations } = contractOf(service.app)
  t.strictSame(operations.filter(({ permission }) => permission === undefined).map(({ id }) => id).sort(), PUBLIC)
  t.strictSame(Object.fromEntries(operations.filter(({ id }) => !PUBLIC.includes(id)).map(({ id, permission }) => [id, permission])),
    Object.fromEntries(Object.entries(NEEDS).map(([id, { permission }]) => [id, permission])))

  const routed: string[] = []
  const parents: string[] = []
  for (const line of service.app.printRoutes({ commonPrefix: false }).split('\n')) {
    const [, indent = '', path = '', methods = ''] = /^((?:│ {3}| {4})*)[├└]── (\S+) \(([A-Z, ]+)\)/.exec(line) ?? []
    if (path === '') continue
    parents.splice(indent.length / 4, Infinity, path === '*' ? '/*' : path)
    for (const method of methods.split(', ')) if (method !== 'HEAD') routed.push(`${method} ${parents.join('').replace(/:\w+(\|:\w+)*/g, '{}')}`)
  }
  t.strictSame(routed.sort(), [...operations.map(({ method, path }) => `${method} ${path.replace(/\{\w+\}/g, '{}')}`), ...PAGES.map((path) => `GET ${path}`), ...PREFLIGHTS.map((path) => `OPTIONS ${path}`), `POST ${REFUSED}`].sort(), 'and no route is beside the document')
  for (const [status, headers] of [[401, {}], [403, { authorization: service.vendor.authorization }]] as const) {
    t.equal((await service.app.inject({ method: 'POST', url: REFUSED, headers })).statusCode, status)
  }
})

// Guarantee: each caller gets from each operation exactly what it may have; and what is refused changes nothing in any table.
t.test('every operation and every caller', { timeout: 600_000 }, async (t) => {
  const service = await testApp(t)
  const { operations } = contractOf(service.app)
  const tenant = await makeTenant(service, 'OWNER')
  const [vendor2, provider2, operator] = await Promise.all((['vendor', 'provider', 'operator'] as const).map(async (type) => (await testAccount(service.db, type)).account_id)) as [string, string, string]
  const accounts = { vendor: tenant.account_id, provider: tenant.provider.account_id, vendor2, provider2, operator }
  const callers = [...await nobodies(service, tenant), ...await somebodies(service, accounts)]
  const special = specialKeys(service, accounts)

  for (const operation of operations) {
    const all = [...callers, ...await special(operation)].map((principal) => ({ ...principal, statuses: principal.expected(operation) }))
    const refused = all.filter(({ statuses }) => (statuses[0] as number) >= 400)
    const request = await requestOf(operation, tenant)
    const wrong: string[] = []
    const before = await contents(service)
    for (const { name, send, statuses } of refused) {
      const { statusCode } = await service.app.inject(send(request))
      if (!statuses.includes(statusCode)) wrong.push(`${name}: ${statusCode} instead of ${statuses.join()}`)
      if (operation.method !== 'GET' || statuses[0] === 404) continue
      const head = await service.app.inject({ ...send(request), method: 'HEAD' })
      if (!statuses.includes(head.statusCode)) wrong.push(`${name}, HEAD: ${head.statusCode} instead of ${statuses.join()}`)
    }
    t.strictSame(await contents(service), before, `${operation.id}: ${refused.length} refusals change nothing`)
    for (const { name, send, statuses } of all.filter((one) => !refused.includes(one))) {
      const { statusCode, body } = await service.app.inject(send(await requestOf(operation, tenant)))
      if (!statuses.includes(statusCode)) wrong.push(`${name}: ${statusCode} instead of ${statuses.join()} ${body}`)
    }
    t.strictSame(wrong, [], `${operation.id}: ${all.length} callers`)
    // a contract lets its vendor see the provider's hubs: the one of the vendor who shall have no part in the sale ends here
    if (operation.id === 'createContract') await service.db.deleteFrom('contracts').where('account_id', '=', vendor2).execute()
  }
  await assertInvariants(t, service.db)
})

// Guarantee: over a real connection too, a second Authorization field is refused: two readers of one request must not see two callers.
t.test('two Authorization fields', async (t) => {
  const service = await testApp(t)
  const port = await listen(service.app)
  const bytes = (...keys: string[]): string =>
    requestBytes('GET', '/v1/products').toString().replace('\r\n\r\n', ['', ...keys.map((key) => `authorization: ${key}`), '', ''].join('\r\n'))
  const { vendor, stranger } = service
  t.equal((await exchange(port, bytes(vendor.authorization))).status, 200)
  for (const keys of [[vendor.authorization, vendor.authorization], [vendor.authorization, stranger.authorization], [vendor.authorization, 'x'], ['x', vendor.authorization]]) {
    t.equal((await exchange(port, bytes(...keys))).status, 401)
  }
})

// Guarantee: a webhook is let in by its signature alone: no API key, of whatever account, stands for one.
t.test('an API key is no signature', async (t) => {
  const service = await testApp(t)
  const tenant = await makeTenant(service, 'OWNER')
  const request = await requestOf(contractOf(service.app).operations.find(({ id }) => id === 'receivePayment')!, tenant)
  for (const headers of [{}, { authorization: tenant.authorization }, { ...request.headers, 'webhook-signature': 'v1,', authorization: tenant.authorization }]) {
    t.match((await service.app.inject({ ...request, headers })).json(), { status: 401, error_code: 'PAY_001' })
  }
})
