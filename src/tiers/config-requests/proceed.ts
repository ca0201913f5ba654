import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import type { Keyring } from '../../sealing.js'
import { lockConfig, openRequestOf } from '../configs/lock-config.js'
import { insertRequest } from './insert.js'
import { move } from './move.js'
import { giveDefaults, missingOf } from './params.js'
import type { RequestRow } from './request-row.js'
import { defaultTemplate } from './templates.js'
import type { Actor } from './transitions.js'

/**
 * Moves a request on to where it can be worked at: to tiers_setup while the reseller above is not set up, to inquiring while a required
 * ordering parameter is empty, else to pending.
 */
export async function proceed (trx: Transaction<Database>, keyring: Keyring, request: RequestRow, verb: 'submit' | 'advance', actor: Actor): Promise<RequestRow> {
  const { account_id, parent_configuration_id } = request
  const waits = verb === 'submit' && parent_configuration_id !== null &&
    await ensureSetUp(trx, keyring, { account_id, tier_config_id: parent_configuration_id }, actor.key_id) !== undefined
  if (waits) return move(trx, request, verb, actor, { to: 'tiers_setup' })
  const missing = await missingOf(trx, keyring, request, 'ordering')
  if (missing.length > 0) return move(trx, request, verb, actor, { to: 'inquiring', set: await defaultTemplate(trx, request, 'inquire') })
  return move(trx, request, verb, actor, { to: 'pending' })
}

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
