import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import type { Keyring } from '../../sealing.js'
import { writeParams } from './params.js'
import { lockRequest, type Caller } from './request-row.js'
import { assertStatus } from './transitions.js'
import type { Change } from './update.js'

/**
 * Checks and keeps values, with what is wrong as their errors: nothing is refused but a parameter that there is none of.
 *
 * @throws Problem tier-config-request-not-found
 * @throws Problem illegal-transition
 * @throws Problem validation-failed
 */
export async function validateRequest (trx: Transaction<Database>, keyring: Keyring, caller: Caller, id: string, { params }: Change): Promise<void> {
  const request = await lockRequest(trx, caller, id)
  assertStatus(request, 'validate', ['draft', 'inquiring'])
  await writeParams(trx, keyring, request, params, { mode: 'validate', side: caller.type === 'provider' ? 'provider' : 'vendor', actor: caller.key_id })
  await trx.updateTable('tier_config_requests').set({ updated_at: sql<Date>`now()` }).where('account_id', '=', request.account_id).where('id', '=', id).execute()
}
