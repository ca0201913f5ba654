import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { AccountType } from './create-account.js'

type AccountRow = Awaited<ReturnType<ReturnType<typeof accountsSeenBy>['executeTakeFirstOrThrow']>>

/** An account in Connect's shape. */
export function accountBody ({ created_at, ...account }: AccountRow) {
  return { ...account, events: { created: { at: created_at } } }
}

/**
 * One account that the caller may see.
 *
 * @throws Problem account-not-found
 */
export async function findAccount (db: Reader, caller: { id: string, type: string }, id: string): Promise<AccountRow> {
  const account = await accountsSeenBy(db, caller).where('id', '=', id).executeTakeFirst()
  if (account === undefined) throw new Problem('account-not-found')
  return account
}

const API_KEY_COLUMNS = ['id', 'account_id', 'name', 'email', 'permissions', 'created_at', 'expires_at', 'revoked_at'] as const

/**
 * One API key that the caller may see, without its secret, which nobody has.
 *
 * @throws Problem api-key-not-found
 */
export async function findApiKey (db: Reader, caller: { id: string, type: string }, id: string) {
  const key = await apiKeysSeenBy(db, caller).where('id', '=', id).executeTakeFirst()
  if (key === undefined) throw new Problem('api-key-not-found')
  return key
}

/** The accounts that a caller may see: the operator all, anybody else its own. */
export function accountsSeenBy (db: Reader, { id, type }: { id: string, type: string }) {
  const accounts = db.selectFrom('accounts').select(['id', 'name', 'type', 'brand', 'external_id', 'countries', 'created_at']).$narrowType<{ type: AccountType }>()
  return type === 'operator' ? accounts : accounts.where('id', '=', id)
}

/** Likewise the API keys. */
export function apiKeysSeenBy (db: Reader, { id, type }: { id: string, type: string }) {
  const keys = db.selectFrom('api_keys').select(API_KEY_COLUMNS)
  return type === 'operator' ? keys : keys.where('account_id', '=', id)
}
