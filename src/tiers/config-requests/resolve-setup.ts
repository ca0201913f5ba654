import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { findConnection, USABLE } from '../../distribution/find-connection.js'
import { invalid } from '../../problems.js'
import { accountsSeenBy } from '../accounts/find-account.js'
import { findOrMakeConfig } from '../configs/find-or-make.js'
import { levelsOf } from '../configs/tier-setup-needed.js'
import type { Caller } from './request-row.js'
import type { RequestToMake } from './schema.js'

type Given = RequestToMake['configuration']
type AccountRef = Given['account']

/**
 * The configuration that a request is to set up, found or made, and the one of the reseller above.
 *
 * @throws Problem validation-failed
 */
export async function resolveSetup (trx: Transaction<Database>, caller: Caller, given: Given) {
  const { tier_level } = given
  if (tier_level !== 1 && tier_level !== 2) throw invalid('configuration.tier_level: must be 1 or 2')
  const connection = await connectionOf(trx, caller, given)
  const { account_id, product_id, provider_id } = connection
  const levels = await levelsOf(trx, account_id, product_id)
  if (!levels.has(tier_level)) throw invalid(`configuration.tier_level: ${product_id} sets up no resellers of level ${tier_level}`)
  const of = { account_id, product_id, provider_id, connection_id: connection.id }
  const account = await accountOf(trx, caller, { provider_id, ref: given.account, path: 'configuration.account' })
  if (account === undefined) throw invalid('configuration.account: is required, with its id or external_uid')
  const above = tier_level === 1 && levels.has(2) ? await accountOf(trx, caller, { provider_id, ref: given.parent_account, path: 'configuration.parent_account' }) : undefined
  const parent_configuration_id = above === undefined ? null : await findOrMakeConfig(trx, { ...of, tier_account_id: above, tier_level: 2 }, caller.key_id)
  return { account_id, parent_configuration_id, tier_config_id: await findOrMakeConfig(trx, { ...of, tier_account_id: account, tier_level }, caller.key_id) }
}

/** By its id; else the only one of the product in production. */
async function connectionOf (trx: Transaction<Database>, caller: Caller, { connection, product }: Given) {
  const side = caller.type === 'provider' ? 'provider_id' : 'account_id'
  if (connection?.id) {
    const found = await findConnection(trx, { [side]: caller.id, id: connection.id })
    if (found === undefined || !found.is_usable) throw invalid('configuration.connection.id: there is no such connection in use')
    if (product?.id && product.id !== found.product_id) throw invalid(`configuration.connection.id: it is of the product ${found.product_id}`)
    return found
  }
  if (!product?.id) throw invalid('configuration.product.id: is required')
  const [only, ...others] = await trx.selectFrom('connections').select(['account_id', 'id', 'product_id', 'provider_id']).where(side, '=', caller.id)
    .where('product_id', '=', product.id).where('type', '=', 'production').where('status', 'in', USABLE).limit(2).execute()
  if (only === undefined || others.length > 0) throw invalid('configuration.connection.id: is required: the product has not exactly one connection in production here')
  return only
}

/** Locked, so that it is not deleted before this commits. Undefined: none was named. */
async function accountOf (
  trx: Transaction<Database>, caller: Caller, { provider_id, ref, path }: { provider_id: string, ref: AccountRef, path: string }
): Promise<string | undefined> {
  const by = ref?.id ? 'id' : 'external_uid'
  const wanted = ref?.[by]
  if (!wanted) return undefined
  const found = await accountsSeenBy(trx, caller).where('a.provider_id', '=', provider_id).where(`a.${by}`, '=', wanted).forKeyShare('a').executeTakeFirst()
  if (found === undefined) throw invalid(`${path}.${by}: there is no such tier account`)
  return found.id
}
