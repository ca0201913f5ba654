import type { Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { copyValues } from '../../parameters/copy-values.js'
import { invalid } from '../../problems.js'
import type { Keyring } from '../../sealing.js'
import { assertNoneOpen, lockConfig } from '../configs/lock-config.js'
import { insertRequest } from './insert.js'
import { giveDefaults, proposerOf, writeParams } from './params.js'
import { proceed } from './proceed.js'
import { actorOf, type Caller } from './request-row.js'
import { resolveSetup } from './resolve-setup.js'
import type { RequestToMake } from './schema.js'

/**
 * Makes a request to set up a reseller, or to change how one is set up (`configuration.id`), and returns its id. Unless it is a draft it
 * goes on at once (proceed.ts). Either side may ask, and may propose values for every parameter: the vendor looks before it approves.
 *
 * @throws Problem validation-failed
 * @throws Problem tier-config-request-open
 */
export async function createRequest (trx: Transaction<Database>, keyring: Keyring, caller: Caller, given: RequestToMake): Promise<string> {
  const actor = actorOf(caller)
  const isDraft = given.status === 'draft'
  const { account_id, tier_config_id, parent_configuration_id, type } = given.configuration.id == null
    ? { ...await resolveSetup(trx, caller, given.configuration), type: 'setup' as const }
    : { ...await configToChange(trx, caller, given.configuration.id), type: given.type === 'adjustment' ? 'adjustment' as const : 'update' as const }
  const config = await lockConfig(trx, account_id, tier_config_id)
  if (type === 'setup' && config.status === 'active') throw invalid(`configuration: ${tier_config_id} is set up; to change it, give its id as configuration.id`)
  if (type !== 'setup' && config.status !== 'active') throw invalid(`configuration.id: ${tier_config_id} is ${config.status}, so it cannot be changed yet`)
  if (!isDraft) await assertNoneOpen(trx, account_id, tier_config_id)
  const request = await insertRequest(trx, { account_id, tier_config_id, type, parent_configuration_id, notes: given.notes }, actor.key_id)
  await (type === 'setup' ? giveDefaults(trx, keyring, request) : copyValues(trx, keyring, account_id, tier_config_id, request.id))
  await writeParams(trx, keyring, request, given.params, { mode: isDraft ? 'validate' : 'strict', side: proposerOf(actor), actor: actor.key_id })
  if (!isDraft) await proceed(trx, keyring, request, 'submit', actor)
  return request.id
}

async function configToChange (trx: Transaction<Database>, caller: Caller, id: string) {
  const config = await trx.selectFrom('tier_configs').select(['account_id', 'id']).where('id', '=', id)
    .where(caller.type === 'provider' ? 'provider_id' : 'account_id', '=', caller.id).executeTakeFirst()
  if (config === undefined) throw invalid('configuration.id: there is no such tier configuration')
  return { account_id: config.account_id, tier_config_id: config.id, parent_configuration_id: null }
}
