import { sql } from 'kysely'
import { seenBy, type Party } from '../accounts/seen-by.js'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import { conversationId } from './conversation-id.js'

/** Where nobody said it, the service did. */
const SERVICE = { id: '', name: 'Latchkey' }

const who = (id: string | null, name: string | null) => id === null ? SERVICE : { id, name: name ?? '' }

/** The conversations that a caller is a party to; the operator is none. */
export function conversationsSeenBy (db: Reader, caller: Party) {
  return db.selectFrom('conversations')
    .innerJoin('accounts as vendors', 'vendors.id', 'conversations.account_id')
    .innerJoin('accounts as providers', 'providers.id', 'conversations.provider_id')
    .leftJoin('api_keys as keys', 'keys.id', 'conversations.creator_id')
    .select([
      'conversations.account_id', 'conversations.id', 'conversations.instance_id', 'conversations.provider_id', 'conversations.topic', 'conversations.type',
      'conversations.status', 'conversations.creator_id', 'conversations.created_at', 'conversations.updated_at', 'vendors.name as vendor_name',
      'providers.name as provider_name', 'keys.name as creator_name',
    ])
    .where(caller.type === 'operator' ? sql<boolean>`false` : seenBy(caller, 'conversations'))
    .$narrowType<{ type: 'conversation' | 'notes', status: 'open' | 'closed' }>()
}

export type ConversationRow = Awaited<ReturnType<ReturnType<typeof conversationsSeenBy>['executeTakeFirstOrThrow']>>

/**
 * A conversation by its id, or by that of the request it is about.
 *
 * @throws Problem conversation-not-found
 */
export async function findConversation (db: Reader, caller: Party, id: string): Promise<ConversationRow> {
  const conversation = await conversationsSeenBy(db, caller).where('conversations.id', '=', conversationId(id)).executeTakeFirst()
  if (conversation === undefined) throw new Problem('conversation-not-found')
  return conversation
}

/** A conversation in Connect's shape. */
export function conversationBody (conversation: ConversationRow) {
  const { id, instance_id, topic, type, status, created_at, updated_at } = conversation
  return {
    id,
    instance_id,
    topic,
    type,
    status,
    accounts: [{ id: conversation.account_id, name: conversation.vendor_name }, { id: conversation.provider_id, name: conversation.provider_name }],
    creator: who(conversation.creator_id, conversation.creator_name),
    created: created_at,
    events: { created: { at: created_at }, updated: { at: updated_at } },
  }
}

/** The messages of a conversation, without the private ones of the other side. */
export function messagesSeenBy (db: Reader, caller: Party, { account_id, id }: Pick<ConversationRow, 'account_id' | 'id'>) {
  return db.selectFrom('messages')
    .leftJoin('accounts as authors', 'authors.id', 'messages.author_id')
    .leftJoin('api_keys as keys', 'keys.id', 'messages.creator_id')
    .select([
      'messages.id', 'messages.conversation_id', 'messages.author_id', 'messages.creator_id', 'messages.type', 'messages.text', 'messages.created_at', 'messages.updated_at',
      'authors.name as author_name', 'keys.name as creator_name',
    ])
    .where('messages.account_id', '=', account_id).where('messages.conversation_id', '=', id)
    .where((where) => where.or([where('messages.type', '<>', 'private'), where('messages.author_id', '=', caller.id)]))
    .$narrowType<{ type: 'message' | 'state_change' | 'private' }>()
}

export type MessageRow = Awaited<ReturnType<ReturnType<typeof messagesSeenBy>['executeTakeFirstOrThrow']>>

/** @throws Problem message-not-found */
export async function findMessage (db: Reader, caller: Party, conversation: Pick<ConversationRow, 'account_id' | 'id'>, id: string): Promise<MessageRow> {
  const message = await messagesSeenBy(db, caller, conversation).where('messages.id', '=', id).executeTakeFirst()
  if (message === undefined) throw new Problem('message-not-found')
  return message
}

/** A message in Connect's shape. */
export function messageBody ({ id, conversation_id, author_id, author_name, creator_id, creator_name, created_at, updated_at, text, type }: MessageRow) {
  return {
    id,
    conversation: conversation_id,
    account: who(author_id, author_name),
    creator: who(creator_id, creator_name),
    created: created_at,
    text,
    type,
    events: { created: { at: created_at }, updated: { at: updated_at } },
  }
}
