import { sql, type Kysely } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import { open, type Keyring } from '../sealing.js'
import type { SourceOptions } from './checkout.js'
import type { CheckoutKind } from './checkouts.js'

interface Words { kind: CheckoutKind, mode: 'live' | 'test', options: Omit<SourceOptions, 'has_api_key'> }

/** The payment sources of an account, in no order: for a list to narrow. Never a secret. */
export function sourcesOf (db: Kysely<Database>, account_id: string) {
  return db.selectFrom('payment_sources').select(['id', 'kind', 'name', 'mode', 'options', 'created_at', 'updated_at'])
    .select(sql<boolean>`sealed_api_key is not null`.as('has_api_key'))
    .where('account_id', '=', account_id).where('deleted_at', 'is', null).$narrowType<Words>()
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

/** A source as its events are read by. */
export interface Source { account_id: string, id: string, kind: CheckoutKind, mode: 'live' | 'test', options: SourceOptions }

/** A source as its webhooks need it: looked up by its id alone, which is the only account they name. */
export interface OpenSource extends Source { secrets: string[] }

/** The context that a secret of a source is sealed with: a signing secret's under that secret's id, the key to the checkout's API under `api_key`. */
export function secretContext (account_id: string, source_id: string, id: string): string[] {
  return ['payment-source', account_id, source_id, id]
}

/** @throws Problem payment-source-not-found */
export async function openSource (db: Reader, keyring: Keyring, id: string): Promise<OpenSource> {
  const rows = await db.selectFrom('payment_sources as s').innerJoin('payment_source_secrets as k', (join) => join
    .onRef('k.account_id', '=', 's.account_id').onRef('k.source_id', '=', 's.id'))
    .select(['s.account_id', 's.id', 's.kind', 's.mode', 's.options', 'k.id as secret_id', 'k.sealed'])
    .select(sql<boolean>`s.sealed_api_key is not null`.as('has_api_key'))
    .where('s.id', '=', id).where('s.deleted_at', 'is', null)
    .where(({ or, eb, fn }) => or([eb('k.expires_at', 'is', null), eb('k.expires_at', '>', fn<Date>('now'))]))
    .$narrowType<Words>().execute()
  const [first] = rows
  if (first === undefined) throw new Problem('payment-source-not-found')
  const { account_id, kind, mode, options, has_api_key } = first
  const secrets = rows.map((row) => open(keyring, secretContext(account_id, id, row.secret_id), row.sealed).toString())
  return { account_id, id, kind, mode, options: { ...options, has_api_key }, secrets }
}

/** A source of an event that is stored, also one that was deleted since, and the opened key to its checkout's API. */
export async function sourceOfStored (db: Reader, keyring: Keyring, account_id: string, id: string): Promise<Source & { api_key: string | undefined }> {
  const { kind, mode, options, sealed_api_key } = await db.selectFrom('payment_sources').select(['kind', 'mode', 'options', 'sealed_api_key'])
    .where('account_id', '=', account_id).where('id', '=', id).$narrowType<Words>().executeTakeFirstOrThrow()
  const api_key = sealed_api_key === null ? undefined : open(keyring, secretContext(account_id, id, 'api_key'), sealed_api_key).toString()
  return { account_id, id, kind, mode, options: { ...options, has_api_key: api_key !== undefined }, api_key }
}
