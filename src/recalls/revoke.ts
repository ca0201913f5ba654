import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { replanDeliveries } from '../deliveries/replan.js'
import { revokeHeld } from '../licenses/revoke-held.js'
import { refreshLines } from '../orders/requeue.js'
import { Problem } from '../problems.js'
import { lockHolderOf } from './find-holder.js'

interface Ending { account_id: string, license_id: string, reason: string, actor: string }

/**
 * Takes a license from the order that holds it, for good, with nothing in its place: its slot is closed and stays so, whatever is said of the order later:
 * a unit that is refunded from now on is this one first.
 * A mail that is only planned goes on without it.
 *
 * @throws Problem license-not-found
 * @throws Problem license-not-allocated  no order holds it: it is in stock (withdraw it instead), or ended before
 */
export async function revokeLicense (trx: Transaction<Database>, { account_id, license_id, reason, actor }: Ending): Promise<void> {
  const holders = await lockHolderOf(trx, account_id, license_id)
  const [slot] = await revokeHeld(trx, { account_id, license_ids: [license_id], cause: 'revoked', reason, actor })
  if (slot === undefined) throw new Problem('license-not-allocated') // it ended while its order was being locked
  await sql`
    update slots s set cancelled_at = now(), is_revoked = true, revoked_beside = l.ended_units from line_items l
    where s.account_id = ${account_id} and s.line_item_id = ${slot.line_item_id} and s.unit = ${slot.unit} and l.account_id = s.account_id and l.id = s.line_item_id`.execute(trx)
  await refreshLines(trx, account_id, slot.order_id)
  if (!holders.some((order) => order.is_held)) await replanDeliveries(trx, { account_id, order_id: slot.order_id })
}
