import type { InferResult } from 'kysely'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import { requestRowsSeenBy } from './request-row.js'

/** The tier configuration requests that a caller has a part in, with all that their list filters by. */
export function requestsSeenBy (db: Reader, caller: { id: string, type: string }) {
  return requestRowsSeenBy(db, caller)
    .innerJoin('products as d', (join) => join.onRef('d.account_id', '=', 'r.account_id').onRef('d.id', '=', 'r.product_id'))
    .innerJoin('connections as n', (join) => join.onRef('n.account_id', '=', 'c.account_id').onRef('n.id', '=', 'c.connection_id'))
    .innerJoin('tier_accounts as a', (join) => join.onRef('a.provider_id', '=', 'c.provider_id').onRef('a.id', '=', 'c.tier_account_id'))
    .leftJoin('hubs as ah', (join) => join.onRef('ah.provider_id', '=', 'a.provider_id').onRef('ah.id', '=', 'a.hub_id'))
    .leftJoin('marketplaces as m', (join) => join.onRef('m.provider_id', '=', 'c.provider_id').onRef('m.id', '=', 'c.marketplace_id'))
    .leftJoin('api_keys as u', (join) => join.onRef('u.account_id', '=', 'r.account_id').onRef('u.id', '=', 'r.assignee_id'))
    .leftJoin('product_templates as t', (join) => join.onRef('t.account_id', '=', 'r.account_id').onRef('t.id', '=', 'r.template_id'))
    .select(['u.name as assignee_name', 'u.email as assignee_email', 't.name as template_name'])
}
export type FoundRequest = InferResult<ReturnType<typeof requestsSeenBy>>[number]

/** @throws Problem tier-config-request-not-found */
export async function findRequest (db: Reader, caller: { id: string, type: string }, id: string): Promise<FoundRequest> {
  const row = await requestsSeenBy(db, caller).where('r.id', '=', id).executeTakeFirst()
  if (row === undefined) throw new Problem('tier-config-request-not-found')
  return row
}
