import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { RequestChange } from './bodies/schema.js'
import { openDraft } from './open.js'
import type { Actor, RequestRow, Service } from './request-row.js'
import { findMove } from './transitions.js'
import { updateRequest } from './update.js'

/**
 * Asks for a locked draft of a follow-up, as it is after what came with the call: Connect's clients send the request along.
 *
 * @throws Problem wrong-side, illegal-transition, validation-failed, request-open  as updateRequest and openDraft
 */
export async function submitRequest (
  trx: Transaction<Database>, service: Service, request: RequestRow, actor: Actor, change: RequestChange
): Promise<RequestRow> {
  findMove(request, 'submit', actor.side)
  return openDraft(trx, service, await updateRequest(trx, service, request, actor, change), 'submit', actor)
}
