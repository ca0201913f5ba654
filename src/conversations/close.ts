import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import type { ConversationRow } from './find.js'

/** Ends a conversation: nobody writes to it any more, and changes of state are still noted. Again is no error. */
export async function closeConversation (trx: Transaction<Database>, { account_id, id }: Pick<ConversationRow, 'account_id' | 'id'>, actor: string): Promise<void> {
  const { numUpdatedRows } = await trx.updateTable('conversations').set({ status: 'closed', updated_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('id', '=', id).where('status', '=', 'open').executeTakeFirst()
  if (numUpdatedRows === 1n) await recordEvent(trx, { account_id, type: 'conversation.closed', subject_id: id, actor })
}
