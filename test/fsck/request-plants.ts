// A sound database of requests, and what breaks each of its invariants.
import { sql, type Kysely } from 'kysely'
import type { Database } from '../../src/database/connect.js'
import { filledOrder, poolOf, productOf, vendorShop, type Shop } from '../support/fixtures.js'

const PROVIDER = 'PA-001'
const HUB = 'HB-1'

/** A purchase from a pool that is approved, one that waits for stock, and one that failed; the product has a secret parameter. */
export async function soundRequests (db: Kysely<Database>): Promise<Shop> {
  const shop = await vendorShop(db)
  const { account_id } = shop
  const product_id = await productOf(shop)
  const stocked = await poolOf(shop, product_id, ['R-1', 'R-2'])
  const empty = await poolOf(shop, await productOf(shop), [])
  await db.insertInto('accounts').values({ id: PROVIDER, type: 'provider', name: 'Cloud Sales' }).execute()
  await db.insertInto('hubs').values({ provider_id: PROVIDER, id: HUB, name: 'Hub' }).execute()
  await db.insertInto('marketplaces').values({ provider_id: PROVIDER, hub_id: HUB, id: 'MP-1', name: 'Marketplace' }).execute()
  await db.insertInto('connections').values({ account_id, provider_id: PROVIDER, hub_id: HUB, id: 'CT-1', product_id, type: 'production' }).execute()
  await db.insertInto('product_parameters').values({
    account_id, product_id, id: 'PRM-1', name: 'license_key', title: 'License key', type: 'text', scope: 'asset', phase: 'fulfillment', secret: true, pool_id: stocked.pool_id,
  }).execute()
  const purchase = purchaseOf({ ...shop, product_id })
  const filled = await filledOrder(shop, product_id, stocked, { customer: {}, external_id: 'PR-1-001', deliver: false })
  await purchase(1, 'approved', 'active', { order_id: filled.order_id, effective_date: new Date() })
  for (const owner_id of ['PR-1-001', 'AS-1']) await db.insertInto('parameter_values').values({ account_id, owner_id, parameter_id: 'PRM-1', license_ids: stocked.license_ids }).execute()
  await db.insertInto('license_sightings').values(stocked.license_ids.map((license_id) => ({ account_id, license_id, how: 'approved' }))).execute()
  await purchase(2, 'pending', 'processing', { order_id: 'OR-2', waits_for_stock: true })
  await waitingOrder(shop, 'OR-2', 'PR-2-001', product_id, empty.pool_id)
  await purchase(3, 'failed', 'terminated', {})
  await sql`update orders set source_id = 'requests'`.execute(db)
  return shop
}

type Row = { order_id?: string, effective_date?: Date, waits_for_stock?: boolean }

function purchaseOf ({ db, account_id, product_id }: Shop & { product_id: string }) {
  const whose = { account_id, provider_id: PROVIDER }
  return async (number: number, status: string, asset_status: string, row: Row): Promise<void> => {
    const [asset_id, id] = [`AS-${number}`, `PR-${number}-001`]
    await db.insertInto('assets').values({ ...whose, id: asset_id, connection_id: 'CT-1', product_id, status: asset_status, external_uid: id, marketplace_id: 'MP-1' }).execute()
    await db.insertInto('requests').values({ ...whose, id, asset_id, product_id, type: 'purchase', status, ...row }).execute()
    await db.insertInto('conversations').values({ ...whose, id: `CO-${number}`, instance_id: id, topic: id }).execute()
  }
}

async function waitingOrder ({ db, account_id }: Shop, order_id: string, external_id: string, product_id: string, pool_id: string): Promise<void> {
  const line_item_id = `${order_id}-1`
  const status = { fulfillment_status: 'backordered' }
  await db.insertInto('orders').values({
    account_id, id: order_id, source_id: 'requests', external_id, mode: 'live', currency: 'XXX', customer: '{}', paid_at: new Date(), ...status,
  }).execute()
  await db.insertInto('line_items').values({ account_id, id: line_item_id, order_id, external_id: 'PRM-1', product_id, pool_id, quantity: 1, ...status }).execute()
  await db.insertInto('slots').values({ account_id, line_item_id, unit: 1 }).execute()
  await db.insertInto('backorders').values({ account_id, pool_id, queue: 1, order_id, line_item_id, missing: 1 }).execute()
}

