import { sql, type Transaction } from 'kysely'
import { noteStateChange } from '../../conversations/note.js'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { Problem } from '../../problems.js'
import { tellAccountRequest } from './tell.js'

export interface Answer { account_id: string, id: string, status: 'accepted' | 'ignored', reason?: string | undefined }

/**
 * A vendor takes note of a changed tier account, or ignores it. Either way the account stays as its provider has it.
 *
 * @throws Problem tier-account-request-not-found
 * @throws Problem tier-account-request-closed  it is not pending
 */
export async function answerAccountRequest (trx: Transaction<Database>, { account_id, id, status, reason = '' }: Answer, actor: string): Promise<void> {
  const answered = await trx.updateTable('tier_account_requests').set({ status, reason, updated_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('id', '=', id).where('status', '=', 'pending').returning(['provider_id', 'product_id']).executeTakeFirst()
  if (answered === undefined) throw await whyNot(trx, account_id, id)
  await recordEvent(trx, { account_id, type: `tier_account_request.${status}`, subject_id: id, actor, data: reason === '' ? {} : { reason } })
  await noteStateChange(trx, { account_id, instance_id: id, text: `pending → ${status}`, actor })
  await tellAccountRequest(trx, { account_id, id, ...answered, status })
}

async function whyNot (trx: Transaction<Database>, account_id: string, id: string): Promise<Problem> {
  const known = await trx.selectFrom('tier_account_requests').select('status').where('account_id', '=', account_id).where('id', '=', id).executeTakeFirst()
  if (known === undefined) return new Problem('tier-account-request-not-found')
  return new Problem('tier-account-request-closed', { detail: `${id} is ${known.status}, not pending`, params: { status: known.status } })
}
