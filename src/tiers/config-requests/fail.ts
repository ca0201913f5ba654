import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import type { Keyring } from '../../sealing.js'
import { advanceBelow, type Finished } from './advance-below.js'
import { move } from './move.js'
import { actorOf, lockRequest, type Caller } from './request-row.js'

/**
 * Fails a request. A configuration that is active stays so, as it is. Requests of resellers below that waited fail too. Returns all that
 * failed, for the purchases that wait for them.
 *
 * @throws Problem tier-config-request-not-found
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 */
export async function failRequest (trx: Transaction<Database>, keyring: Keyring, caller: Caller, id: string, reason: string): Promise<Finished[]> {
  const actor = actorOf(caller)
  const request = await move(trx, await lockRequest(trx, caller, id), 'fail', actor, { set: { reason } })
  const below = request.type === 'setup' ? await advanceBelow(trx, keyring, request, 'failed', actor.key_id) : []
  return [{ account_id: request.account_id, tier_config_request_id: id, outcome: 'failed' }, ...below]
}
