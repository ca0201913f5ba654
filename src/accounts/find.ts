import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'

export interface AccountRow { id: string, name: string, type: string, created_at: Date }

/** An account in Connect's shape. */
export function accountBody ({ id, name, type, created_at }: AccountRow) {
  return { id, name, type: type as 'operator' | 'vendor' | 'provider', events: { created: { at: created_at } } }
}

/**
 * One account.
 *
 * @throws Problem account-not-found
 */
export async function findAccount (db: Reader, id: string): Promise<AccountRow> {
  const account = await db.selectFrom('accounts').select(['id', 'name', 'type', 'created_at']).where('id', '=', id).executeTakeFirst()
  if (account === undefined) throw new Problem('account-not-found')
  return account
}

export const API_KEY_COLUMNS = ['id', 'account_id', 'name', 'permissions', 'created_at', 'expires_at', 'revoked_at'] as const

/**
 * One API key, without its secret, which nobody has. `account_id` undefined: of any account (the operator asks).
 *
 * @throws Problem api-key-not-found
 */
export async function findApiKey (db: Reader, account_id: string | undefined, id: string) {
  let query = db.selectFrom('api_keys').select(API_KEY_COLUMNS).where('id', '=', id)
  if (account_id !== undefined) query = query.where('account_id', '=', account_id)
  const key = await query.executeTakeFirst()
  if (key === undefined) throw new Problem('api-key-not-found')
  return key
}
