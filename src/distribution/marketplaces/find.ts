import { seenOfProviders, type Party } from '../../accounts/seen-by.js'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import { eventsOf } from '../shape.js'

/** The marketplaces that a caller may see. */
export function marketplacesSeenBy (db: Reader, caller: Party) {
  return db.selectFrom('marketplaces').innerJoin('accounts', 'accounts.id', 'marketplaces.provider_id')
    .innerJoin('hubs', (join) => join.onRef('hubs.provider_id', '=', 'marketplaces.provider_id').onRef('hubs.id', '=', 'marketplaces.hub_id'))
    .select([
      'marketplaces.provider_id', 'marketplaces.id', 'marketplaces.name', 'marketplaces.description', 'icon', 'hub_id', 'marketplaces.created_at', 'marketplaces.updated_at',
      'accounts.name as provider_name', 'hubs.name as hub_name',
    ])
    .where(seenOfProviders(caller, 'marketplaces'))
}

type MarketplaceRow = Awaited<ReturnType<ReturnType<typeof marketplacesSeenBy>['executeTakeFirstOrThrow']>>

/** @throws Problem marketplace-not-found */
export async function findMarketplace (db: Reader, caller: Party, id: string): Promise<MarketplaceRow> {
  const marketplace = await marketplacesSeenBy(db, caller).where('marketplaces.id', '=', id).executeTakeFirst()
  if (marketplace === undefined) throw new Problem('marketplace-not-found')
  return marketplace
}

/** A marketplace in Connect's shape. */
export function marketplaceBody ({ provider_id, provider_name, hub_id, hub_name, ...marketplace }: MarketplaceRow) {
  const { id, name, description, icon } = marketplace
  return { id, name, description, icon, owner: { id: provider_id, name: provider_name }, hub: { id: hub_id, name: hub_name }, events: eventsOf(marketplace) }
}
