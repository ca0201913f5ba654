import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { move } from './move.js'
import { actorOf, lockRequest, type Caller } from './request-row.js'

/**
 * Takes a request back from inquiring, also before the parameters are corrected: clients pend first and write afterwards.
 *
 * @throws Problem tier-config-request-not-found
 * @throws Problem illegal-transition
 */
export async function pendRequest (trx: Transaction<Database>, caller: Caller, id: string): Promise<void> {
  await move(trx, await lockRequest(trx, caller, id), 'pend', actorOf(caller), { set: { template_id: null, template_body: null } })
}
