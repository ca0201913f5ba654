import { randomUUID } from 'node:crypto'
import t from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { resolveTier } from '../../src/tiers/accounts/resolve-tier.js'
import type { GivenTier, TierScope } from '../../src/tiers/accounts/schema.js'
import { fullTierDocuments, tierDocuments } from '../../src/tiers/accounts/tier-documents.js'
import { untilWaiting } from '../orders/support.js'
import { testAccount, testApp } from '../support/app.js'
import { tierOf } from '../support/market.js'
import { callsOf } from '../support/vendor.js'
import { assetOf, saleOf, tierAccountOf } from './support.js'

// Guarantee: a purchase finds the account that it names, by id, by external_uid or by external_id, or makes it; never a second one.
t.test('the accounts of a purchase', async (t) => {
  const { db } = await testApp(t)
  const provider = await testAccount(db, 'provider')
  const other = await testAccount(db, 'provider')
  const resolve = (ref: GivenTier | null | undefined, role: TierScope = 'customer', { account_id } = provider) =>
    inTransaction(db, (trx) => resolveTier(trx, { provider_id: account_id, role, ref, path: `asset.tiers.${role}` }, null))
  const refused = async (...args: Parameters<typeof resolve>): Promise<string[]> => resolve(...args).then(() => [], (error) => error.details.errors)
  const given = tierOf('Ada Ltd', { external_id: '1001' })

  for (const none of [null, undefined, {}, { id: '', name: null }]) t.equal(await resolve(none), null, 'no such tier')
  const id = await resolve(given)
  t.match(id, /^TA-\d{4}-\d{4}-\d{4}$/)
  t.equal(await resolve({ id }), id, 'by id')
  t.equal(await resolve({ external_uid: given['external_uid'] }), id, 'by external_uid, with nothing else')
  t.equal(await resolve({ external_id: '1001', name: 'Other' }), id, 'by external_id')
  t.equal((await tierDocuments(db, [{ provider_id: provider.account_id, id }]))(provider.account_id, id)?.name, 'Ada Ltd', 'what was found stays as it is')
  t.not(await resolve(tierOf('Ada Ltd', { external_id: '1001' }), 'tier1'), id, 'an external_id is of one type')
  const second = await resolve(tierOf('Second', { external_id: '1002' }))
  t.equal(await resolve({ external_uid: given['external_uid'], external_id: '1002' }), id, 'external_uid before external_id')
  t.not(await resolve(given, 'customer', other), id, 'another provider has its own')
  t.strictSame(await refused({ id }, 'customer', other), ['asset.tiers.customer.id: there is no such tier account'])
  t.equal(await resolve({ id }, 'tier2'), id, 'and it may stand elsewhere in a chain')
  const documents = await fullTierDocuments(db, [id, second, null].map((each) => ({ provider_id: provider.account_id, id: each })))
  t.match(documents(provider.account_id, id), { version: 1, type: 'customer', scopes: ['customer', 'tier2'], parent: null, hub: null, owner: { id: provider.account_id } })
  t.equal(documents(provider.account_id, second)?.name, 'Second')

  t.strictSame(await refused({ external_uid: 'new' }, 'tier1'), [
    'name', 'contact_info.address_line1', 'contact_info.city', 'contact_info.postal_code', 'contact_info.country', 'contact_info.contact.first_name',
    'contact_info.contact.last_name', 'contact_info.contact.email',
  ].map((field) => `asset.tiers.tier1.${field}: is required`))
  const wrong = tierOf('Wrong')
  wrong['contact_info'].country = '12'
  wrong['contact_info'].contact.email = 'a@b@c'
  t.match(await refused(wrong), [/^asset\.tiers\.customer\.contact_info\.country: must be/, /^asset\.tiers\.customer\.contact_info\.contact\.email: must be/])

  const racing = tierOf('Raced', { external_id: 'raced' })
  const waiters = await inTransaction(db, async (trx) => {
    const first = await resolveTier(trx, { provider_id: provider.account_id, role: 'customer', ref: racing, path: '' }, null)
    const others = [racing, { ...racing, external_uid: randomUUID() }].map(async (each) => ({ first, other: await resolve(each) }))
    await untilWaiting(db, 2)
    return others
  })
  const racers = (await Promise.all(waiters)).flatMap(({ first, other }) => [first, other])
  t.equal(new Set(racers).size, 1, 'purchases that race for an account make one')
  const versions = await db.selectFrom('tier_account_versions').select(['version', 'snapshot']).where('tier_account_id', '=', racers[0]!).execute()
  t.match(versions, [{ version: 1, snapshot: { name: 'Raced', contact_info: { country: 'GB', state: '' } } }])
})

