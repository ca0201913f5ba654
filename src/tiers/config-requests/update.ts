import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import type { ParamWrite } from '../../parameters/schema.js'
import type { Keyring } from '../../sealing.js'
import { writeParams } from './params.js'
import { lockRequest, type Caller } from './request-row.js'
import { assertStatus, WRITABLE } from './transitions.js'

export interface Change { params?: ParamWrite[] | null | undefined, notes?: string | null | undefined }

/**
 * Writes values, value errors and notes of a request. With nothing to write it does nothing, whatever the state. In a draft a wrong value is
 * kept with what is wrong about it.
 *
 * @throws Problem tier-config-request-not-found
 * @throws Problem illegal-transition  not writable by this side in this state
 * @throws Problem validation-failed
 */
export async function updateRequest (trx: Transaction<Database>, keyring: Keyring, caller: Caller, id: string, { params, notes }: Change): Promise<void> {
  const request = await lockRequest(trx, caller, id)
  if ((params == null || params.length === 0) && notes == null) return
  const side = caller.type === 'provider' ? 'provider' : 'vendor'
  assertStatus(request, 'update', WRITABLE[side])
  await writeParams(trx, keyring, request, params, { mode: request.status === 'draft' ? 'validate' : 'strict', side, actor: caller.key_id })
  await trx.updateTable('tier_config_requests').set({ ...(notes == null ? {} : { notes }), updated_at: sql<Date>`now()` })
    .where('account_id', '=', request.account_id).where('id', '=', id).execute()
  if (notes == null || notes === request.notes) return
  await recordEvent(trx, { account_id: request.account_id, type: 'tier_config_request.updated', subject_id: id, actor: caller.key_id, data: { fields: ['notes'] } })
}
