import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { ParamWrite } from '../parameters/schema.js'
import type { Keyring } from '../sealing.js'
import { move } from './move.js'
import { proceedPending } from './proceed.js'
import type { Actor, RequestRow } from './request-row.js'
import { pendingTexts } from './texts.js'
import { findMove } from './transitions.js'
import { writeParams } from './write-params.js'

/**
 * Makes a locked request pending again: after an inquiry, with what the buyer answered, or before its planned date. Goes through before the values
 * are right, since vendors' programs pend first and write afterwards.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 * @throws Problem validation-failed  of the answers
 */
export async function pendRequest (
  trx: Transaction<Database>, keyring: Keyring, request: RequestRow, actor: Actor, answers: readonly ParamWrite[] = []
): Promise<RequestRow> {
  findMove(request, 'pend', actor.side)
  const written = await writeParams(trx, keyring, request, actor, answers)
  const answered = request.answered || written.length > 0
  const pending = await move(trx, request, 'pend', actor, { set: { answered, ...await pendingTexts(trx, request) } })
  return proceedPending(trx, keyring, pending, actor)
}
