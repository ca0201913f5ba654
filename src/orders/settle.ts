import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { replanDeliveries } from '../deliveries/replan.js'
import { recordEvent } from '../events/record.js'
import { fillPool } from '../licenses/fill.js'
import { reinstateLicenses } from '../licenses/reinstate.js'
import { releaseOrRevoke } from '../licenses/release-or-revoke.js'
import { fulfill } from './fulfill.js'
import { lockOrder } from './lock-order.js'
import { readStanding, type StoredOrder } from './read-standing.js'
import { findMissing, growQueue, refreshLines, trimQueue } from './requeue.js'
import type { Standing } from './standing.js'
import { licensesOfClosed, setEndedUnits } from './units.js'

export interface Settlement {
  account_id: string
  order_id: string
  /** who said what made it change: the API key, or the payment source; null: the service itself */
  actor: string | null
  /** for the audit trail */
  reason?: string | undefined
}

/**
 * Brings an order into the standing that follows from its facts: what it holds, what it waits for, what is mailed. Locks its pools, then the order.
 * An order that stands so already is left as it is. The caller calls wakeWorker() after the commit: others may have got licenses.
 */
export async function settleOrder (trx: Transaction<Database>, { account_id, order_id, actor, reason }: Settlement): Promise<void> {
  const locked = await lockOrder(trx, account_id, order_id)
  if (locked === undefined) return
  const { stored, standing } = await readStanding(trx, account_id, order_id)
  if (isSettled(stored, standing) && !standing.is_held) return
  const { is_held } = standing
  const ended = stored.lines.map(({ id, external_id }) => ({ id, ended_units: standing.ended_units.get(external_id) ?? 0 }))
  const opened = await setEndedUnits(trx, account_id, ended)
  await trimQueue(trx, account_id, order_id, is_held)
  await releaseOrRevoke(trx, { account_id, order_id, license_ids: await licensesOfClosed(trx, account_id, order_id), actor })
  await reinstateLicenses(trx, { account_id, order_id, slots: opened, actor })
  if (!is_held) {
    await growQueue(trx, account_id, order_id)
    const missing = await findMissing(trx, account_id, order_id, stored.is_held ? undefined : opened.map((slot) => slot.line_item_id))
    if (missing.length > 0) await fulfill(trx, account_id, order_id, missing, false)
  }
  for (const pool_id of locked.pool_ids) await fillPool(trx, account_id, pool_id)
  await refreshLines(trx, account_id, order_id)
  await replanDeliveries(trx, { account_id, order_id, stopped: whyStopped(stored, standing) })
  await trx.updateTable('orders').set({ status: standing.status, refunded_amount: standing.refunded_amount, is_held })
    .where('account_id', '=', account_id).where('id', '=', order_id).execute()
  if (isSettled(stored, standing)) return
  await recordEvent(trx, { account_id, type: eventOf(standing), subject_id: order_id, actor, data: dataOf(stored, standing, reason) })
}

/** Whether the order stands already as it should. */
export function isSettled (stored: StoredOrder, standing: Standing): boolean {
  return stored.status === standing.status && stored.refunded_amount === standing.refunded_amount && stored.is_held === standing.is_held &&
    stored.lines.every((line) => line.ended_units === (standing.ended_units.get(line.external_id) ?? 0))
}

function whyStopped (stored: StoredOrder, standing: Standing): string | undefined {
  if (standing.is_held) return 'the order is held: a dispute is open'
  return stored.lines.every((line) => standing.ended_units.get(line.external_id) === line.quantity) ? 'the order holds none of its licenses any more' : undefined
}

/** `order.refunded`, `order.disputed` … after what the order is now; `order.restored`: it is paid again, as if nothing had been said. */
function eventOf ({ status }: Standing): string {
  return `order.${status === 'paid' ? 'restored' : status}`
}

function dataOf (stored: StoredOrder, { status, refunded_amount, is_held, ended_units }: Standing, reason: string | undefined): Record<string, unknown> {
  const changed = stored.lines.filter((line) => line.ended_units !== (ended_units.get(line.external_id) ?? 0))
  return {
    ...(changed.length === 0 ? {} : { line_item_ids: changed.map((line) => line.id) }),
    ...(refunded_amount === 0 ? {} : { refunded_amount }),
    ...(status === 'disputed' ? { is_held } : {}),
    ...(reason === undefined ? {} : { reason }),
  }
}
