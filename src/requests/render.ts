import type { Reader } from '../database/connect.js'
import { readParams } from '../parameters/read-values.js'
import { renderedText } from '../parameters/rendered-text.js'
import { formUrl } from './conflicts.js'
import { findRequest, type Caller, type Service } from './request-row.js'

/**
 * What the customer of a request is told in its state, as Markdown with the values in clear.
 *
 * @throws Problem request-not-found
 */
export async function renderRequest (db: Reader, { keyring, public_url }: Service, caller: Caller, id: string): Promise<string> {
  const row = await findRequest(db, caller, id)
  const owner = { account_id: row.account_id, owner_id: row.id }
  const side = caller.type === 'provider' ? 'provider' : 'vendor'
  const params = await readParams(db, keyring, { ...owner, product_id: row.product_id }, { scopes: ['asset'], side })
  return renderedText(keyring, { ...row, ...owner }, params, { activation_form_url: formUrl({ public_url }, row) })
}
