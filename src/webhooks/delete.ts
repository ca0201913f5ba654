import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import type { WebhookId } from './secrets.js'

/**
 * Ends a webhook and forgets its secrets. What is planned for it is not sent any more, and purged later.
 *
 * @throws Problem webhook-not-found
 */
export async function deleteWebhook (trx: Transaction<Database>, { account_id, id, actor }: WebhookId & { actor: string }): Promise<void> {
  const { numUpdatedRows } = await trx.updateTable('webhooks')
    .set({ deleted_at: sql<Date>`now()`, sealed_jwt_secret: null, sealed_headers: null, header_names: [] })
    .where('account_id', '=', account_id).where('id', '=', id).where('deleted_at', 'is', null).executeTakeFirst()
  if (numUpdatedRows === 0n) throw new Problem('webhook-not-found')
  await trx.deleteFrom('webhook_secrets').where('account_id', '=', account_id).where('webhook_id', '=', id).execute()
  await recordEvent(trx, { account_id, type: 'webhook.deleted', subject_id: id, actor })
}
