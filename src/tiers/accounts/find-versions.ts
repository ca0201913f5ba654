import { sql } from 'kysely'
import type { Reader } from '../../database/connect.js'
import { Problem } from '../../problems.js'
import type { AccountData } from './check-account.js'
import { accountBody, accountsQuery, accountsSeenBy, type AccountRow } from './find-account.js'
import type { TierDocument } from './schema.js'

type AccountsQuery = ReturnType<typeof accountsQuery>

/** Each account of a query once for every version of it, which is `v`. */
function withVersions (accounts: AccountsQuery) {
  return accounts
    .innerJoin('tier_account_versions as v', (join) => join.onRef('v.provider_id', '=', 'a.provider_id').onRef('v.tier_account_id', '=', 'a.id'))
    .select(['v.version as of_version', 'v.created_at as since'])
    .select((row) => row.ref('v.snapshot').$castTo<AccountData>().as('snapshot'))
}

/** A tier account as it was under a version; parent, hub and scopes as they are now. */
export function versionBody ({ of_version, since, snapshot, ...row }: AccountRow & { of_version: number, since: Date, snapshot: AccountData }): TierDocument {
  return { ...accountBody(row), ...snapshot, version: of_version, events: { created: { at: row.created_at }, updated: { at: since } } }
}

/**
 * The versions of a tier account that the caller may see, for its list.
 *
 * @throws Problem tier-account-not-found
 */
export async function versionsOf (db: Reader, caller: { id: string, type: string }, id: string) {
  const account = await accountsSeenBy(db, caller).where('a.id', '=', id).executeTakeFirst()
  if (account === undefined) throw new Problem('tier-account-not-found')
  return withVersions(accountsQuery(db)).where('a.provider_id', '=', account.provider_id).where('a.id', '=', id)
}

/**
 * A tier account as it was under one version.
 *
 * @throws Problem tier-account-not-found
 */
export async function findVersion (db: Reader, caller: { id: string, type: string }, { id, version }: { id: string, version: number }): Promise<TierDocument> {
  const row = await (await versionsOf(db, caller, id)).where('v.version', '=', version).executeTakeFirst()
  if (row === undefined) throw new Problem('tier-account-not-found', `${id} has no version ${version}`)
  return versionBody(row)
}

/** Many versions by account and number, in one statement: account requests show what an account became. By `<provider_id>/<id>/<version>`. */
export async function versionDocuments (
  db: Reader, keys: ReadonlyArray<{ provider_id: string, tier_account_id: string, version: number }>
): Promise<Map<string, TierDocument>> {
  if (keys.length === 0) return new Map()
  const [providers, ids, versions] = [keys.map((key) => key.provider_id), keys.map((key) => key.tier_account_id), keys.map((key) => key.version)]
  const rows = await withVersions(accountsQuery(db))
    .where(sql<boolean>`(v.provider_id, v.tier_account_id, v.version) in (select * from unnest(${providers}::text[], ${ids}::text[], ${versions}::int[]))`).execute()
  return new Map(rows.map((row) => [`${row.provider_id}/${row.id}/${row.of_version}`, versionBody(row)]))
}
