import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { insertWithNewId, newDigitsId } from '../../ids.js'
import { invalid } from '../../problems.js'
import { checkAccount } from './check-account.js'
import { insertAccount } from './insert-account.js'
import type { GivenTier, TierScope } from './schema.js'

export interface Tier {
  provider_id: string
  role: TierScope
  ref: GivenTier | null | undefined
  /** where the client gave it, for refusals: `asset.tiers.customer` */
  path: string
  /** of an account that is made: the account above it, its provider's system, and production, test or preview */
  parent_id?: string | null | undefined
  hub_id?: string | null | undefined
  environment?: string | undefined
}

/**
 * The id of the tier account that a purchase names; null for none (`{}`). By id it must exist. Given in full it is the one with this
 * external_uid, else the one of its type with this external_id, as it is; else it is made. It cannot be deleted before the caller commits.
 *
 * @throws Problem validation-failed  prefixed by `path`
 */
export async function resolveTier (trx: Transaction<Database>, tier: Tier, actor: string | null): Promise<string | null> {
  const { provider_id, role, path } = tier
  const ref = tier.ref ?? {}
  const type = role === 'customer' ? 'customer' : 'reseller'
  const named = ref.id != null && ref.id !== ''
  const { id, external_uid, external_id } = { id: ref.id ?? '', external_uid: ref.external_uid?.trim() ?? '', external_id: ref.external_id?.trim() ?? '' }
  if (!named && external_uid === '' && external_id === '' && ref.name == null && ref.contact_info == null) return null

  const find = async (): Promise<{ id: string } | undefined> => {
    const wanted = named
      ? sql`id = ${id}`
      : sql`((external_uid = ${external_uid} and external_uid <> '') or (type = ${type} and external_id = ${external_id} and external_id <> ''))`
    const { rows: [found] } = await sql<{ id: string }>`
      select id from tier_accounts where provider_id = ${provider_id} and deleted_at is null and ${wanted}
      order by (external_uid = ${external_uid}) desc limit 1 for key share`.execute(trx)
    return found
  }
  const found = await find()
  if (found !== undefined) {
    await sql`update tier_accounts set scopes = array_append(scopes, ${role}) where provider_id = ${provider_id} and id = ${found.id} and ${role} <> all (scopes)`.execute(trx)
    return found.id
  }
  if (named) throw invalid(`${path}.id: there is no such tier account`)
  const account = { ...tier, ...checkAccount(ref, path), type, scopes: [role] } as const
  // A clash is of the id, or with another purchase that made this account first: then it is found.
  return insertWithNewId(() => newDigitsId('TA', 3, 4), async (id) => await insertAccount(trx, id, account, actor) ?? await find())
}
