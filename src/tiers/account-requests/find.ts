import type { InferResult } from 'kysely'
import type { Static } from 'typebox'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import { versionDocuments } from '../accounts/find-versions.js'
import type { TierAccountRequest } from './schema.js'

interface Caller { id: string, type: string }
type Document = Static<typeof TierAccountRequest>

/** The tier account requests of a caller: a vendor those to it, a provider those about its accounts. */
export function accountRequestsSeenBy (db: Reader, caller: Caller) {
  return db.selectFrom('tier_account_requests as r')
    .innerJoin('products as d', (join) => join.onRef('d.account_id', '=', 'r.account_id').onRef('d.id', '=', 'r.product_id'))
    .innerJoin('accounts as vendor', 'vendor.id', 'r.account_id')
    .innerJoin('accounts as provider', 'provider.id', 'r.provider_id')
    .innerJoin('tier_accounts as a', (join) => join.onRef('a.provider_id', '=', 'r.provider_id').onRef('a.id', '=', 'r.tier_account_id'))
    .leftJoin('hubs as h', (join) => join.onRef('h.provider_id', '=', 'a.provider_id').onRef('h.id', '=', 'a.hub_id'))
    .select(['r.account_id', 'r.id', 'r.provider_id', 'r.tier_account_id', 'r.version', 'r.reason', 'r.created_at', 'r.updated_at'])
    .select(['r.product_id', 'd.name as product_name', 'd.icon as product_icon', 'd.status as product_status', 'vendor.name as vendor_name', 'provider.name as provider_name'])
    .select((row) => row.ref('r.status').$castTo<Document['status']>().as('status'))
    .where(caller.type === 'provider' ? 'r.provider_id' : 'r.account_id', '=', caller.id)
}

/** Tier account requests as clients read them, in their order; one statement for all their accounts. */
export async function accountRequestDocuments (db: Reader, rows: InferResult<ReturnType<typeof accountRequestsSeenBy>>): Promise<Document[]> {
  const accounts = await versionDocuments(db, rows)
  return rows.map((row) => ({
    id: row.id,
    type: 'update' as const,
    status: row.status,
    account: accounts.get(`${row.provider_id}/${row.tier_account_id}/${row.version}`)!,
    vendor: { id: row.account_id, name: row.vendor_name },
    provider: { id: row.provider_id, name: row.provider_name },
    product: { id: row.product_id, icon: row.product_icon, name: row.product_name, status: row.product_status },
    reason: row.reason,
    events: { created: { at: row.created_at }, updated: { at: row.updated_at } },
  }))
}

/**
 * One tier account request that the caller may see.
 *
 * @throws Problem tier-account-request-not-found
 */
export async function findAccountRequest (db: Reader, caller: Caller, id: string): Promise<Document> {
  const [document] = await accountRequestDocuments(db, await accountRequestsSeenBy(db, caller).where('r.id', '=', id).limit(1).execute())
  if (document === undefined) throw new Problem('tier-account-request-not-found')
  return document
}
