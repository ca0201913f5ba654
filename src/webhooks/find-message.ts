import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { AttemptWords, MessageWords } from './schema.js'
import type { WebhookId } from './secrets.js'

/** The messages of a webhook, in no order: for a list to narrow. The webhook is known to be the account's. */
export function messagesOf (db: Reader, { account_id, id }: WebhookId) {
  return db.selectFrom('webhook_messages').select(['id', 'kind', 'event', 'data', 'status', 'attempts', 'next_attempt_at', 'last_error', 'created_at', 'sent_at'])
    .where('account_id', '=', account_id).where('webhook_id', '=', id).$narrowType<MessageWords>()
}

/**
 * One message with every try.
 *
 * @throws Problem webhook-message-not-found
 */
export async function findMessage (db: Reader, webhook: WebhookId, message_id: string) {
  const message = await messagesOf(db, webhook).where('id', '=', message_id).executeTakeFirst()
  if (message === undefined) throw new Problem('webhook-message-not-found')
  const attempts = await db.selectFrom('webhook_attempts')
    .select(['attempt', 'started_at', 'finished_at', 'outcome', 'status_code', 'duration_ms', 'response', 'error'])
    .where('account_id', '=', webhook.account_id).where('message_id', '=', message_id).orderBy('attempt').$narrowType<AttemptWords>().execute()
  return { ...message, attempt_log: attempts }
}
