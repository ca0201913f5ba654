import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { giveBack } from './bindings.js'
import { move } from './move.js'
import type { Actor, RequestRow } from './request-row.js'

/**
 * Fails a locked request. Its asset is as it was before, a purchase's is terminated, and what a pool gave is given back. The reason
 * may be empty: Connect's SDK sends none where its caller has none.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 */
export async function failRequest (trx: Transaction<Database>, request: RequestRow, actor: Actor, reason: string | null | undefined): Promise<RequestRow> {
  const failed = await move(trx, request, 'fail', actor, { set: { reason: reason ?? '' } })
  await giveBack(trx, failed, actor)
  return failed
}
