import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import type { Keyring } from '../../sealing.js'
import { insertRequest } from '../config-requests/insert.js'
import { giveDefaults } from '../config-requests/params.js'
import { proceed } from '../config-requests/proceed.js'
import { lockConfig, openRequestOf } from './lock-config.js'

interface Wanted { account_id: string, tier_config_id: string, parent_configuration_id?: string | null }

/**
 * The id of the request to wait for until a configuration is set up: the open one, or a new one; undefined where it is set up.
 * Whoever approves that request afterwards waits for the caller's transaction, and so sees who waits.
 */
export async function ensureSetUp (trx: Transaction<Database>, keyring: Keyring, wanted: Wanted, actor: string | null): Promise<string | undefined> {
  const { account_id, tier_config_id } = wanted
  const config = await lockConfig(trx, account_id, tier_config_id)
  if (config.status === 'active') return undefined
  const open = await openRequestOf(trx, account_id, tier_config_id)
  if (open !== undefined) return open.id
  const request = await insertRequest(trx, { ...wanted, type: 'setup' }, actor)
  await giveDefaults(trx, keyring, request)
  return (await proceed(trx, keyring, request, 'submit', { side: 'service', key_id: actor })).id
}
