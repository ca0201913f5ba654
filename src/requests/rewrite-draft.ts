import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { findConnection } from '../distribution/find-connection.js'
import { resolveMarketplace } from '../distribution/resolve-marketplace.js'
import { itemsOf, readItems, writeRequestItems } from './items.js'
import { readMoment } from './read-moment.js'
import { lockAsset, updateRequestRow, type Actor, type AssetRow, type RequestRow } from './request-row.js'
import type { RequestChange } from './bodies/schema.js'
import { resolveTiers } from './tiers.js'

/**
 * Writes what a draft is made of: its items, and of a purchase its tiers, external ids and marketplace. What is not given stays; its
 * connection and its asset stay in any case.
 *
 * @throws Problem validation-failed
 */
export async function rewriteDraft (trx: Transaction<Database>, request: RequestRow, actor: Actor, change: RequestChange): Promise<void> {
  const { account_id, asset_id, type } = request
  const given = change.asset ?? {}
  const planned_date = readMoment('planned_date', change.planned_date)
  const external_attributes = change.external_attributes ?? given.external_attributes
  if (planned_date !== undefined || external_attributes != null) {
    await updateRequestRow(trx, request, {
      ...(planned_date === undefined ? {} : { planned_date }),
      ...(external_attributes == null ? {} : { external_attributes: JSON.stringify(external_attributes) }),
    })
  }
  if (given.items != null && (type === 'purchase' || type === 'change')) {
    const before = type === 'purchase' ? new Map<string, number>() : await itemsOf(trx, account_id, asset_id)
    await writeRequestItems(trx, request, before, new Map([...before, ...await readItems(trx, request, given.items)]))
  }
  if (type === 'purchase') await rewriteAsset(trx, await lockAsset(trx, account_id, asset_id), actor, change)
}

async function rewriteAsset (trx: Transaction<Database>, asset: AssetRow, actor: Actor, { asset: given, marketplace }: RequestChange): Promise<void> {
  const { account_id, id } = asset
  const connection = (await findConnection(trx, { account_id, id: asset.connection_id }))!
  const marketplace_id = given?.marketplace?.id || marketplace?.id
  const place = marketplace_id ? await resolveMarketplace(trx, connection, marketplace_id) : asset
  const tiers = given?.tiers ?? {}
  const resolved = await resolveTiers(trx, connection, tiers, actor)
  await trx.updateTable('assets').set({
    external_id: given?.external_id ?? asset.external_id,
    external_uid: given?.external_uid || asset.external_uid,
    marketplace_id: place.marketplace_id,
    contract_id: place.contract_id,
    customer_id: tiers.customer == null ? asset.customer_id : resolved.customer_id,
    tier1_id: tiers.tier1 == null ? asset.tier1_id : resolved.tier1_id,
    tier2_id: tiers.tier2 == null ? asset.tier2_id : resolved.tier2_id,
  }).where('account_id', '=', account_id).where('id', '=', id).execute()
}
