import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { replanDeliveries } from '../deliveries/replan.js'
import { revokeHeld } from '../licenses/revoke-held.js'
import { refreshLines } from '../orders/requeue.js'
import { Problem } from '../problems.js'
import { lockHolderOf } from './find-holder.js'

interface Ending { account_id: string, license_id: string, reason: string, actor: string }

/**
 * Takes a license from the order that holds it, for good, with nothing in its place: its slot is closed and stays so, whatever is said of the order later.
 * A mail that is only planned goes on without it.
 *
 * @throws Problem license-not-found
 * @throws Problem license-not-allocated  no order holds it: it is in stock (withdraw it instead), or ended before
 */
export async function revokeLicense (trx: Transaction<Database>, { account_id, license_id, reason, actor }: Ending): Promise<void> {
  const holders = await lockHolderOf(trx, account_id, license_id)
  const [slot] = await revokeHeld(trx, { account_id, license_ids: [license_id], cause: 'revoked', reason, actor })
  if (slot === undefined) throw new Problem('license-not-allocated') // it ended while its order was being locked
  await trx.updateTable('slots').set({ cancelled_at: sql<Date>`now()`, is_revoked: true })
    .where('account_id', '=', account_id).where('line_item_id', '=', slot.line_item_id).where('unit', '=', slot.unit).execute()
  await refreshLines(trx, account_id, slot.order_id)
  if (!holders.some((order) => order.is_held)) await replanDeliveries(trx, { account_id, order_id: slot.order_id })
}
