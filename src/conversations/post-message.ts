import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import type { ConversationRow } from './find.js'

/** Who writes: an account, with one of its API keys. */
export interface Author { id: string, key_id: string }

/**
 * Adds a message to a conversation that the author is a party to, and returns its id.
 *
 * @throws Problem conversation-closed
 */
export async function postMessage (
  trx: Transaction<Database>, { account_id, id: conversation_id, instance_id, status }: ConversationRow, message: { text: string, type: 'message' | 'private' }, author: Author
): Promise<string> {
  if (status === 'closed') throw new Problem('conversation-closed')
  const { id } = await trx.insertInto('messages')
    .values({ account_id, conversation_id, author_id: author.id, creator_id: author.key_id, ...message }).returning('id').executeTakeFirstOrThrow()
  await recordEvent(trx, {
    account_id: author.id, type: 'message.posted', subject_id: id, actor: author.key_id, data: { conversation_id, instance_id, type: message.type },
  })
  return id
}
