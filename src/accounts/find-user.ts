import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'

/** The users of an account, as Connect calls them: its API keys that are neither revoked nor expired. */
export function usersOf (db: Reader, account_id: string) {
  return db.selectFrom('api_keys').select(['id', 'name', 'email', 'created_at']).where('account_id', '=', account_id)
    .where('revoked_at', 'is', null).where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', sql<Date>`now()`)]))
}

/** @throws Problem api-key-not-found */
export async function findUser (db: Reader, account_id: string, id: string): Promise<UserRow> {
  const user = await usersOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (user === undefined) throw new Problem('api-key-not-found')
  return user
}

interface UserRow { id: string, name: string, email: string | null, created_at: Date }

/** A user in Connect's shape. */
export function userBody ({ id, name, email, created_at }: UserRow) {
  return { id, name, email: email ?? '', type: 'service' as const, events: { created: { at: created_at } } }
}
