import t, { type Test } from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { approveFilledRequest } from '../../src/requests/approve-filled.js'
import { testApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { makeMarket, purchaseOf, type Market } from '../support/market.js'
import type { Json } from '../support/sdk.js'
import { callsOf, keys, stockOf, type Call } from '../support/vendor.js'
import { boundMarket, buy, keyOf, PATIENT } from './bound.js'

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

/** The status codes of calls made at once, the least first. */
async function codesOf (calls: Array<ReturnType<Call>>): Promise<number[]> {
  return (await Promise.all(calls)).map(({ statusCode }) => statusCode).sort()
}

/** A market without a pool: its vendor approves by hand. */
async function plainMarket (t: Test) {
  const service = await testApp(t, PATIENT)
  const market = await makeMarket(service, { vendor: service.vendor })
  return { service, market, vendor: callsOf(service.app, market.vendor), provider: callsOf(service.app, market.provider) }
}

/** A purchase that a vendor can approve. */
async function readyPurchase ({ byProvider, byVendor, ...market }: Market): Promise<Json> {
  const { id } = await byProvider('POST', '/v1/requests', purchaseOf(market))
  return byVendor('PUT', `/v1/requests/${id}`, { asset: { params: [{ id: 'license_key', value: 'BY-HAND' }] } })
}

// Guarantee: stock that arrives while its request fails, or is approved by hand or by the worker, goes to exactly one place: the request has the
// key, or it is in stock. Nobody is answered 5xx, whoever waits for whom.
t.test('a load against a failure, an approval by hand and the worker', async (t) => {
  const bound = await boundMarket(t, [])
  const { service: { db, keyring }, market, call, pool_id } = bound
  const ended: Record<string, number> = {}
  let sold = 0
  for (const round of range(30)) {
    const request = await buy(bound)
    t.equal(request['status'], 'pending')
    const [account_id, id] = [market.vendor.account_id, request['id']]
    const key = `ROUND-KEY-${String(round).padStart(4, '0')}`
    const byHand = round % 4 >= 2
    if (byHand) await market.byVendor('PUT', `/v1/requests/${id}/parameters/license_key`, { value: 'BY-HAND' })
    const works = async (): Promise<void> => inTransaction(db, (trx) => approveFilledRequest(trx, keyring, { account_id, id }))
    const decides = () => call('POST', `/v1/requests/${id}/${byHand ? 'approve' : 'fail'}`)
    const loads = () => call('POST', `/v1/pools/${pool_id}/licenses`, key)
    // all three at once, or the last two when the stock is there
    const first = round % 2 === 0 ? undefined : await loads()
    const [, decided, loaded = first] = await Promise.all([works(), decides(), first === undefined ? loads() : undefined])
    await works() // the worker comes again
    const { status, ...done } = await market.byVendor('GET', `/v1/requests/${id}`)
    t.ok(loaded?.statusCode === 201 && [200, 400].includes(decided.statusCode), `round ${round}: ${loaded?.statusCode}, ${decided.statusCode}`)
    const stock = await stockOf(call, pool_id)
    const tookKey = status === 'approved' && keyOf(done as Json) === key
    const outcome = `${byHand ? 'approve' : 'fail'} ${decided.statusCode}: ${status}${tookKey ? ' with the license' : ''}`
    ended[outcome] = (ended[outcome] ?? 0) + 1
    t.match(stock, { available: tookKey ? 0 : 1, allocated: sold + (tookKey ? 1 : 0), backordered: 0, revoked: 0 }, outcome)
    if (!tookKey) t.equal(keyOf(await buy(bound)), key, 'the next has it')
    sold++
  }
  t.comment(JSON.stringify(ended))
  await assertInvariants(t, db)
})

// Guarantee: of vendors who decide on one request at once, one wins; the others are answered 400, and what they wanted has not happened.
t.test('vendors decide at once', async (t) => {
  const { service, market, vendor } = await plainMarket(t)
  for (const round of range(8)) {
    const { id } = await readyPurchase(market)
    const verbs = ['approve', 'approve', 'fail', 'inquire']
    const answers = await Promise.all([...verbs.slice(round % 4), ...verbs.slice(0, round % 4)].map((verb) => vendor('POST', `/v1/requests/${id}/${verb}`)))
    const [won, ...others] = answers.toSorted((a, b) => a.statusCode - b.statusCode)
    t.equal(won?.statusCode, 200)
    const { status } = await market.byVendor('GET', `/v1/requests/${id}`)
    // an inquiry may still be failed: those two are one after the other, and nobody loses
    const both = others.filter(({ statusCode }) => statusCode === 200)
    t.ok(both.length === 0 || (both.length === 1 && status === 'failed'), `${answers.map(({ statusCode }) => statusCode).join()} ${status}`)
    t.ok(others.every((answer) => answer.statusCode === 200 || (answer.statusCode === 400 && answer.json().error_code === 'REQ_001')))
    const moves = await service.db.selectFrom('events').select('type').where('subject_id', '=', id).where('type', 'in', ['request.approved', 'request.failed', 'request.inquiring']).execute()
    t.equal(moves.length, 1 + both.length, 'on record once')
  }
  await assertInvariants(t, service.db)
})

// Guarantee: a purchase that is sent ten times at once is one request; the repeats are told which, with all that a provider goes on with.
t.test('one external_uid, ten times at once', async (t) => {
  const bound = await boundMarket(t, keys(10))
  const { service, market, call, pool_id } = bound
  const provider = callsOf(service.app, market.provider)
  const purchase = purchaseOf(market)
  const answers = await Promise.all(range(10).map(() => provider('POST', '/v1/requests', purchase)))
  const made = answers.filter(({ statusCode }) => statusCode === 201)
  t.equal(made.length, 1)
  const { id, asset } = made[0]!.json()
  const refused = answers.filter((answer) => answer !== made[0])
  for (const answer of refused) {
    t.equal(answer.statusCode, 409)
    t.match(answer.json().params, { request_id: id, request_status: 'approved', asset_id: asset.id, asset_status: 'active', params_form_url: '', fail_message: '' })
  }
  t.match(await stockOf(call, pool_id), { available: 9, allocated: 1 })
  t.equal((await market.byProvider('GET', '/v1/requests') as Json[]).length, 1)
  t.equal((await service.db.selectFrom('assets').select('id').execute()).length, 1, 'nothing is left of the others')
  await assertInvariants(t, service.db)
})

// Guarantee: an answer to an inquiry and an approval at once are one after the other.
t.test('pend against approve', async (t) => {
  const { service, market, vendor, provider } = await plainMarket(t)
  for (const round of range(8)) {
    const { id } = await readyPurchase(market)
    await market.byVendor('POST', `/v1/requests/${id}/inquire`)
    const [pended, approved] = await Promise.all([provider('POST', `/v1/requests/${id}/pend`), vendor('POST', `/v1/requests/${id}/approve`)])
    t.equal(pended.statusCode, 200)
    t.ok([200, 400].includes(approved.statusCode), `round ${round}: ${approved.statusCode}`)
    t.match(await market.byVendor('GET', `/v1/requests/${id}`), { status: approved.statusCode === 200 ? 'approved' : 'pending' })
  }
  await assertInvariants(t, service.db)
})

// Guarantee: at most one request is under way on an asset, whoever else asks at the same moment; the second is told of the first.
t.test('two changes at once', async (t) => {
  const { service, market, vendor, provider } = await plainMarket(t)
  const { id, asset } = await readyPurchase(market)
  await vendor('POST', `/v1/requests/${id}/approve`)
  for (const quantity of [2, 3, 4]) {
    const change = { type: 'change', asset: { id: asset.id, items: [{ id: market.item_id, quantity }] } }
    const answers = await Promise.all([...range(3).map(() => provider('POST', '/v1/requests', change)), provider('POST', '/v1/requests', { type: 'cancel', asset: { id: asset.id } })])
    const made = answers.filter(({ statusCode }) => statusCode === 201)
    t.equal(made.length, 1, answers.map(({ statusCode }) => statusCode).join())
    const first = made[0]!.json()
    for (const answer of answers.filter((each) => each !== made[0])) {
      // behind a cancellation the asset is terminating, and that is said first
      if (first.type === 'cancel') t.ok([400, 409].includes(answer.statusCode))
      else t.match(answer.json(), { status: 409, params: { request_id: first.id, request_status: 'pending', asset_id: asset.id } })
    }
    t.strictSame(await codesOf([vendor('POST', `/v1/requests/${first.id}/fail`), vendor('POST', `/v1/requests/${first.id}/fail`)]), [200, 400])
  }
  await assertInvariants(t, service.db)
})

// Guarantee: draft purchases of one external_uid that are asked for at once become one, and a cancellation that is approved twice at once revokes once.
t.test('drafts asked for at once, and a cancellation approved twice', async (t) => {
  const bound = await boundMarket(t, keys(4))
  const { service, market, call, pool_id } = bound
  const [vendor, provider] = [callsOf(service.app, market.vendor), callsOf(service.app, market.provider)]
  const purchase = purchaseOf(market, { status: 'draft' })
  const drafts = await Promise.all(range(4).map(() => market.byProvider('POST', '/v1/requests', purchase)))
  t.strictSame(await codesOf(drafts.flatMap(({ id }) => range(2).map(() => provider('POST', `/v1/requests/${id}/purchase`)))), [200, 400, 409, 409, 409, 409, 409, 409])
  t.match(await stockOf(call, pool_id), { available: 3, allocated: 1 })
  const [bought] = await market.byProvider('GET', '/v1/requests?status=approved') as Json[]
  const { id } = await market.byProvider('POST', '/v1/requests', { type: 'cancel', asset: { id: bought!['asset'].id } })
  t.strictSame(await codesOf([...range(3).map(() => vendor('POST', `/v1/requests/${id}/approve`)), call('POST', `/v1/pools/${pool_id}/licenses`, 'MORE-KEY-0001')]), [200, 201, 400, 400])
  t.match(await stockOf(call, pool_id), { available: 4, allocated: 0, revoked: 1 })
  await assertInvariants(t, service.db)
})
