import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import type { Actor, RequestRow } from './request-row.js'
import { assertSide, assertStatus, makerOf } from './transitions.js'

/**
 * Deletes a locked draft with its values and its conversation, and the asset that was to come of a purchase. Only its maker's side may.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition  what was asked for is never deleted
 */
export async function deleteDraft (trx: Transaction<Database>, request: RequestRow, actor: Actor): Promise<void> {
  const { account_id, id, asset_id, type } = request
  if (actor.side !== 'service') assertSide('delete', actor.side, [makerOf(type)])
  assertStatus(request, 'delete', ['draft'])
  const talk = trx.selectFrom('conversations').select('id').where('account_id', '=', account_id).where('instance_id', '=', id)
  await trx.deleteFrom('messages').where('account_id', '=', account_id).where('conversation_id', 'in', talk).execute()
  await trx.deleteFrom('conversations').where('account_id', '=', account_id).where('instance_id', '=', id).execute()
  await trx.deleteFrom('parameter_values').where('account_id', '=', account_id).where('owner_id', '=', id).execute()
  await trx.deleteFrom('request_items').where('account_id', '=', account_id).where('request_id', '=', id).execute()
  await trx.deleteFrom('requests').where('account_id', '=', account_id).where('id', '=', id).execute()
  if (type === 'purchase') {
    await trx.deleteFrom('asset_items').where('account_id', '=', account_id).where('asset_id', '=', asset_id).execute()
    await trx.deleteFrom('assets').where('account_id', '=', account_id).where('id', '=', asset_id).execute()
  }
  await recordEvent(trx, { account_id, type: 'request.deleted', subject_id: id, actor: actor.key_id, data: { asset_id, type } })
}
