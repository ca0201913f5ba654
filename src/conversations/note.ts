import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { conversationId } from './conversation-id.js'

/** What a conversation is about: a request, by its id. `actor`: the API key that caused it, null or absent for the service itself. */
export interface Note { account_id: string, instance_id: string, text: string, actor?: string | null | undefined }

/**
 * Opens the conversation about a request, in the transaction that makes the request, and returns its id. Both sides see it.
 * `account_id`: the vendor; `topic`: what lists show of it.
 */
export async function openConversation (
  trx: Transaction<Database>, { account_id, provider_id, instance_id, topic, actor = null }: Omit<Note, 'text'> & { provider_id: string, topic: string }
): Promise<string> {
  const id = conversationId(instance_id)
  await trx.insertInto('conversations').values({ account_id, id, instance_id, provider_id, topic, creator_id: actor }).execute()
  return id
}

/** Notes a change of state in the conversation about a request, in the transaction of the change. The text holds no key and no parameter. */
export async function noteStateChange (trx: Transaction<Database>, note: Note): Promise<void> {
  await addNote(trx, 'state_change', note)
}

/** Says something to both sides in the conversation about a request, in the service's own name unless there is an actor. Likewise without keys. */
export async function noteMessage (trx: Transaction<Database>, note: Note): Promise<void> {
  await addNote(trx, 'message', note)
}

async function addNote (trx: Transaction<Database>, type: 'state_change' | 'message', { account_id, instance_id, text, actor = null }: Note): Promise<void> {
  const { numAffectedRows } = await sql`
    insert into messages (account_id, conversation_id, author_id, creator_id, type, text)
    select c.account_id, c.id, (select k.account_id from api_keys k where k.id = ${actor}), ${actor}, ${type}, ${text}
    from conversations c where c.account_id = ${account_id} and c.instance_id = ${instance_id}`.execute(trx)
  if (numAffectedRows !== 1n) throw new Error(`there is no conversation about ${instance_id}`)
}
