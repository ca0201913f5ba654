import { assetDocuments, type AssetView, type Shows } from '../assets/asset-documents.js'
import type { AssetKey } from '../assets/asset-rows.js'
import { assetsSeenBy, type Viewer } from '../assets/find-asset.js'
import type { AssetItemDocument } from '../assets/schema.js'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { billingOf } from './billing.js'
import type { RecurringAssetDocument, RecurringItemDocument } from './schema.js'

/** The assets of a caller that have become something to bill: those whose purchase waits have not. In no order. */
export function recurringAssetsOf (db: Reader, viewer: Viewer) {
  return assetsSeenBy(db, viewer).where('a.status', 'not in', ['draft', 'processing'])
}

/** @throws Problem asset-not-found  also of one whose purchase waits */
export async function findRecurringAsset (db: Reader, viewer: Viewer, id: string): Promise<AssetKey> {
  const asset = await recurringAssetsOf(db, viewer).where('a.id', '=', id).executeTakeFirst()
  if (asset === undefined) throw new Problem('asset-not-found')
  return asset
}

/** Assets as they are billed, in the order asked for; without secret parameters. A constant number of statements for any number of them. */
export async function recurringAssets (
  db: Reader, keyring: Keyring, { type }: Pick<Viewer, 'type'>, keys: readonly AssetKey[], shows: Shows
): Promise<RecurringAssetDocument[]> {
  if (keys.length === 0) return []
  const views = await assetDocuments(db, keyring, { type, without_secrets: true }, keys, shows)
  const billing = await billingOf(db, keys)
  return views.map((view, i) => recurring(view, billing(keys[i]!)))
}

function recurring ({ document: { items, ...document } }: AssetView, billing: RecurringAssetDocument['billing']): RecurringAssetDocument {
  return { ...document, ...(items === undefined ? {} : { items: items.map(recurringItem) }), billing }
}

function recurringItem ({ params, quantity, old_quantity, ...item }: AssetItemDocument): RecurringItemDocument {
  return { ...item, quantity: quantityNumber(quantity), old_quantity: quantityNumber(old_quantity) }
}

/** A quantity as requests and assets have it; -1: without limit. */
const quantityNumber = (text: string): number => text === 'unlimited' ? -1 : Number(text)
