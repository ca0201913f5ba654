import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { move } from './move.js'
import type { Actor, RequestRow } from './request-row.js'

/**
 * Asks the vendor to drop a scheduled request, which is locked; confirm.ts does.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 */
export async function revokeRequest (trx: Transaction<Database>, request: RequestRow, actor: Actor, reason: string | null | undefined): Promise<RequestRow> {
  return move(trx, request, 'revoke', actor, { set: { reason: reason ?? '' } })
}
