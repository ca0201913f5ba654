import { sql, type Transaction, type Updateable } from 'kysely'
import { noteStateChange } from '../conversations/note.js'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { planWebhooks } from '../webhooks/plan.js'
import { lockAsset, type Actor, type RequestRow, type Words } from './request-row.js'
import { assetStatusAfter, findMove, type Status, type Verb } from './transitions.js'

type Columns = Updateable<Database['requests']>

/**
 * Moves a locked request (lockRequest) as the table of transitions.ts has it, its asset with it, and tells everybody: an event, the
 * conversation, the webhooks. `to`: where the verb leads to several states. Returns the row as it is then.
 * The first move of the vendor's assigns the request to whoever made it. The caller calls wakeWorker() after the commit.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition  nothing is changed
 */
export async function move (
  trx: Transaction<Database>, request: RequestRow, verb: Verb, actor: Actor, { to, set = {} }: { to?: Status, set?: Columns } = {}
): Promise<RequestRow> {
  const possible = findMove(request, verb, actor.side).to
  const status = to ?? possible[0]!
  if (!possible.includes(status)) throw new Error(`${verb} does not lead to ${status}`)
  const { account_id, id } = request
  const assigned = actor.side === 'vendor' && request.assignee_id === null ? { assignee_id: actor.key_id } : {}
  const asset_status = request.status === 'draft' ? (await lockAsset(trx, account_id, request.asset_id)).status : request.asset_status
  const moved = await trx.updateTable('requests').set({ form_code: null, waits_for_stock: false, pool_note: null, ...assigned, ...set, asset_status, status, updated_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('id', '=', id).where('status', '=', request.status)
    .returningAll().$narrowType<Words>().executeTakeFirst()
  if (moved === undefined) throw new Error(`${id} was moved without its lock`)
  await moveAsset(trx, request, moved)
  await tell(trx, moved, request.status, actor)
  return moved
}

async function moveAsset (trx: Transaction<Database>, { status: from }: RequestRow, moved: RequestRow): Promise<void> {
  const { account_id, asset_id, type, status, asset_status } = moved
  const after = assetStatusAfter(type, from, status, asset_status)
  await trx.updateTable('assets').set({ updated_at: sql<Date>`now()`, ...(after === undefined ? {} : { status: after }) })
    .where('account_id', '=', account_id).where('id', '=', asset_id).execute()
}

/** Tells of a request in a new state: an event, the conversation, the webhooks of both sides. `from`: null of one that was made in this state. */
export async function tell (trx: Transaction<Database>, request: RequestRow, from: Status | null, actor: Actor): Promise<void> {
  const { account_id, provider_id, product_id, id, asset_id, type, status } = request
  await recordEvent(trx, { account_id, type: `request.${status}`, subject_id: id, actor: actor.key_id, data: { asset_id, type, from } })
  const text = from === null ? `The request was made and is ${status}.` : `The request went from ${from} to ${status}.`
  await noteStateChange(trx, { account_id, instance_id: id, text, actor: actor.key_id })
  if (status === 'draft') return // nothing is asked of anybody yet
  await planWebhooks(trx, {
    account_ids: [account_id, provider_id], product_id, object_class: 'fulfillment_request', event: `fulfillment_request.${status}`, data: { id, type, status, asset_id },
  })
}
