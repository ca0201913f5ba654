import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { findMessage } from './find-message.js'
import { sendingType } from './trigger.js'
import type { WebhookId } from './secrets.js'

/**
 * Sends a message again, whatever became of it, under its id and with a schedule from the start; one that is being sent is left to that.
 * The caller calls wakeWorker() after the commit.
 *
 * @throws Problem webhook-not-found
 * @throws Problem webhook-not-sending
 * @throws Problem webhook-message-not-found
 */
export async function replayMessage (trx: Transaction<Database>, webhook: WebhookId & { actor: string }, message_id: string): Promise<void> {
  const { account_id, id, actor } = webhook
  await sendingType(trx, webhook)
  await findMessage(trx, webhook, message_id)
  const { numUpdatedRows } = await trx.updateTable('webhook_messages')
    .set(({ ref }) => ({ status: 'planned', next_attempt_at: sql<Date>`now()`, sent_at: null, attempts_before: ref('attempts') }))
    .where('account_id', '=', account_id).where('id', '=', message_id).where('status', '<>', 'sending').executeTakeFirst()
  if (numUpdatedRows === 0n) return
  await recordEvent(trx, { account_id, type: 'webhook.message_replayed', subject_id: id, actor, data: { message_id } })
}
