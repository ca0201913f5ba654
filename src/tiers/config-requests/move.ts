import { sql, type Transaction, type Updateable } from 'kysely'
import { noteStateChange } from '../../conversations/note.js'
import type { Database } from '../../database/connect.js'
import { recordEvent } from '../../events/record.js'
import { planWebhooks } from '../../webhooks/plan.js'
import type { RequestRow } from './request-row.js'
import { findMove, type Actor, type Status, type Verb } from './transitions.js'

/** When a state was last entered is kept for these. */
const MOMENTS: Partial<Record<Status, 'pended_at' | 'inquired_at' | 'approved_at'>> = { pending: 'pended_at', inquiring: 'inquired_at', approved: 'approved_at' }

/**
 * Moves a locked request as the table of transitions.ts has it, and tells everybody: an event, the conversation, the webhooks. `to`: where
 * the verb leads to several states. The vendor's first move assigns the request to whoever made it. Returns the row as it is then.
 * The caller calls wakeWorker() after the commit.
 *
 * @throws Problem wrong-side
 * @throws Problem illegal-transition  nothing is changed
 */
export async function move (
  trx: Transaction<Database>, request: RequestRow, verb: Verb, actor: Actor,
  { to, set = {} }: { to?: Status, set?: Updateable<Database['tier_config_requests']> } = {}
): Promise<RequestRow> {
  const possible = findMove(request, verb, actor.side)
  const status = to ?? possible[0]!
  if (!possible.includes(status)) throw new Error(`${verb} does not lead to ${status}`)
  const { account_id, id } = request
  const moment = MOMENTS[status]
  const assigned = actor.side === 'vendor' && request.assignee_id === null && verb !== 'submit' ? { assignee_id: actor.key_id } : {}
  const moved = await trx.updateTable('tier_config_requests')
    .set({ ...assigned, ...(moment === undefined ? {} : { [moment]: sql<Date>`now()` }), ...set, status, updated_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('id', '=', id).where('status', '=', request.status).returningAll().executeTakeFirst()
  if (moved === undefined) throw new Error(`${id} was moved without its lock`)
  await tell(trx, { ...request, status }, request.status, actor)
  return { ...request, ...moved, type: request.type, environment: request.environment, status }
}

async function tell (trx: Transaction<Database>, request: RequestRow, from: Status, actor: Actor): Promise<void> {
  const { account_id, provider_id, product_id, id, tier_config_id, type, status } = request
  await recordEvent(trx, { account_id, type: `tier_config_request.${status}`, subject_id: id, actor: actor.key_id, data: { tier_config_id, type, from } })
  await noteStateChange(trx, { account_id, instance_id: id, text: `The request went from ${from} to ${status}.`, actor: actor.key_id })
  await planWebhooks(trx, {
    account_ids: [account_id, provider_id], product_id, object_class: 'tier_config_request', event: `tier_config_request.${status}`, data: { id, type, status, tier_config_id },
  })
}
