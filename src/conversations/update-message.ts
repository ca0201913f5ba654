import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import type { ConversationRow, MessageRow } from './find.js'
import type { Author } from './post-message.js'

/**
 * Gives a message another text.
 *
 * @throws Problem forbidden  it is the other side's or the service's, or tells a change of state
 * @throws Problem conversation-closed
 */
export async function updateMessage (
  trx: Transaction<Database>, { account_id, status }: ConversationRow, { id, conversation_id, author_id, type }: MessageRow, text: string, author: Author
): Promise<void> {
  if (author_id !== author.id || type === 'state_change') throw new Problem('forbidden', 'only its author changes a message, and nobody what tells a change of state')
  if (status === 'closed') throw new Problem('conversation-closed')
  await trx.updateTable('messages').set({ text, updated_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('conversation_id', '=', conversation_id).where('id', '=', id).execute()
  await recordEvent(trx, { account_id: author.id, type: 'message.updated', subject_id: id, actor: author.key_id, data: { conversation_id } })
}
