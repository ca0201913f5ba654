import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { linkReplacements } from '../licenses/link-replacements.js'
import { followReplacements } from './follow.js'
import { addCounts } from './items.js'
import { lockHolders } from './lock-holders.js'

const FOUND_MAX = 200

/** An order of which a recall is short, and that got another license or wants none any more. */
export interface Settled { account_id: string, order_id: string }

/** The slot of a short item has a license again, or was closed. */
const settled = sql`
  join license_revocations r on r.account_id = i.account_id and r.license_id = i.license_id
  join slots s on s.account_id = r.account_id and s.line_item_id = r.line_item_id and s.unit = r.unit
  where i.outcome = 'short' and (r.replaced_by is not null or s.cancelled_at is not null or exists (
    select from allocations a where a.account_id = s.account_id and a.line_item_id = s.line_item_id and a.unit = s.unit and a.ended_as is null))`

/** The orders whose recalled licenses were replaced by stock that came later, or that ended before. */
export async function settledShortages (db: Kysely<Database>): Promise<Settled[]> {
  const { rows } = await sql<Settled>`select distinct i.account_id, i.order_id from recall_items i ${settled} limit ${FOUND_MAX}`.execute(db)
  return rows
}

/**
 * Completes what recalls could not: writes down what came in the place of an order's licenses, and lets its request show it. Locks the recalls, then the
 * order, as who works on one does.
 */
export async function completeRecall (trx: Transaction<Database>, { account_id, order_id }: Settled): Promise<void> {
  await sql`
    select from recalls where account_id = ${account_id} and id = any(array(
      select recall_id from recall_items where account_id = ${account_id} and order_id = ${order_id} and outcome = 'short'))
    order by id for no key update`.execute(trx)
  const holders = await lockHolders(trx, account_id, [order_id], [])
  const { rows: slots } = await sql<{ license_id: string, line_item_id: string, unit: number }>`
    select i.license_id, r.line_item_id, r.unit from recall_items i ${settled} and i.account_id = ${account_id} and i.order_id = ${order_id}`.execute(trx)
  const replaced = await linkReplacements(trx, account_id, slots)
  const { rows: items } = await sql<{ recall_id: string, outcome: 'failed' | 'replaced' }>`
    update recall_items i set outcome = case when r.replaced_by is null then 'failed' else 'replaced' end, done_at = now(),
      detail = case when r.replaced_by is null then 'its order ended before there was another' end
    from license_revocations r
    where i.account_id = ${account_id} and i.license_id = any(${slots.map((slot) => slot.license_id)}::text[]) and i.outcome = 'short'
      and r.account_id = i.account_id and r.license_id = i.license_id
    returning i.recall_id, i.outcome`.execute(trx)
  for (const { recall_id, outcome } of items) await addCounts(trx, { account_id, id: recall_id }, { short: -1, [outcome]: 1 })
  await followReplacements(trx, account_id, holders, replaced, null)
}
