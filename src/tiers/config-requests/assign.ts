import { sql, type Transaction } from 'kysely'
import { findAssignee, type Assignment } from '../../accounts/find-assignee.js'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { assertSide } from '../assert-side.js'
import { lockRequest, type Caller } from './request-row.js'
import { assertStatus, OPEN } from './transitions.js'

/**
 * Gives a request to one who works for the vendor: an API key, by its id or e-mail. Null: to nobody. Nobody named: to the caller.
 *
 * @throws Problem tier-config-request-not-found
 * @throws Problem wrong-side
 * @throws Problem illegal-transition  there is nothing left to do
 * @throws Problem validation-failed  the vendor has no such API key
 */
export async function assignRequest (trx: Transaction<Database>, caller: Caller, id: string, to: Assignment | null): Promise<void> {
  const { account_id, ...request } = await lockRequest(trx, caller, id)
  assertSide(caller, 'vendor')
  const verb = to === null ? 'unassign' : 'assign'
  assertStatus(request, verb, ['draft', ...OPEN])
  const assignee_id = to === null ? null : await findAssignee(trx, account_id, to) ?? caller.key_id
  await trx.updateTable('tier_config_requests').set({ assignee_id, updated_at: sql<Date>`now()` }).where('account_id', '=', account_id).where('id', '=', id).execute()
  await recordEvent(trx, { account_id, type: `tier_config_request.${verb}ed`, subject_id: id, actor: caller.key_id, data: { assignee_id } })
}
