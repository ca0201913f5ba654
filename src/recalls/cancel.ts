import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'

interface Cancellation { account_id: string, recall_id: string, actor: string }

/**
 * Stops a recall after the chunk that is under way. What it did stays done: what was withdrawn or revoked does not come back, and what waits for stock
 * goes on waiting.
 *
 * @throws Problem recall-not-found
 * @throws Problem recall-over
 */
export async function cancelRecall (trx: Transaction<Database>, { account_id, recall_id, actor }: Cancellation): Promise<void> {
  const recall = await trx.selectFrom('recalls').select(['status', 'batch_id']).where('account_id', '=', account_id).where('id', '=', recall_id)
    .forUpdate().executeTakeFirst()
  if (recall === undefined) throw new Problem('recall-not-found')
  if (recall.status !== 'running') throw new Problem('recall-over', `it is ${recall.status}`)
  await trx.updateTable('recalls').set({ status: 'cancelled', finished_at: sql<Date>`now()` }).where('account_id', '=', account_id).where('id', '=', recall_id).execute()
  await recordEvent(trx, { account_id, type: 'batch.recall_cancelled', subject_id: recall.batch_id, actor, data: { recall_id } })
}