// Guarantee: a provider keeps its accounts; every change makes a version that stays readable, the same data none.
t.test('the accounts of a provider', async (t) => {
  const { app, db, vendor, stranger, operator } = await testApp(t)
  const sale = await saleOf(db, vendor)
  const call = callsOf(app, sale.provider)
  const parent = (await call('POST', '/v1/tier/accounts', { ...tierOf('Parent'), type: 'reseller', external_id: 'p' })).json()
  const made = await call('POST', '/v1/tier/accounts', { ...tierOf('Child'), type: 'customer', id: 'TA-1', parent: { id: parent.id }, hub: { id: sale.hub_id }, events: {} })
  t.equal(made.statusCode, 201)
  const child = made.json()
  t.match(child, { version: 1, name: 'Child', type: 'customer', environment: 'production', scopes: [], tax_id: 'GB999 9999 73' })
  t.match(child, { parent: { id: parent.id, name: 'Parent', external_id: 'p' }, hub: { id: sale.hub_id, name: 'Hub' }, owner: { id: sale.provider.account_id } })
  t.strictSame((await call('GET', `/v1/tier/accounts/${child.id}`)).json(), child)

  const put = (id: string, payload: object) => call('PUT', `/v1/tier/accounts/${id}`, payload)
  t.equal((await put(child.id, child)).json().version, 1, 'the same data again')
  t.match((await put(child.id, { name: 'Child Ltd' })).json(), { version: 2, name: 'Child Ltd', contact_info: child.contact_info })
  t.strictSame((await put(child.id, { contact_info: {} })).statusCode, 400)
  t.match((await put(child.id, { external_uid: parent.external_uid })).json(), { status: 409, error_code: 'TAC_002', params: { id: parent.id } })
  t.match((await call('POST', '/v1/tier/accounts', { ...tierOf('x'), type: 'reseller', external_id: 'p' })).json(), { status: 409, errors: [/^external_id: TA-/] })
  t.match((await call('POST', '/v1/tier/accounts', { ...tierOf('x'), type: 'reseller', parent: { id: 'TA-0' }, hub: { id: 'HB-0' } })).json().errors, [/^parent\.id: /])
  t.strictSame((await call('GET', `/v1/tier/accounts/${child.id}/versions?ordering(-version)`)).json().map(({ version, name }: typeof child) => [version, name]), [[2, 'Child Ltd'], [1, 'Child']])
  t.match((await call('GET', `/v1/tier/accounts/${child.id}/versions/1`)).json(), { id: child.id, version: 1, name: 'Child' })
  t.equal((await call('GET', `/v1/tier/accounts/${child.id}/versions/3`)).statusCode, 404)

  await t.test('the list', async (t) => {
    const names = async (query: string) => (await call('GET', `/v1/tier/accounts?${query}`)).json().map(({ name }: typeof child) => name)
    t.strictSame(await names(`eq(hub.id,null())&ne(parent.id,null())&owner.id=${sale.provider.account_id}&ordering(name)`), [])
    t.strictSame(await names('ne(parent.id,null())'), ['Child Ltd'])
    t.strictSame(await names('contact_info.contact.email=ada@example.com&ordering(name)'), ['Child Ltd', 'Parent'])
    t.strictSame(await names('search=child'), ['Child Ltd'])
    t.strictSame(await names(`parent.id=${parent.id}&hub.name=Hub`), ['Child Ltd'])
    await tierAccountOf(sale, 'tier1', { id: parent.id })
    t.strictSame(await names('scopes=tier1'), ['Parent'])
    t.match((await call('GET', '/v1/tier/accounts?color=red')).json(), { status: 400 })
  })
  await t.test('what is named stays', async (t) => {
    t.match((await call('DELETE', `/v1/tier/accounts/${parent.id}`)).json(), { status: 409, error_code: 'TAC_003', params: { id: child.id } })
    await assetOf(sale, { customer_id: child.id }, 'terminated')
    t.equal((await call('DELETE', `/v1/tier/accounts/${child.id}`)).statusCode, 409)
    const gone = (await call('POST', '/v1/tier/accounts', { ...tierOf('Gone'), type: 'customer' })).json()
    t.equal((await call('DELETE', `/v1/tier/accounts/${gone.id}`)).statusCode, 204)
    t.equal((await call('GET', `/v1/tier/accounts/${gone.id}`)).statusCode, 404)
    t.equal((await call('PUT', `/v1/tier/accounts/${gone.id}`, {})).statusCode, 404)
    t.not(await tierAccountOf(sale, 'customer', { ...tierOf('Again'), external_uid: gone.external_uid }), gone.id, 'its names are free')
    const named = (await call('POST', '/v1/tier/accounts', { ...tierOf('Named'), type: 'customer', scopes: ['customer'] })).json()
    const deletion = await inTransaction(db, async (trx) => {
      await resolveTier(trx, { provider_id: sale.provider.account_id, role: 'customer', ref: named, path: '' }, null)
      const deleting = call('DELETE', `/v1/tier/accounts/${named.id}`)
      await untilWaiting(db)
      await assetOf({ ...sale, db: trx }, { customer_id: named.id }, 'draft')
      return { deleting }
    })
    t.equal((await deletion.deleting).statusCode, 409, 'a purchase that has found it is waited for')
  })
  await t.test('who sees and who writes', async (t) => {
    const theirs = (authorization: { authorization: string }) => callsOf(app, authorization)
    const draft = await tierAccountOf(sale, 'customer')
    await assetOf(sale, { customer_id: draft }, 'draft')
    t.strictSame((await theirs(vendor)('GET', '/v1/tier/accounts')).json().map(({ id }: typeof child) => id), [child.id], 'a vendor sees whom it has sold to')
    t.match((await theirs(vendor)('GET', `/v1/tier/accounts/${child.id}/versions/1`)).json(), { name: 'Child' })
    t.equal((await theirs(vendor)('PUT', `/v1/tier/accounts/${child.id}`, { name: 'x' })).statusCode, 403)
    t.equal((await theirs(vendor)('DELETE', `/v1/tier/accounts/${child.id}`)).statusCode, 403)
    t.equal((await theirs(vendor)('POST', '/v1/tier/accounts', { ...tierOf('x'), type: 'customer' })).statusCode, 403)
    for (const outsider of [stranger, await testAccount(db, 'provider')]) {
      const foreign = theirs(outsider)
      t.strictSame((await foreign('GET', '/v1/tier/accounts')).json(), [])
      for (const [method, url, payload] of [['GET', '', undefined], ['PUT', '', { name: 'mine' }], ['DELETE', '', undefined], ['GET', '/versions', undefined], ['GET', '/versions/1', undefined]] as const) {
        const [answer, absent] = [await foreign(method, `/v1/tier/accounts/${child.id}${url}`, payload), await foreign(method, `/v1/tier/accounts/TA-0000-0000-0000${url}`, payload)]
        t.equal(answer.statusCode, 404, `${method} ${url}`)
        t.strictSame({ ...answer.json(), request_id: '' }, { ...absent.json(), request_id: '' })
      }
    }
    t.equal((await theirs(operator)('GET', '/v1/tier/accounts')).statusCode, 403)
  })
})

