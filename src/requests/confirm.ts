import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { giveBack } from './bindings.js'
import { move } from './move.js'
import type { Actor, RequestRow } from './request-row.js'

/**
 * Drops a locked request that the provider revoked. Its asset is as if it had failed, and what a pool gave is given back.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 */
export async function confirmRevocation (trx: Transaction<Database>, request: RequestRow, actor: Actor): Promise<RequestRow> {
  const revoked = await move(trx, request, 'confirm', actor)
  await giveBack(trx, revoked, actor)
  return revoked
}
