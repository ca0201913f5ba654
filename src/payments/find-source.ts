import type { Kysely } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import { open, type Keyring } from '../sealing.js'
import type { CheckoutKind } from './checkouts.js'

/** The payment sources of an account, in no order: for a list to narrow. Never a secret. */
export function sourcesOf (db: Kysely<Database>, account_id: string) {
  return db.selectFrom('payment_sources').select(['id', 'kind', 'name', 'mode', 'created_at', 'updated_at'])
    .where('account_id', '=', account_id).where('deleted_at', 'is', null).$narrowType<{ kind: CheckoutKind, mode: 'live' | 'test' }>()
}

/**
 * One payment source.
 *
 * @throws Problem payment-source-not-found
 */
export async function findSource (db: Kysely<Database>, account_id: string, id: string) {
  const source = await sourcesOf(db, account_id).where('id', '=', id).executeTakeFirst()
  if (source === undefined) throw new Problem('payment-source-not-found')
  return source
}

/** A source as its webhooks need it: looked up by its id alone, which is the only account they name. */
export interface OpenSource { account_id: string, id: string, kind: CheckoutKind, mode: 'live' | 'test', secrets: string[] }

/** The context that a signing secret is sealed with. */
export function secretContext (account_id: string, source_id: string, id: string): string[] {
  return ['payment-source', account_id, source_id, id]
}

/** @throws Problem payment-source-not-found */
export async function openSource (db: Reader, keyring: Keyring, id: string): Promise<OpenSource> {
  const rows = await db.selectFrom('payment_sources as s').innerJoin('payment_source_secrets as k', (join) => join
    .onRef('k.account_id', '=', 's.account_id').onRef('k.source_id', '=', 's.id'))
    .select(['s.account_id', 's.id', 's.kind', 's.mode', 'k.id as secret_id', 'k.sealed'])
    .where('s.id', '=', id).where('s.deleted_at', 'is', null)
    .where(({ or, eb, fn }) => or([eb('k.expires_at', 'is', null), eb('k.expires_at', '>', fn<Date>('now'))]))
    .$narrowType<{ kind: CheckoutKind, mode: 'live' | 'test' }>().execute()
  const [first] = rows
  if (first === undefined) throw new Problem('payment-source-not-found')
  const { account_id, kind, mode } = first
  return { account_id, id, kind, mode, secrets: rows.map((row) => open(keyring, secretContext(account_id, id, row.secret_id), row.sealed).toString()) }
}
