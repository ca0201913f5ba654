import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { markSeen } from '../licenses/mark-seen.js'
import { copyValues } from '../parameters/copy-values.js'
import { openTile, sealTile } from '../parameters/tile.js'
import { invalid } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { giveBack, takeFromOrder } from './bindings.js'
import { applyItems } from './items.js'
import { missingOf } from './missing-of.js'
import { move } from './move.js'
import { readMoment } from './read-moment.js'
import type { Actor, RequestRow } from './request-row.js'
import type { Approval } from './bodies/schema.js'
import { approvalTexts, type Texts } from './texts.js'
import { findMove, type RequestType } from './transitions.js'

/** These end or pause what was delivered: no value is wanted for that. */
const ENDING: readonly RequestType[] = ['suspend', 'cancel']

/**
 * Approves a locked request: its values and items become the asset's, the text for the customer is kept as it is now. Of a cancelled asset
 * the licenses from pools are revoked.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition
 * @throws Problem validation-failed  a required fulfillment parameter is empty; there is no such template
 */
export async function approveRequest (
  trx: Transaction<Database>, keyring: Keyring, request: RequestRow, actor: Actor, approval: Approval = {}
): Promise<RequestRow> {
  findMove(request, 'approve', actor.side)
  const { account_id, id, asset_id, type } = request
  const effective_date = readMoment('effective_date', approval.effective_date) ?? new Date()
  const next_date = readMoment('asset.billing.next_date', approval.asset?.billing?.next_date)
  const license_ids = await takeFromOrder(trx, request, actor)
  const missing = ENDING.includes(type) ? [] : await missingOf(trx, keyring, request, 'fulfillment')
  if (missing.length > 0) throw invalid(...missing.map((name) => `asset.params.${name}: is required before the request is approved; write its value first`))
  const texts = await approvalTexts(trx, keyring, request, approval)
  const approved = await move(trx, request, 'approve', actor, { set: { effective_date, ...texts } })
  await copyValues(trx, keyring, account_id, id, asset_id)
  if (type === 'purchase' || type === 'change') await applyItems(trx, approved)
  await keepTexts(trx, keyring, approved, texts, next_date)
  await markSeen(trx, { account_id, license_ids, how: 'approved', seen_by: actor.key_id })
  if (type === 'cancel') await giveBack(trx, approved, actor)
  return approved
}

/** The asset tells its customer what its last approval did. */
async function keepTexts (
  trx: Transaction<Database>, keyring: Keyring, { account_id, id, asset_id }: RequestRow,
  { template_id, template_body, sealed_tile }: Texts, billing_next_date: Date | undefined
): Promise<void> {
  const tile = sealed_tile === null ? null : sealTile(keyring, account_id, asset_id, openTile(keyring, account_id, id, sealed_tile))
  await trx.updateTable('assets').set({ template_id, template_body, sealed_tile: tile, ...(billing_next_date === undefined ? {} : { billing_next_date }) })
    .where('account_id', '=', account_id).where('id', '=', asset_id).execute()
}
