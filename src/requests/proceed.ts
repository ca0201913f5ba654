import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Keyring } from '../sealing.js'
import { tierSetupNeeded } from '../tiers/configs/tier-setup-needed.js'
import { fillFromPool } from './fill-from-pool.js'
import { missingOf } from './missing-of.js'
import { move } from './move.js'
import { lockAsset, SERVICE, type Actor, type RequestRow } from './request-row.js'
import { inquiringTexts, pendingTexts } from './texts.js'
import type { RequestType } from './transitions.js'

/** Of these the buyer says something: the others ask for no value. */
const ASKING: readonly RequestType[] = ['purchase', 'change']

/**
 * Moves a request on to where it can be worked at: to tiers_setup while a reseller of its chain is not set up, to inquiring while a required
 * ordering parameter is empty or one is wrong, else to pending, and from there to approved if a pool fills it.
 */
export async function proceed (trx: Transaction<Database>, keyring: Keyring, request: RequestRow, verb: 'purchase' | 'submit' | 'advance', actor: Actor): Promise<RequestRow> {
  const waits = verb === 'advance' ? [] : await setupsOf(trx, keyring, request, actor)
  if (waits.length > 0) {
    const waiting = await move(trx, request, verb, actor, { to: 'tiers_setup' })
    await waitFor(trx, waiting, waits)
    return waiting
  }
  if (ASKING.includes(request.type) && await hasToBeAsked(trx, keyring, request)) {
    return move(trx, request, verb, actor, { to: 'inquiring', set: await inquiringTexts(trx, keyring, request) })
  }
  return fillFromPool(trx, keyring, await move(trx, request, verb, actor, { to: 'pending', set: await pendingTexts(trx, request) }))
}

/** Whether the buyer owes a value. What is wrong with one was kept with it in the draft; the follow-up starts without errors. */
async function hasToBeAsked (trx: Transaction<Database>, keyring: Keyring, request: RequestRow): Promise<boolean> {
  const wrong = await trx.selectFrom('parameter_values as v').innerJoin('product_parameters as d', (join) => join
    .onRef('d.account_id', '=', 'v.account_id').onRef('d.id', '=', 'v.parameter_id'))
    .select('d.id').where('v.account_id', '=', request.account_id).where('v.owner_id', '=', request.id)
    .where('v.value_error', '<>', '').where('d.phase', '=', 'ordering').executeTakeFirst()
  return wrong !== undefined || (await missingOf(trx, keyring, request, 'ordering')).length > 0
}

/** Likewise for a request that was pending before: what it waits for may have come up since. */
export async function proceedPending (trx: Transaction<Database>, keyring: Keyring, request: RequestRow, actor: Actor): Promise<RequestRow> {
  const waits = await setupsOf(trx, keyring, request, actor)
  if (waits.length === 0) return fillFromPool(trx, keyring, request)
  const waiting = await move(trx, request, 'set_up_tiers', SERVICE)
  await waitFor(trx, waiting, waits)
  return waiting
}

/** The tier configuration requests that a purchase has to wait for; made where there are none yet. */
async function setupsOf (trx: Transaction<Database>, keyring: Keyring, request: RequestRow, actor: Actor): Promise<string[]> {
  if (request.type !== 'purchase') return []
  const asset = await lockAsset(trx, request.account_id, request.asset_id)
  return tierSetupNeeded(trx, keyring, asset, actor.key_id)
}

async function waitFor (trx: Transaction<Database>, { account_id, id }: RequestRow, tier_config_request_ids: readonly string[]): Promise<void> {
  await trx.insertInto('request_waits').values(tier_config_request_ids.map((tier_config_request_id) => ({ account_id, request_id: id, tier_config_request_id })))
    .onConflict((conflict) => conflict.doNothing()).execute()
}