// Guarantee: a changed account is told to each vendor, product by product, once; taking note of it or ignoring it happens once.
t.test('account requests', async (t) => {
  const { app, db, vendor, stranger } = await testApp(t)
  const sale = await saleOf(db, vendor, { capabilities: { tiers: { updates: true } } })
  const silent = await saleOf(db, stranger, { provider: sale.provider })
  const id = await tierAccountOf(sale, 'tier1')
  const call = callsOf(app, sale.provider)
  const ask = (account: object) => call('POST', '/v1/tier/account-requests', { type: 'update', account: { id, ...account } })
  t.match((await ask({ name: 'Nobody' })).json().errors, [/^account\.id: no product was sold/])
  t.equal((await call('GET', `/v1/tier/accounts/${id}`)).json().version, 1, 'a refusal changes nothing')
  for (const [status, who] of [['active', sale], ['active', sale], ['draft', silent], ['processing', silent]] as const) await assetOf(who, { tier1_id: id }, status)

  const asked = await ask({ name: 'Engines' })
  t.equal(asked.statusCode, 201)
  t.match(asked.json(), { id: `TAR-${id.slice(3)}-001`, type: 'update', account: { id, version: 2, name: 'Engines' }, provider: { id: sale.provider.account_id } })
  t.match((await ask({ name: 'Engines' })).json(), { status: 400, error_code: 'TAR_004' })
  t.equal((await call('POST', '/v1/tier/account-requests', { account: { external_uid: 'nobody' } })).statusCode, 400)
  t.equal((await call('PUT', `/v1/tier/accounts/${id}`, { name: 'Engines Ltd' })).json().version, 3)
  const listed = (await call('GET', '/v1/tier/account-requests?ordering(id)')).json() as Array<Record<string, any>>
  t.strictSame(listed.map((request) => [request['id'].slice(-3), request['account'].version, request['account'].name]), [['001', 2, 'Engines'], ['002', 2, 'Engines'], ['003', 3, 'Engines Ltd'], ['004', 3, 'Engines Ltd']])
  const [pending = {}, later = {}] = listed.filter((request) => request['vendor'].id === vendor.account_id)
  t.strictSame(listed.filter((request) => request['vendor'].id === stranger.account_id).map(({ status }) => status), ['unsupported', 'unsupported'])
  t.match(pending, { status: 'pending', product: { id: sale.product_id, name: 'Pro' }, reason: '' })

  const answer = callsOf(app, vendor)
  t.equal((await call('POST', `/v1/tier/account-requests/${pending['id']}/accept`)).statusCode, 403, 'it is for the vendor')
  t.equal((await callsOf(app, stranger)('POST', `/v1/tier/account-requests/${pending['id']}/accept`)).statusCode, 404)
  const both = await Promise.all(['accept', 'ignore'].map((verb) => answer('POST', `/v1/tier/account-requests/${pending['id']}/${verb}`)))
  t.strictSame(both.map(({ statusCode }) => statusCode).sort(), [200, 400], 'one of two answers counts')
  t.match(both.find(({ statusCode }) => statusCode === 400)?.json(), { error_code: 'TAR_003', params: { status: /accepted|ignored/ } })
  t.match((await answer('POST', `/v1/tier/account-requests/${later['id']}/ignore`, { reason: 'no addresses' })).json(), { status: 'ignored', reason: 'no addresses', account: { version: 3 } })
  t.strictSame((await answer('GET', '/v1/tier/account-requests?status=pending')).headers['content-range'], 'items 0-0/0')
  t.equal((await answer('GET', `/v1/tier/account-requests?account.id=${id}&product.id=${sale.product_id}&account.version=3`)).json().length, 1)
  const silentOne = listed.find(({ status }) => status === 'unsupported')?.['id']
  t.match((await callsOf(app, stranger)('POST', `/v1/tier/account-requests/${silentOne}/accept`)).json(), { error_code: 'TAR_003', params: { status: 'unsupported' } })
  const notes = await db.selectFrom('messages').innerJoin('conversations as c', (join) => join.onRef('c.id', '=', 'messages.conversation_id').onRef('c.account_id', '=', 'messages.account_id'))
    .select(['c.instance_id', 'messages.type']).execute()
  t.strictSame(notes.map(({ instance_id, type }) => [instance_id, type]).sort(), [[pending['id'], 'state_change'], [later['id'], 'state_change']])
})
