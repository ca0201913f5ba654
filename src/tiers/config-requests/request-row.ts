import type { InferResult, Transaction } from 'kysely'
import type { Database, Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import type { Actor, Status } from './transitions.js'

/** Who calls: an account, by one of its API keys. */
export interface Caller { id: string, type: 'operator' | 'vendor' | 'provider', key_id: string }

/** The side of a caller; an operator has no requests, so none of its calls comes so far as to move one. */
export function actorOf ({ type, key_id }: Caller): Actor {
  return { side: type === 'provider' ? 'provider' : 'vendor', key_id }
}

/** Tier configuration requests with what their configuration is of. Aliases: `r` the request, `c` its configuration. */
function requestRows (db: Reader) {
  return db.selectFrom('tier_config_requests as r')
    .innerJoin('tier_configs as c', (join) => join.onRef('c.account_id', '=', 'r.account_id').onRef('c.id', '=', 'r.tier_config_id'))
    .selectAll('r').select(['c.tier_account_id', 'c.connection_id'])
    .select((row) => [
      row.ref('c.tier_level').$castTo<1 | 2>().as('tier_level'),
      row.ref('r.status').$castTo<Status>().as('status'),
      row.ref('r.type').$castTo<'setup' | 'update' | 'adjustment'>().as('type'),
      row.ref('r.environment').$castTo<'production' | 'test' | 'preview'>().as('environment'),
    ])
}
export type RequestRow = InferResult<ReturnType<typeof requestRows>>[number]

/** Those that a caller has a part in. */
export function requestRowsSeenBy (db: Reader, caller: { id: string, type: string }) {
  return requestRows(db).where(caller.type === 'provider' ? 'r.provider_id' : 'r.account_id', '=', caller.id)
}

/**
 * Locks the configuration of a request and then the request until the caller's transaction ends: whoever moves either comes through here.
 *
 * @throws Problem tier-config-request-not-found
 */
export async function lockRequest (trx: Transaction<Database>, caller: { id: string, type: string }, id: string): Promise<RequestRow> {
  await requestRowsSeenBy(trx, caller).where('r.id', '=', id).forNoKeyUpdate('c').execute()
  const request = await requestRowsSeenBy(trx, caller).where('r.id', '=', id).forNoKeyUpdate('r').executeTakeFirst()
  if (request === undefined) throw new Problem('tier-config-request-not-found')
  return request
}

/** Likewise for the service's own work, by the vendor's account. */
export async function lockOwnRequest (trx: Transaction<Database>, account_id: string, id: string): Promise<RequestRow> {
  return lockRequest(trx, { id: account_id, type: 'vendor' }, id)
}
