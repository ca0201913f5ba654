import type { Transaction } from 'kysely'
import { findAssignee } from '../accounts/find-assignee.js'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { updateRequestRow, type Actor, type RequestRow } from './request-row.js'
import type { Assignment } from './bodies/schema.js'
import { assertSide, assertStatus, OPEN } from './transitions.js'

/**
 * Gives a locked request to one who works for the vendor: an API key, by its id or e-mail. Null: to nobody. Nobody named: to the caller.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition  there is nothing left to do
 * @throws Problem validation-failed  the vendor has no such API key
 */
export async function assignRequest (trx: Transaction<Database>, request: RequestRow, actor: Actor, to: Assignment | null): Promise<RequestRow> {
  const verb = to === null ? 'unassign' : 'assign'
  assertSide(verb, actor.side, ['vendor'])
  assertStatus(request, verb, ['draft', ...OPEN])
  const { account_id, id } = request
  const assignee_id = to === null ? null : await findAssignee(trx, account_id, to) ?? actor.key_id
  if (assignee_id === request.assignee_id) return request
  await recordEvent(trx, { account_id, type: `request.${verb}ed`, subject_id: id, actor: actor.key_id, data: { assignee_id } })
  return updateRequestRow(trx, request, { assignee_id })
}
