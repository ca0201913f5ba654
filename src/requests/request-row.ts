import { sql, type Selectable, type Transaction, type Updateable } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import type { AssetStatus, RequestType, Side, Status } from './transitions.js'

// The CHECKs of the columns say so; the generated types only know that it is text.
export interface Words { type: RequestType, status: Status, asset_status: AssetStatus | null }
export type RequestRow = Omit<Selectable<Database['requests']>, keyof Words> & Words
export type AssetRow = Omit<Selectable<Database['assets']>, 'status'> & { status: AssetStatus }

/** Who calls: an account, by one of its API keys. */
export interface Caller { id: string, type: 'operator' | 'vendor' | 'provider', key_id: string }
/** Who moves a request; `key_id` is null for the service itself, and for a buyer with an inquiry form. */
export interface Actor { side: Side, key_id: string | null }
/** What the verbs need of the service beside the database. */
export interface Service { keyring: Keyring, public_url: string }

export const SERVICE: Actor = { side: 'service', key_id: null }

/** The side of a caller; an operator has no requests, so none of its calls comes so far as to move one. */
export function actorOf ({ type, key_id }: Caller): Actor {
  return { side: type === 'provider' ? 'provider' : 'vendor', key_id }
}

/** The requests that a caller has a part in, in no order: for a list to narrow. */
export function requestsOf (db: Reader, caller: Caller) {
  return db.selectFrom('requests').selectAll('requests').$narrowType<Words>()
    .where(caller.type === 'provider' ? 'requests.provider_id' : 'requests.account_id', '=', caller.id)
}

/** @throws Problem request-not-found */
export async function findRequest (db: Reader, caller: Caller, id: string): Promise<RequestRow> {
  const request = await requestsOf(db, caller).where('requests.id', '=', id).executeTakeFirst()
  if (request === undefined) throw new Problem('request-not-found')
  return request
}

/**
 * Locks a request and then its asset until the caller's transaction ends: whoever moves either comes through here first.
 *
 * @throws Problem request-not-found
 */
export async function lockRequest (trx: Transaction<Database>, caller: Caller, id: string): Promise<RequestRow> {
  const request = await requestsOf(trx, caller).where('requests.id', '=', id).forNoKeyUpdate().executeTakeFirst()
  if (request === undefined) throw new Problem('request-not-found')
  await lockAsset(trx, request.account_id, request.asset_id)
  return request
}

/** Likewise for the service's own work. Undefined: it is gone. */
export async function lockOwnRequest (trx: Transaction<Database>, account_id: string, id: string): Promise<RequestRow | undefined> {
  const request = await trx.selectFrom('requests').selectAll().where('account_id', '=', account_id).where('id', '=', id)
    .forNoKeyUpdate().$narrowType<Words>().executeTakeFirst()
  if (request !== undefined) await lockAsset(trx, account_id, request.asset_id)
  return request
}

/** The asset, locked. */
export async function lockAsset (trx: Transaction<Database>, account_id: string, id: string): Promise<AssetRow> {
  return trx.selectFrom('assets').selectAll().where('account_id', '=', account_id).where('id', '=', id)
    .forNoKeyUpdate().$narrowType<{ status: AssetStatus }>().executeTakeFirstOrThrow()
}

/** Writes columns of a locked request, and that it was updated. */
export async function updateRequestRow (
  trx: Transaction<Database>, { account_id, id }: Pick<RequestRow, 'account_id' | 'id'>, set: Updateable<Database['requests']>
): Promise<RequestRow> {
  return trx.updateTable('requests').set(set).set({ updated_at: sql<Date>`now()` }).where('account_id', '=', account_id).where('id', '=', id)
    .returningAll().$narrowType<Words>().executeTakeFirstOrThrow()
}
