import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { copyValues } from '../parameters/copy-values.js'
import { lockDefinitionsOf } from '../parameters/definitions.js'
import { keepValues, storedValues } from '../parameters/stored-values.js'
import type { Keyring } from '../sealing.js'
import { assertChanged, assertNotEmpty, itemsOf, writeRequestItems } from './items.js'
import type { RequestRow } from './request-row.js'

/**
 * Brings a draft on an asset up to date before it is asked for: other requests may have been approved since it was written. Of its items those
 * that it changes keep what is wanted; of a change the values that buyers give are the draft's, the vendor's are the asset's.
 *
 * @throws Problem validation-failed  a change that would change nothing now
 */
export async function refreshDraft (trx: Transaction<Database>, keyring: Keyring, request: RequestRow): Promise<void> {
  const { account_id, id, asset_id, type } = request
  const before = await itemsOf(trx, account_id, asset_id)
  const wanted = await trx.selectFrom('request_items').select(['item_id', 'quantity']).where('account_id', '=', account_id).where('request_id', '=', id)
    .whereRef('quantity', '<>', 'old_quantity').execute()
  const after = new Map([...before, ...wanted.map(({ item_id, quantity }) => [item_id, quantity] as const)])
  if (type === 'change') {
    assertChanged(before, after)
    assertNotEmpty(after)
    await refreshValues(trx, keyring, request)
  }
  await writeRequestItems(trx, request, before, after)
}

async function refreshValues (trx: Transaction<Database>, keyring: Keyring, { account_id, id, asset_id, product_id }: RequestRow): Promise<void> {
  const definitions = new Map((await lockDefinitionsOf(trx, account_id, product_id, ['asset'])).map((definition) => [definition.id, definition]))
  const given = (await storedValues(trx, keyring, [{ account_id, owner_id: id }])).filter(({ parameter_id }) => definitions.get(parameter_id)?.phase === 'ordering')
  await copyValues(trx, keyring, account_id, asset_id, id)
  await keepValues(trx, keyring, { account_id, owner_id: id }, given.map((value) => ({ ...value, secret: definitions.get(value.parameter_id)!.secret })))
}
