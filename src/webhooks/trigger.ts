import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import type { WebhookId } from './secrets.js'

/** The event of a message that the owner asked for: it tells no change. */
export const TRIGGERED = 'webhook.triggered'

/**
 * The type of a webhook that can send now.
 *
 * @throws Problem webhook-not-found
 * @throws Problem webhook-not-sending
 */
export async function sendingType (trx: Transaction<Database>, { account_id, id }: WebhookId): Promise<'event' | 'change' | 'noventiq'> {
  const found = await trx.selectFrom('webhooks').select(['type', 'active']).where('account_id', '=', account_id).where('id', '=', id)
    .where('deleted_at', 'is', null).executeTakeFirst()
  if (found === undefined) throw new Problem('webhook-not-found')
  if (found.type !== 'event' && found.type !== 'change' && found.type !== 'noventiq') throw new Problem('webhook-not-sending', `type ${found.type} is called while a draft is checked, and only then`)
  if (!found.active) throw new Problem('webhook-not-sending', 'it is inactive; set active to true')
  return found.type
}

/**
 * Makes a webhook call its URL now: a signal, the planned one where there is one, or a message `webhook.triggered`.
 * The caller calls wakeWorker() after the commit.
 *
 * @throws Problem webhook-not-found
 * @throws Problem webhook-not-sending  it is inactive, or of a validating type
 */
export async function triggerWebhook (trx: Transaction<Database>, webhook: WebhookId & { actor: string }): Promise<void> {
  const { account_id, id, actor } = webhook
  const type = await sendingType(trx, webhook)
  if (type === 'noventiq') throw new Problem('webhook-not-sending', 'type noventiq has no call without an order; place one of mode test')
  const { numUpdatedRows } = await trx.updateTable('webhook_messages').set({ next_attempt_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('webhook_id', '=', id).where('kind', '=', 'signal').where('status', '=', 'planned').executeTakeFirst()
  if (numUpdatedRows === 0n) {
    await trx.insertInto('webhook_messages')
      .values({ account_id, webhook_id: id, kind: type === 'event' ? 'signal' : 'change', event: TRIGGERED, data: JSON.stringify({ webhook_id: id }) }).execute()
  }
  await recordEvent(trx, { account_id, type: TRIGGERED, subject_id: id, actor })
}
