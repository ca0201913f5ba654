import type { Reader } from '../database/connect.js'
import { readParams } from '../parameters/read-values.js'
import { renderedText } from '../parameters/rendered-text.js'
import type { Keyring } from '../sealing.js'
import { findAsset, type Viewer } from './find-asset.js'

/**
 * What the customer of an asset is told since its last approval, as Markdown; "" before the first.
 *
 * @throws Problem asset-not-found
 */
export async function renderAsset (db: Reader, keyring: Keyring, viewer: Viewer, id: string): Promise<string> {
  const { account_id, asset_id: owner_id } = await findAsset(db, viewer, id)
  const asset = await db.selectFrom('assets').select(['product_id', 'template_body', 'sealed_tile'])
    .where('account_id', '=', account_id).where('id', '=', owner_id).executeTakeFirstOrThrow()
  const side = viewer.type === 'provider' ? 'provider' : 'vendor'
  const params = await readParams(db, keyring, { account_id, owner_id, product_id: asset.product_id }, { scopes: ['asset'], side })
  return renderedText(keyring, { account_id, owner_id, template_body: asset.template_body, sealed_tile: asset.sealed_tile }, params)
}
