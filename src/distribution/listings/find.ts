import { seenBy, type Party } from '../../accounts/seen-by.js'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import { eventsOf } from '../shape.js'

/** The listings that a caller may see. */
export function listingsSeenBy (db: Reader, caller: Party) {
  return db.selectFrom('listings')
    .innerJoin('products', (join) => join.onRef('products.account_id', '=', 'listings.account_id').onRef('products.id', '=', 'listings.product_id'))
    .innerJoin('contracts', (join) => join.onRef('contracts.account_id', '=', 'listings.account_id').onRef('contracts.id', '=', 'listings.contract_id'))
    .innerJoin('marketplaces', (join) => join.onRef('marketplaces.provider_id', '=', 'contracts.provider_id').onRef('marketplaces.id', '=', 'contracts.marketplace_id'))
    .innerJoin('accounts as vendors', 'vendors.id', 'listings.account_id')
    .innerJoin('accounts as providers', 'providers.id', 'listings.provider_id')
    .select([
      'listings.account_id', 'listings.id', 'listings.product_id', 'listings.contract_id', 'listings.provider_id', 'listings.status', 'listings.created_at', 'listings.updated_at',
      'products.name as product_name', 'products.icon as product_icon', 'contracts.name as contract_name', 'contracts.marketplace_id',
      'marketplaces.name as marketplace_name', 'marketplaces.icon as marketplace_icon', 'vendors.name as vendor_name', 'providers.name as provider_name',
    ])
    .where(seenBy(caller, 'listings'))
    .$narrowType<{ status: 'listed' | 'unlisted' }>()
}

type ListingRow = Awaited<ReturnType<ReturnType<typeof listingsSeenBy>['executeTakeFirstOrThrow']>>

/** @throws Problem listing-not-found */
export async function findListing (db: Reader, caller: Party, id: string): Promise<ListingRow> {
  const listing = await listingsSeenBy(db, caller).where('listings.id', '=', id).executeTakeFirst()
  if (listing === undefined) throw new Problem('listing-not-found')
  return listing
}

/** A listing in Connect's shape. */
export function listingBody (listing: ListingRow) {
  const { id, status, marketplace_id, marketplace_name, marketplace_icon } = listing
  return {
    id,
    status,
    contract: { id: listing.contract_id, name: listing.contract_name, marketplace: { id: marketplace_id, name: marketplace_name, icon: marketplace_icon } },
    product: { id: listing.product_id, name: listing.product_name, icon: listing.product_icon },
    vendor: { id: listing.account_id, name: listing.vendor_name },
    provider: { id: listing.provider_id, name: listing.provider_name },
    events: eventsOf(listing),
  }
}
