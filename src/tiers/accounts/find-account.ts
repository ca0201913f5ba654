import { sql, type InferResult } from 'kysely'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import type { TierDocument, TierScope } from './schema.js'

/** Every tier account with its owner, parent and hub; deleted ones too. Aliases: `a` the account, `o`, `p`, `h` those. */
export function accountsQuery (db: Reader) {
  return db.selectFrom('tier_accounts as a')
    .innerJoin('accounts as o', 'o.id', 'a.provider_id')
    .leftJoin('tier_accounts as p', (join) => join.onRef('p.provider_id', '=', 'a.provider_id').onRef('p.id', '=', 'a.parent_id'))
    .leftJoin('hubs as h', (join) => join.onRef('h.provider_id', '=', 'a.provider_id').onRef('h.id', '=', 'a.hub_id'))
    .select(['a.provider_id', 'a.id', 'a.version', 'a.name', 'a.external_id', 'a.external_uid', 'a.tax_id', 'a.parent_id', 'a.hub_id', 'a.created_at', 'a.updated_at'])
    .select(['o.name as owner_name', 'p.name as parent_name', 'p.external_id as parent_external_id', 'h.name as hub_name'])
    .select((row) => [
      row.ref('a.type').$castTo<TierDocument['type']>().as('type'),
      row.ref('a.environment').$castTo<TierDocument['environment']>().as('environment'),
      row.ref('a.scopes').$castTo<TierScope[]>().as('scopes'),
      row.ref('a.contact_info').$castTo<TierDocument['contact_info']>().as('contact_info'),
    ])
}
export type AccountRow = InferResult<ReturnType<typeof accountsQuery>>[number]

/** The tier accounts that a caller may see: a provider its own, a vendor those of its assets, configurations and account requests. */
export function accountsSeenBy (db: Reader, caller: { id: string, type: string }) {
  const seen = caller.type === 'provider'
    ? sql<boolean>`a.provider_id = ${caller.id}`
    : sql<boolean>`(
      exists (select from assets s where s.provider_id = a.provider_id and s.customer_id = a.id and s.account_id = ${caller.id} and s.status <> 'draft')
      or exists (select from assets s where s.provider_id = a.provider_id and s.tier1_id = a.id and s.account_id = ${caller.id} and s.status <> 'draft')
      or exists (select from assets s where s.provider_id = a.provider_id and s.tier2_id = a.id and s.account_id = ${caller.id} and s.status <> 'draft')
      or exists (select from tier_configs c where c.provider_id = a.provider_id and c.tier_account_id = a.id and c.account_id = ${caller.id})
      or exists (select from tier_account_requests r where r.provider_id = a.provider_id and r.tier_account_id = a.id and r.account_id = ${caller.id}))`
  return accountsQuery(db).where('a.deleted_at', 'is', null).where(seen)
}

/** A tier account as clients read it. */
export function accountBody (row: AccountRow): TierDocument {
  const { id, version, name, type, external_id, external_uid, tax_id, environment, scopes, contact_info } = row
  return {
    id,
    version,
    name,
    type,
    external_id,
    external_uid,
    tax_id,
    environment,
    scopes,
    parent: row.parent_id === null ? null : { id: row.parent_id, name: row.parent_name ?? '', external_id: row.parent_external_id ?? '' },
    owner: { id: row.provider_id, name: row.owner_name },
    hub: row.hub_id === null ? null : { id: row.hub_id, name: row.hub_name ?? '' },
    contact_info,
    events: { created: { at: row.created_at }, updated: { at: row.updated_at } },
  }
}

/**
 * One tier account that the caller may see.
 *
 * @throws Problem tier-account-not-found
 */
export async function findAccount (db: Reader, caller: { id: string, type: string }, id: string): Promise<TierDocument> {
  const row = await accountsSeenBy(db, caller).where('a.id', '=', id).executeTakeFirst()
  if (row === undefined) throw new Problem('tier-account-not-found')
  return accountBody(row)
}
