import type { Transaction } from 'kysely'
import type { AssetKey } from '../assets/asset-rows.js'
import type { Viewer } from '../assets/find-asset.js'
import { itemRows, periodText } from '../assets/item-rows.js'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { insertWithNewId, newDigitsId } from '../ids.js'
import { invalid } from '../problems.js'
import { readMoment } from '../requests/read-moment.js'
import { planWebhooks } from '../webhooks/plan.js'
import { billingOf } from './billing.js'
import { recurringAssetsOf } from './recurring-assets.js'
import { attributesFit, type BilledItemDocument, type BillingRequestDocument, type BillingRequestToMake } from './schema.js'

export type BillingCaller = Viewer & { key_id: string }

/**
 * Makes a billing request of the caller's side for a period of an asset, with the items as the asset has them now. The other side is told.
 * The caller calls wakeWorker() after the commit.
 *
 * @throws Problem validation-failed
 */
export async function createBillingRequest (trx: Transaction<Database>, caller: BillingCaller, body: BillingRequestToMake): Promise<string> {
  const type = caller.type === 'provider' ? 'provider' : 'vendor'
  if ((body.type ?? type) !== type) throw invalid(`type: must be ${type}: each side makes its own`)
  const asset = await recurringAssetsOf(trx, caller).select(['a.provider_id', 'a.product_id']).where('a.id', '=', body.asset.id).executeTakeFirst()
  if (asset === undefined) throw invalid('asset.id: there is no such asset, or its purchase is not approved')
  const { account_id, asset_id, provider_id, product_id } = asset
  const id = await insertWithNewId(() => newDigitsId(type === 'provider' ? 'BRP' : 'BRV', 4, 4), async (id) => trx.insertInto('billing_requests').values({
    account_id,
    id,
    type,
    provider_id,
    asset_id,
    items: JSON.stringify(await billedItems(trx, asset, body.items)),
    attributes: JSON.stringify(ownAttributes(type, body.attributes)),
    ...await periodOf(trx, asset, body.period),
  }).onConflict((conflict) => conflict.doNothing()).returning('id').executeTakeFirst())
  await recordEvent(trx, { account_id, type: 'billing_request.created', subject_id: id, actor: caller.key_id, data: { asset_id, type } })
  await planWebhooks(trx, {
    account_ids: [account_id, provider_id], product_id, object_class: 'billing_request', event: 'billing_request.created', data: { id, type, asset_id },
  })
  return id
}

async function periodOf (trx: Transaction<Database>, asset: AssetKey, given: BillingRequestToMake['period']) {
  const [period_from, period_to] = [readMoment('period.from', given.from)!, readMoment('period.to', given.to)!]
  if (period_from >= period_to) throw invalid('period.to: must be after period.from')
  const { period } = (await billingOf(trx, [asset]))(asset)
  return { period_from, period_to, period_delta: given.delta ?? period?.delta ?? 1, period_uom: given.uom ?? period?.uom ?? 'monthly' }
}

async function billedItems (trx: Transaction<Database>, asset: AssetKey, given: BillingRequestToMake['items']): Promise<BilledItemDocument[]> {
  const rows = await itemRows(trx, [{ account_id: asset.account_id, owner_id: asset.asset_id }])
  const quantities = new Map((given ?? rows).map(({ id, quantity }) => [id, quantity]))
  const unknown = [...quantities.keys()].filter((id) => !rows.some((row) => row.id === id))
  if (unknown.length > 0) throw invalid(...unknown.map((id) => `items: the asset has no item ${JSON.stringify(id)}`))
  return rows.filter(({ id }) => quantities.has(id)).map(({ id, mpn, unit, display_name, period, type, quantity }) => ({
    id,
    global_id: id,
    mpn,
    type: unit,
    display_name,
    period: periodText(period),
    item_type: type === 'ppu' ? 'PPU' : 'Reservation',
    quantity: quantities.get(id) ?? quantity,
  }))
}

/** What the caller notes; of the other side it can note nothing. */
function ownAttributes (type: 'vendor' | 'provider', given: BillingRequestToMake['attributes']): BillingRequestDocument['attributes'] {
  const own = given?.[type] ?? {}
  if (!attributesFit(own)) throw invalid(`attributes.${type}: is too long`)
  return { vendor: {}, provider: {}, [type]: own }
}
