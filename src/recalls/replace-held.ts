import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { replanDeliveries } from '../deliveries/replan.js'
import { fillPool } from '../licenses/fill.js'
import { linkReplacements, type Replacement } from '../licenses/link-replacements.js'
import { revokeHeld, type Emptied, type Revocation } from '../licenses/revoke-held.js'
import { queueLines } from '../orders/queue-lines.js'
import { refreshLines } from '../orders/requeue.js'
import { awaitStock, followReplacements } from './follow.js'
import type { Holder } from './lock-holders.js'

/** What became of licenses that were to be replaced: `emptied` lists the slots of all that were taken away, `replaced` those that have another. */
export interface Replaced { emptied: Emptied[], replaced: Replacement[] }

/**
 * Takes bad licenses from orders and gives each slot the next license of its line's pool, as the queue is served: nobody who waits is overtaken, and what
 * the stock does not cover waits. One mail per order and product says all that is new; one that was only planned never says what was taken. Nothing is
 * given to an order that is held: it gets its licenses when it is paid again. The caller locked by lockHolders, and calls wakeWorker() after the commit.
 */
export async function replaceHeld (trx: Transaction<Database>, holders: readonly Holder[], revocation: Revocation): Promise<Replaced> {
  const { account_id, actor } = revocation
  const emptied = await revokeHeld(trx, revocation)
  const touched = holders.filter((holder) => emptied.some((slot) => slot.order_id === holder.id))
  const paid = touched.filter((holder) => !holder.is_held)
  const lines = [...new Set(emptied.filter((slot) => paid.some((order) => order.id === slot.order_id)).map((slot) => slot.line_item_id))]
  if (lines.length > 0) {
    await queueLines(trx, account_id, lines)
    for (const pool_id of await poolsOf(trx, account_id, lines)) await fillPool(trx, account_id, pool_id, 'replacement')
  }
  const replaced = await linkReplacements(trx, account_id, emptied)
  await joinPlanned(trx, account_id, paid)
  for (const { id, is_held } of touched) {
    await refreshLines(trx, account_id, id)
    if (!is_held) await replanDeliveries(trx, { account_id, order_id: id })
  }
  await followReplacements(trx, account_id, touched, replaced, actor)
  const given = new Set(replaced.map((replacement) => replacement.old_license_id))
  await awaitStock(trx, account_id, touched, emptied.filter((slot) => !given.has(slot.license_id)).map((slot) => slot.order_id))
  return { emptied, replaced }
}

async function poolsOf (trx: Transaction<Database>, account_id: string, line_item_ids: readonly string[]): Promise<string[]> {
  const pools = await trx.selectFrom('line_items').select('pool_id').distinct()
    .where('account_id', '=', account_id).where('id', '=', sql<string>`any(${line_item_ids}::text[])`).orderBy('pool_id').execute()
  return pools.map((pool) => pool.pool_id)
}

/**
 * Where the order's own mail is not sent yet, that says the new keys too: the one just planned, which nobody has seen outside this transaction, is dropped
 * before replanDeliveries looks for what no mail has.
 */
async function joinPlanned (trx: Transaction<Database>, account_id: string, orders: readonly Holder[]): Promise<void> {
  await sql`
    delete from deliveries d
    where d.account_id = ${account_id} and d.order_id = any(${orders.map((order) => order.id)}::text[])
      and d.reason = 'replacement' and d.status = 'planned' and d.attempts = 0 and d.created_at = now() and exists (
        select from deliveries o where o.account_id = d.account_id and o.order_id = d.order_id and o.product_id = d.product_id
          and o.status = 'planned' and o.attempts = 0 and o.reason in ('order', 'backorder'))`.execute(trx)
}
