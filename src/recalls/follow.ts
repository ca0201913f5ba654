import { sql, type Transaction } from 'kysely'
import { noteMessage } from '../conversations/note.js'
import type { Database } from '../database/connect.js'
import { markSeen } from '../licenses/mark-seen.js'
import type { Replacement } from '../licenses/link-replacements.js'
import { replaceLicenses } from '../parameters/replace-licenses.js'
import { planWebhooks } from '../webhooks/plan.js'
import type { Holder } from './lock-holders.js'

interface Affected { id: string, asset_id: string, provider_id: string, product_id: string, type: string, status: string }

/**
 * Lets fulfillment requests follow what became of the licenses of their orders: where a parameter of a request or of its asset showed a license that was
 * replaced, it shows the new one, which counts as seen, and both sides are told. The caller holds the requests by lockHolders.
 */
export async function followReplacements (
  trx: Transaction<Database>, account_id: string, holders: readonly Holder[], replaced: readonly Replacement[], actor: string | null
): Promise<void> {
  for (const request of await requestsOf(trx, account_id, holders)) {
    const order_id = holders.find((holder) => holder.request_id === request.id)?.id
    const ours = replaced.filter((replacement) => replacement.order_id === order_id)
    if (ours.length === 0) continue
    const { rows: owners } = await sql<{ id: string }>`select id from requests where account_id = ${account_id} and asset_id = ${request.asset_id}`.execute(trx)
    const license_ids = await replaceLicenses(trx, account_id, [request.asset_id, ...owners.map((owner) => owner.id)], ours)
    if (license_ids.length === 0) continue
    await markSeen(trx, { account_id, license_ids, how: 'approved', seen_by: actor })
    await noteMessage(trx, { account_id, instance_id: request.id, text: 'A license of this purchase was replaced. Read its parameters again.', actor })
    const { id, type, status, asset_id } = request
    await planWebhooks(trx, {
      account_ids: [account_id, request.provider_id],
      product_id: request.product_id,
      object_class: 'fulfillment_request',
      event: 'fulfillment_request.license_replaced',
      data: { id, type, status, asset_id },
    })
  }
}

/** A pending request whose order was filled, and is short again, waits for stock as before. The caller holds it by lockHolders. */
export async function awaitStock (
  trx: Transaction<Database>, account_id: string, holders: readonly Holder[], short_order_ids: readonly string[]
): Promise<void> {
  const ids = holders.filter((holder) => !holder.is_held && short_order_ids.includes(holder.id)).flatMap((holder) => holder.request_id ?? [])
  if (ids.length === 0) return
  await trx.updateTable('requests').set({ waits_for_stock: true, pool_note: 'its licenses were recalled; waiting for stock', updated_at: sql<Date>`now()` })
    .where('account_id', '=', account_id).where('id', '=', sql<string>`any(${ids}::text[])`).where('status', '=', 'pending').execute()
}

async function requestsOf (trx: Transaction<Database>, account_id: string, holders: readonly Holder[]): Promise<Affected[]> {
  const ids = holders.flatMap((holder) => holder.request_id ?? [])
  if (ids.length === 0) return []
  return trx.selectFrom('requests').select(['id', 'asset_id', 'provider_id', 'product_id', 'type', 'status'])
    .where('account_id', '=', account_id).where('id', '=', sql<string>`any(${ids}::text[])`).orderBy('id').execute()
}
