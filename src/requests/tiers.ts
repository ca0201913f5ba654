import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Connection } from '../distribution/find-connection.js'
import { resolveTier } from '../tiers/accounts/resolve-tier.js'
import type { GivenTier } from '../tiers/accounts/schema.js'
import type { Actor } from './request-row.js'

export interface TierIds { customer_id: string | null, tier1_id: string | null, tier2_id: string | null }
type Refs = { [role in 'customer' | 'tier1' | 'tier2']?: GivenTier | null | undefined }

/**
 * The tier accounts that a purchase names, found or made, from the top of the chain down, since each has the one above it as its parent.
 *
 * @throws Problem validation-failed
 */
export async function resolveTiers (trx: Transaction<Database>, { provider_id, hub_id, type }: Connection, refs: Refs, { key_id }: Actor): Promise<TierIds> {
  const resolve = (role: keyof Refs, parent_id: string | null): Promise<string | null> =>
    resolveTier(trx, { provider_id, role, ref: refs[role], path: `asset.tiers.${role}`, parent_id, hub_id, environment: type }, key_id)
  const tier2_id = await resolve('tier2', null)
  const tier1_id = await resolve('tier1', tier2_id)
  const customer_id = await resolve('customer', tier1_id ?? tier2_id)
  return { customer_id, tier1_id, tier2_id }
}
