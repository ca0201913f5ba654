import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.js'
import { copyValues } from '../../parameters/copy-values.js'
import { openTile, sealTile } from '../../parameters/tile.js'
import { invalid } from '../../problems.js'
import type { Keyring } from '../../sealing.js'
import { advanceBelow, type Finished } from './advance-below.js'
import { move } from './move.js'
import { missingOf } from './params.js'
import { actorOf, lockRequest, type Caller, type RequestRow } from './request-row.js'
import { defaultTemplate, namedTemplate } from './templates.js'
import { findMove } from './transitions.js'

export interface Approval { template_id?: string | null | undefined, representation?: string | null | undefined, effective_date?: Date | undefined }

/**
 * Approves a request: its values become the configuration's, which is active then. Requests of resellers below that waited move on. Returns
 * the requests that this finished, for the purchases that wait for them.
 * Without a template or a text of the vendor's own (`representation`), the product's first fulfillment template of the level is used.
 *
 * @throws Problem tier-config-request-not-found
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 * @throws Problem validation-failed  a required fulfillment parameter is empty, or there is no such template
 */
export async function approveRequest (trx: Transaction<Database>, keyring: Keyring, caller: Caller, id: string, approval: Approval): Promise<Finished[]> {
  const request = await lockRequest(trx, caller, id)
  const actor = actorOf(caller)
  findMove(request, 'approve', actor.side)
  const missing = await missingOf(trx, keyring, request, 'fulfillment')
  if (missing.length > 0) throw invalid(...missing.map((name) => `params.${name}: is required before the request is approved`))
  const set = { ...await textsOf(trx, keyring, request, approval), effective_date: approval.effective_date ?? new Date() }
  const approved = await move(trx, request, 'approve', actor, { set })
  await applyTo(trx, keyring, approved)
  return [{ account_id: request.account_id, tier_config_request_id: id, outcome: 'approved' }, ...await advanceBelow(trx, keyring, request, 'approved', actor.key_id)]
}

async function textsOf (trx: Transaction<Database>, keyring: Keyring, request: RequestRow, { template_id, representation }: Approval) {
  if (template_id) return { ...await namedTemplate(trx, request, template_id), sealed_tile: null }
  if (representation) return { template_id: null, template_body: null, sealed_tile: sealTile(keyring, request.account_id, request.id, representation) }
  return { ...await defaultTemplate(trx, request, 'fulfillment'), sealed_tile: null }
}

async function applyTo (trx: Transaction<Database>, keyring: Keyring, request: RequestRow): Promise<void> {
  const { account_id, id, tier_config_id, template_id, template_body, sealed_tile } = request
  await copyValues(trx, keyring, account_id, id, tier_config_id)
  await trx.updateTable('tier_configs').set({
    status: 'active',
    template_id,
    template_body,
    sealed_tile: sealed_tile === null ? null : sealTile(keyring, account_id, tier_config_id, openTile(keyring, account_id, id, sealed_tile)),
    updated_at: sql<Date>`now()`,
  }).where('account_id', '=', account_id).where('id', '=', tier_config_id).execute()
}
