import { atOnce } from '../database/at-once.js'
import type { Reader } from '../database/connect.js'
import { connectionBody } from '../distribution/connection-body.js'
import { partId } from '../ids.js'
import { groupBy } from '../parameters/group-by.js'
import { readValues } from '../parameters/read-values.js'
import type { Param } from '../parameters/schema.js'
import type { Owner } from '../parameters/stored-values.js'
import { capabilitiesBody } from '../products/capabilities.js'
import { configurationOf, type ConfigurationOf } from '../products/configurations/configuration-of.js'
import type { Keyring } from '../sealing.js'
import { tierDocuments, type TierOf } from '../tiers/accounts/tier-documents.js'
import type { BriefTierDocument } from '../tiers/accounts/schema.js'
import { assetRows, tiesOf, type AssetKey, type AssetRow, type TiedTo } from './asset-rows.js'
import type { Viewer } from './find-asset.js'
import { itemRows, periodText, quantityText, type ItemRow } from './item-rows.js'
import { pendingRequests } from './pending-requests.js'
import type { AssetDocument, AssetItemDocument } from './schema.js'

/** An asset as it is; or as a request would leave it, with the request's items and parameters. */
interface AssetSubject extends AssetKey { request_id?: string }

/** What `select` hides or adds. */
export const ASSET_PARTS = {
  items: true, params: true, configuration: true, template: false, pending_request: false, 'pending_request.template': false, 'product.capabilities': false,
}
/** Who reads; copies for billing are without secret parameters. */
type AssetReader = Pick<Viewer, 'type'> & { without_secrets?: boolean }
export type Shows = (part: keyof typeof ASSET_PARTS) => boolean

/** An asset in Connect's shape; `params` also where the document hides them, for texts to be rendered with. */
export interface AssetView { document: AssetDocument, params: Param[] }

/**
 * Assets in Connect's shape, in the order asked for. A constant number of statements for any number of them. The items are those last
 * approved (or first asked for); the parameters those of the asset, or of its purchase as long as it has none of its own.
 */
export async function assetDocuments (
  db: Reader, keyring: Keyring, reader: AssetReader, subjects: readonly AssetSubject[], shows: Shows
): Promise<AssetView[]> {
  if (subjects.length === 0) return []
  const rows = new Map((await assetRows(db, subjects)).map((row) => [keyOf(row), row]))
  const assets = subjects.map((subject) => ({ ...rows.get(keyOf(subject))!, ...ownerOf(subject) }))
  const { type, without_secrets = false } = reader
  const tiers = assets.flatMap(({ provider_id, customer_id, tier1_id, tier2_id }) => [customer_id, tier1_id, tier2_id].map((id) => ({ provider_id, id })))
  const [tied, items, paramsOf, tierOf, configuration, pending] = await atOnce(db, [
    () => tiesOf(db, assets),
    async () => shows('items') ? itemRows(db, assets) : [],
    () => readValues(db, keyring, assets, { scopes: ['asset'], side: type === 'provider' ? 'provider' : 'vendor', without_secrets }),
    () => tierDocuments(db, tiers),
    async () => shows('configuration') || shows('items') ? configurationOf(db, assets) : () => [],
    async () => shows('pending_request') || shows('pending_request.template') ? pendingRequests(db, assets, { template: shows('pending_request.template') }) : () => undefined,
  ])
  const itemsOf = groupBy(items, keyOfOwner)
  return assets.map((asset) => {
    const params = paramsOf(asset)
    const pending_request = pending(asset)
    return {
      params,
      document: {
        ...assetBody(asset, tied(asset), tierOf, shows),
        ...(shows('items') ? { items: (itemsOf.get(keyOfOwner(asset)) ?? []).map((item) => itemBody(item, asset, configuration)) } : {}),
        ...(shows('params') ? { params } : {}),
        ...(shows('configuration') ? { configuration: { params: configuration(asset) } } : {}),
        ...(pending_request === undefined ? {} : { pending_request }),
      },
    }
  })
}

const keyOf = ({ account_id, asset_id }: AssetKey): string => `${account_id}/${asset_id}`
const keyOfOwner = ({ account_id, owner_id }: Owner): string => `${account_id}/${owner_id}`

/** Whose items and values are shown. The purchase of an asset is its first request. */
function ownerOf ({ asset_id, request_id }: AssetSubject): { owner_id: string, instead_id?: string } {
  return request_id === undefined ? { owner_id: asset_id, instead_id: partId(asset_id, 'PR', 1, 3) } : { owner_id: request_id }
}

function assetBody (row: AssetRow, to: TiedTo, tierOf: TierOf<BriefTierDocument>, shows: Shows): AssetDocument {
  const tier = (id: string | null): Partial<BriefTierDocument> => tierOf(row.provider_id, id) ?? {}
  return {
    id: row.asset_id,
    status: row.status,
    external_id: row.external_id,
    external_uid: row.external_uid,
    product: {
      id: row.product_id,
      icon: to.product_icon,
      name: to.product_name,
      status: to.product_status,
      ...(shows('product.capabilities') ? { capabilities: capabilitiesBody(to.capabilities) } : {}),
    },
    connection: connectionBody(to),
    events: { created: { at: row.created_at }, updated: { at: row.updated_at } },
    tiers: { customer: tier(row.customer_id), tier1: tier(row.tier1_id), tier2: tier(row.tier2_id) },
    marketplace: { id: row.marketplace_id, name: to.marketplace_name, icon: to.marketplace_icon },
    ...(row.contract_id === null ? {} : { contract: { id: row.contract_id, name: to.contract_name ?? '', type: to.contract_type ?? '' } }),
    ...(shows('template') && row.template_id !== null ? { template: { id: row.template_id, name: to.template_name ?? '' } } : {}),
  }
}

function itemBody (item: ItemRow, asset: AssetRow, configuration: ConfigurationOf): AssetItemDocument {
  return {
    id: item.id,
    global_id: item.id,
    mpn: item.mpn,
    old_quantity: quantityText(item.old_quantity),
    quantity: quantityText(item.quantity),
    type: item.unit,
    display_name: item.display_name,
    period: periodText(item.period),
    item_type: item.type === 'ppu' ? 'PPU' : 'Reservation',
    params: configuration(asset, item.id),
  }
}
