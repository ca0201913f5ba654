import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { settleOrder } from './settle.js'

/**
 * Makes facts that waited for an order its own, by any of its names, and their events processed. Whether there were any: then the caller settles the order.
 */
export async function adoptFacts (trx: Transaction<Database>, account_id: string, order_id: string): Promise<boolean> {
  const { rows } = await sql<{ event_id: string | null }>`
    with names as materialized (
      select source_id, external_id as ref from orders where account_id = ${account_id} and id = ${order_id}
      union all
      select source_id, ref from order_refs where account_id = ${account_id} and order_id = ${order_id}
    )
    update payment_facts f set order_id = ${order_id} from names n
    where f.account_id = ${account_id} and f.source_id = n.source_id and f.ref = n.ref and f.order_id is null
    returning f.event_id`.execute(trx)
  if (rows.length === 0) return false
  await sql`
    update payment_events set status = 'processed', order_id = ${order_id}, processed_at = now(), reason = null, next_attempt_at = null
    where account_id = ${account_id} and id = any(${rows.map((row) => row.event_id)}::text[]) and status = 'waiting'`.execute(trx)
  return true
}

export interface OrderId { account_id: string, order_id: string }

/**
 * The orders whose facts wait although they are there: the two came at the same moment, and neither saw the other. So only facts of the last day are looked at.
 */
export async function findUnsettled (db: Kysely<Database>): Promise<OrderId[]> {
  const { rows } = await sql<OrderId>`
    select distinct f.account_id, o.order_id from payment_facts f
    cross join lateral (
      select id as order_id from orders where account_id = f.account_id and source_id = f.source_id and external_id = f.ref
      union all
      select order_id from order_refs where account_id = f.account_id and source_id = f.source_id and ref = f.ref) o
    where f.order_id is null and f.created_at > now() - interval '1 day' limit 100`.execute(db)
  return rows
}

/** What {@link findUnsettled} found: the facts are the order's now, and it stands as they say. */
export async function settleFacts (trx: Transaction<Database>, { account_id, order_id }: OrderId): Promise<void> {
  if (await adoptFacts(trx, account_id, order_id)) await settleOrder(trx, { account_id, order_id, actor: null })
}
