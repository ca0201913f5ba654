import { sql, type Transaction } from 'kysely'
import type { Database, Reader } from '../../database/connect.js'
import { capabilitiesOf } from '../../products/capabilities.js'
import type { Keyring } from '../../sealing.js'
import { ensureSetUp } from '../config-requests/proceed.js'
import { findOrMakeConfig, type ConfigOf } from './find-or-make.js'

/** A purchase, as far as its chain of resellers goes. */
export interface Purchase extends Omit<ConfigOf, 'tier_account_id' | 'tier_level'> { tier1_id: string | null, tier2_id: string | null }

/**
 * The ids of the tier configuration requests that a purchase has to wait for; made where they are missing. None where the product does not
 * ask for its resellers to be set up, or they are. The reseller above (tier2) comes first: the request of the one below waits for its.
 */
export async function tierSetupNeeded (trx: Transaction<Database>, keyring: Keyring, purchase: Purchase, actor: string | null): Promise<string[]> {
  const { account_id, product_id, tier1_id, tier2_id } = purchase
  if (tier1_id === null && tier2_id === null) return []
  const levels = await levelsOf(trx, account_id, product_id)
  const parent_configuration_id = tier2_id === null || !levels.has(2)
    ? null
    : await findOrMakeConfig(trx, { ...purchase, tier_account_id: tier2_id, tier_level: 2 }, actor)
  const upper = parent_configuration_id === null ? undefined : await ensureSetUp(trx, keyring, { account_id, tier_config_id: parent_configuration_id }, actor)
  if (tier1_id === null || !levels.has(1)) return upper === undefined ? [] : [upper]
  const tier_config_id = await findOrMakeConfig(trx, { ...purchase, tier_account_id: tier1_id, tier_level: 1 }, actor)
  const lower = await ensureSetUp(trx, keyring, { account_id, tier_config_id, parent_configuration_id }, actor)
  return [upper, lower].filter((id) => id !== undefined)
}

/** The levels of the chain that a product has set up: as far as its capability goes, where it has parameters to ask for. */
export async function levelsOf (db: Reader, account_id: string, product_id: string): Promise<ReadonlySet<1 | 2>> {
  const product = await db.selectFrom('products').select('capabilities').where('account_id', '=', account_id).where('id', '=', product_id).executeTakeFirstOrThrow()
  const upTo = capabilitiesOf(product).tiers_configs
  if (upTo === 0) return new Set()
  const { rows } = await sql<{ scope: string }>`
    select distinct scope from product_parameters where account_id = ${account_id} and product_id = ${product_id} and scope in ('tier1', 'tier2')`.execute(db)
  return new Set(([1, 2] as const).filter((level) => level <= upTo && rows.some(({ scope }) => scope === `tier${level}`)))
}
