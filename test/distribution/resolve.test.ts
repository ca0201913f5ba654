import t from 'tap'
import { findConnection, type Connection } from '../../src/distribution/find-connection.js'
import { resolveMarketplace } from '../../src/distribution/resolve-marketplace.js'
import { Problem } from '../../src/problems.js'
import { testApp } from '../support/app.js'
import { idOf, makeShelf } from './support.js'

const REQUIRED = "Field 'marketplace.id' is required."
const NOT_LISTED = 'There is no Listing for specified Product and Marketplace.'

// Guarantee: a connection is found by its vendor and by its provider, by no other, and says whether something new may be made through it.
t.test('finding a connection', async (t) => {
  const { app, db } = await testApp(t)
  const [shelf, other] = [await makeShelf({ app, db }), await makeShelf({ app, db })]
  const { connection_id: id, product_id, hub_id } = shelf
  const [account_id, provider_id] = [shelf.vendor.account_id, shelf.provider.account_id]
  const found = { account_id, id, product_id, provider_id, hub_id, type: 'production', status: 'active', is_usable: true } as const
  const others = { account_id: other.vendor.account_id, provider_id: other.provider.account_id }
  for (const by of [{ account_id }, { provider_id }, { account_id, provider_id }]) t.strictSame(await findConnection(db, { ...by, id }), found)
  for (const by of [{ account_id: others.account_id }, { provider_id: others.provider_id }, { account_id, provider_id: others.provider_id }, {}]) {
    t.equal(await findConnection(db, { ...by, id }), undefined, JSON.stringify(by))
  }
  for (const [status, is_usable] of [['approved', true], ['pending', false], ['rejected', false], ['revoked', false]] as const) {
    await shelf.byVendor('PUT', `/v1/products/${product_id}/connections/${id}`, { status })
    t.strictSame(await findConnection(db, { account_id, id }), { ...found, status, is_usable })
  }
})

// Guarantee: a purchase is made on a marketplace of the provider where the product is listed under a contract in force; without a name it is
// the only such one that the hub serves; and what cannot be resolved is refused in the words that Connect's clients compare.
t.test('resolving a marketplace', async (t) => {
  const { app, db } = await testApp(t)
  const shelf = await makeShelf({ app, db })
  const { byVendor, byProvider, hub_id, marketplace_id, product_id, contract_id, listing_id } = shelf
  const connection = await findConnection(db, { account_id: shelf.vendor.account_id, id: shelf.connection_id }) as Connection
  const anyHub = { ...connection, hub_id: null }
  const place = { marketplace_id, contract_id, listing_id }
  const refusal = async (...given: [Pick<Connection, 'account_id' | 'provider_id' | 'product_id' | 'hub_id'>, string?]): Promise<string> => {
    const error = await resolveMarketplace(db, ...given).then(() => undefined, (thrown: unknown) => thrown)
    return error instanceof Problem && error.type === 'validation-failed' ? error.details.errors?.join() ?? '' : `not refused: ${String(error)}`
  }

  t.strictSame(await resolveMarketplace(db, connection, marketplace_id), place)
  t.strictSame(await resolveMarketplace(db, connection), place, 'the only one that the hub serves')
  t.strictSame(await resolveMarketplace(db, anyHub), place, 'the only one of the provider')
  t.ok((await refusal(connection, 'MP-00000')).startsWith(NOT_LISTED), 'no such marketplace')
  const foreign = await makeShelf({ app, db })
  t.ok((await refusal(connection, foreign.marketplace_id)).startsWith(NOT_LISTED), 'of another provider')

  const empty = await idOf(byProvider('POST', '/v1/hubs', { name: 'Serves none' }))
  t.equal(await refusal({ ...connection, hub_id: empty }), REQUIRED)
  t.strictSame(await resolveMarketplace(db, { ...connection, hub_id: empty }, marketplace_id), place, 'a marketplace of another hub can be named')
  const second = await idOf(byProvider('POST', '/v1/marketplaces', { name: 'Second', hub: { id: empty } }))
  t.ok((await refusal({ ...connection, hub_id: empty })).startsWith(NOT_LISTED), 'nothing is listed where the hub serves')
  t.ok((await refusal(connection, second)).startsWith(NOT_LISTED))
  t.strictSame(await resolveMarketplace(db, anyHub), place, 'of two the one that lists the product')
  const contract = await idOf(byVendor('POST', '/v1/contracts', { marketplace: { id: second }, provider: { id: shelf.provider.account_id } }))
  await idOf(byVendor('POST', '/v1/listings', { product: { id: product_id }, contract: { id: contract } }))
  t.equal(await refusal(anyHub), REQUIRED, 'two list it')
  t.strictSame(await resolveMarketplace(db, connection), place, 'but only one at the hub')
  t.match(await resolveMarketplace(db, anyHub, second), { marketplace_id: second, contract_id: contract })

  await byVendor('PUT', `/v1/listings/${listing_id}`, { status: 'unlisted' })
  t.ok((await refusal(connection, marketplace_id)).startsWith(NOT_LISTED), 'unlisted')
  await byVendor('PUT', `/v1/listings/${listing_id}`, { status: 'listed' })
  await byVendor('PUT', `/v1/contracts/${contract_id}`, { status: 'terminated' })
  t.ok((await refusal(connection)).startsWith(NOT_LISTED), 'the contract ended')
  const renewed = await idOf(byVendor('POST', '/v1/contracts', { marketplace: { id: marketplace_id }, provider: { id: shelf.provider.account_id } }))
  t.ok((await refusal(connection, marketplace_id)).startsWith(NOT_LISTED), `${hub_id}: under the new contract nothing is listed yet`)
  const relisted = await idOf(byVendor('POST', '/v1/listings', { product: { id: product_id }, contract: { id: renewed } }))
  t.strictSame(await resolveMarketplace(db, connection), { marketplace_id, contract_id: renewed, listing_id: relisted })
})
