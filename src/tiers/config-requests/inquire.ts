import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { move } from './move.js'
import { actorOf, lockRequest, type Caller } from './request-row.js'
import { defaultTemplate } from './templates.js'

/**
 * Asks the provider again: it writes the parameters that have errors or are empty, and pends.
 *
 * @throws Problem tier-config-request-not-found
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 */
export async function inquireRequest (trx: Transaction<Database>, caller: Caller, id: string): Promise<void> {
  const request = await lockRequest(trx, caller, id)
  await move(trx, request, 'inquire', actorOf(caller), { set: await defaultTemplate(trx, request, 'inquire') })
}