const ANY_MOVE = 'alter table requests disable trigger requests_move; alter table assets disable trigger assets_move;'

/** A request of the type on the approved purchase's asset, in this state. */
const followUp = (type: string, status: string): string => `
  insert into requests (account_id, id, asset_id, provider_id, product_id, type, status, effective_date, updated_at)
  select account_id, 'PR-1-002', asset_id, provider_id, product_id, '${type}', '${status}', case '${status}' when 'approved' then now() end, now() + interval '1 second'
  from requests where id = 'PR-1-001';`

/** What breaks each invariant. Where a constraint of the database would refuse that, it is dropped first. */
export const requestPlants: Record<string, string[]> = {
  'at most one request is under way on an asset': [
    `drop index requests_one_open; ${followUp('change', 'pending')} update requests set asset_id = 'AS-1' where id = 'PR-2-001'`,
  ],
  'an asset has the status that its requests give it': [
    "update assets set status = 'terminated' where id = 'AS-2'",
    "update assets set status = 'suspended' where id = 'AS-1'",
    `${ANY_MOVE} update assets set status = 'active' where id = 'AS-3'`,
    "update requests set type = 'change' where id = 'PR-1-001'",
    followUp('cancel', 'pending'),
    followUp('suspend', 'approved'),
    `${followUp('suspend', 'failed')} update assets set status = 'suspended' where id = 'AS-1'`,
  ],
  'a request has its conversation': ["delete from conversations where instance_id = 'PR-3-001'"],
  'an order for a request is of a purchase, and the one that this knows of': [
    "update requests set order_id = null where id = 'PR-1-001'",
    "update requests set order_id = 'OR-none' where id = 'PR-1-001'",
    "update orders set external_id = 'PR-3-001' where id = 'OR-2'",
    "update orders set source_id = 'api-live' where id = 'OR-2'",
    "update requests set type = 'change' where id = 'PR-1-001'",
  ],
  'an approved purchase has every license of its order, unless that was cancelled or one was found bad and has no other yet': [
    "update orders set fulfillment_status = 'partial' where external_id = 'PR-1-001'",
    "update requests set status = 'approved', effective_date = now(), waits_for_stock = false where id = 'PR-2-001'",
  ],
  'what failed, was revoked or is terminated takes nothing from a pool': [
    "update requests set status = 'failed', waits_for_stock = false where id = 'PR-2-001'",
    `${ANY_MOVE} update requests set status = 'revoked', effective_date = null where id = 'PR-1-001'`,
    `${ANY_MOVE} update assets set status = 'terminated' where id = 'AS-1'`,
  ],
  'a pending request waits for stock as its order does, or to be approved now that its order is filled': [
    "update requests set waits_for_stock = false where id = 'PR-2-001'",
    'delete from backorders',
    "update orders set status = 'cancelled' where id = 'OR-2'",
    "update line_items set fulfillment_status = 'unfulfilled' where order_id = 'OR-2'",
  ],
  'the value of a secret parameter is sealed, or of licenses': [
    "update parameter_values set license_ids = null, value = 'KEY' where owner_id = 'AS-1'",
    "update parameter_values set structured_value = '{}' where owner_id = 'AS-1'",
  ],
  'the value of a parameter shows licenses that were given to a purchase of its asset only, and they are marked as seen': [
    "update parameter_values set owner_id = 'AS-2' where owner_id = 'AS-1'",
    "update parameter_values set owner_id = 'PR-2-001' where owner_id = 'PR-1-001'",
    "update parameter_values set license_ids = license_ids || 'LI-other'::text",
    'delete from license_sightings where license_id = (select min(license_id) from license_sightings)',
    "update license_sightings set how = 'revealed'",
    "update license_sightings set seen_at = now() - interval '1 hour'",
  ],
}
