import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'

/** Who asks: a vendor for its assets, a provider for those that it requested. */
export interface Viewer { id: string, type: 'operator' | 'vendor' | 'provider' }

/** The assets that a caller has a part in, with all that lists filter by, in no order. Joins that nothing names cost nothing: PostgreSQL leaves them out. */
export function assetsSeenBy (db: Reader, { id, type }: Viewer) {
  return db.selectFrom('assets as a')
    .leftJoin('connections as c', (join) => join.onRef('c.account_id', '=', 'a.account_id').onRef('c.id', '=', 'a.connection_id'))
    .leftJoin('products as p', (join) => join.onRef('p.account_id', '=', 'a.account_id').onRef('p.id', '=', 'a.product_id'))
    .leftJoin('hubs as h', (join) => join.onRef('h.provider_id', '=', 'c.provider_id').onRef('h.id', '=', 'c.hub_id'))
    .leftJoin('marketplaces as m', (join) => join.onRef('m.provider_id', '=', 'a.provider_id').onRef('m.id', '=', 'a.marketplace_id'))
    .leftJoin('tier_accounts as customer', (join) => join.onRef('customer.provider_id', '=', 'a.provider_id').onRef('customer.id', '=', 'a.customer_id'))
    .leftJoin('accounts as vendor', 'vendor.id', 'a.account_id')
    .leftJoin('accounts as provider', 'provider.id', 'a.provider_id')
    .select(['a.account_id', 'a.id as asset_id'])
    .where(type === 'provider' ? 'a.provider_id' : 'a.account_id', '=', id)
}

/** Drafts are the provider's: a vendor finds one by its id only, as validation tells it. */
export function assetsListedFor (db: Reader, viewer: Viewer) {
  return assetsSeenBy(db, viewer).$if(viewer.type !== 'provider', (query) => query.where('a.status', '<>', 'draft'))
}

/** @throws Problem asset-not-found */
export async function findAsset (db: Reader, viewer: Viewer, id: string): Promise<{ account_id: string, asset_id: string }> {
  const asset = await assetsSeenBy(db, viewer).where('a.id', '=', id).executeTakeFirst()
  if (asset === undefined) throw new Problem('asset-not-found')
  return asset
}
