import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { invalid } from '../../problems.js'
import type { Keyring } from '../../sealing.js'
import { assertNoneOpen, lockConfig } from '../configs/lock-config.js'
import { assertStillUnique, faultsOf, proposerOf, writeParams } from './params.js'
import { proceed } from './proceed.js'
import { actorOf, lockRequest, type Caller } from './request-row.js'
import type { Change } from './update.js'
import { findMove } from './transitions.js'

/**
 * A draft becomes a request: it goes on to where it can be worked at (proceed.ts).
 *
 * @throws Problem tier-config-request-not-found
 * @throws Problem illegal-transition
 * @throws Problem tier-config-request-open
 * @throws Problem validation-failed  a value is wrong
 */
export async function submitRequest (trx: Transaction<Database>, keyring: Keyring, caller: Caller, id: string, { params }: Change): Promise<void> {
  const request = await lockRequest(trx, caller, id)
  const actor = actorOf(caller)
  findMove(request, 'submit', actor.side)
  const { account_id, tier_config_id } = request
  await assertNoneOpen(trx, account_id, tier_config_id)
  const config = await lockConfig(trx, account_id, tier_config_id)
  if (request.type === 'setup' && config.status === 'active') throw invalid(`${tier_config_id} has been set up meanwhile; to change it, make a request with its id as configuration.id`)
  await writeParams(trx, keyring, request, params, { mode: 'strict', side: proposerOf(actor), actor: actor.key_id })
  const faults = await faultsOf(trx, keyring, request)
  if (faults.length > 0) throw invalid(...faults)
  await assertStillUnique(trx, keyring, request)
  await proceed(trx, keyring, request, 'submit', actor)
}
