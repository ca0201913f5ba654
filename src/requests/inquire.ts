import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Keyring } from '../sealing.js'
import { move } from './move.js'
import type { Actor, RequestRow } from './request-row.js'
import type { Inquiry } from './bodies/schema.js'
import { inquiringTexts } from './texts.js'
import { findMove } from './transitions.js'

/**
 * Asks the buyer of a locked request for better values: which those are, value errors say. There is a new inquiry form.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 * @throws Problem validation-failed  there is no such template
 */
export async function inquireRequest (
  trx: Transaction<Database>, keyring: Keyring, request: RequestRow, actor: Actor, inquiry: Inquiry = {}
): Promise<RequestRow> {
  findMove(request, 'inquire', actor.side)
  return move(trx, request, 'inquire', actor, { set: { answered: false, ...await inquiringTexts(trx, keyring, request, inquiry) } })
}
