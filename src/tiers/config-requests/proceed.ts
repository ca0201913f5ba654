import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import type { Keyring } from '../../sealing.js'
import { ensureSetUp } from '../configs/ensure-set-up.js'
import { move } from './move.js'
import { missingOf } from './params.js'
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
