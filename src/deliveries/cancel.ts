import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/**
 * Cancels the planned mails of an order that have nothing left to say: the order holds none of their licenses any more. To be called after its
 * licenses were taken away, since a claim locks deliveries and then tries licenses. One in `sending` goes on: its licenses count as seen.
 */
export async function cancelDeliveries (trx: Transaction<Database>, account_id: string, order_id: string): Promise<void> {
  const reason = 'the order holds none of its licenses any more'
  await sql`
    with cancelled as (
      update deliveries d set status = 'cancelled', next_attempt_at = null, last_error = ${reason}
      where d.account_id = ${account_id} and d.order_id = ${order_id} and d.status = 'planned' and not exists (
        select from allocations a
        where a.account_id = d.account_id and a.license_id = any(d.license_ids) and a.order_id = d.order_id and a.ended_as is null)
      returning d.id
    )
    insert into events (account_id, type, subject_id, data)
    select ${account_id}, 'delivery.cancelled', id, jsonb_build_object('order_id', ${order_id}::text, 'reason', ${reason}::text) from cancelled`.execute(trx)
}
