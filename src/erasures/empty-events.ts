import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/**
 * Takes their content from payment events and returns of how many. Their keys stay, so that a repeat is known for ever. What was not processed never will be;
 * what only waits for its order has its facts apart, and goes on. One that the worker has still more to do with, beside its facts, is left: done, it is emptied
 * for its order (orders/forget-erased.ts).
 */
export async function emptyEvents (trx: Transaction<Database>, account_id: string, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0
  const { numAffectedRows = 0n } = await sql`
    update payment_events e set body = '', context = '{}', answers = null, erased_at = now(), next_attempt_at = null,
      status = case when ${isUnprocessed} then 'ignored' else status end,
      reason = case when status <> 'processed' then 'its content was erased' end
    where account_id = ${account_id} and id = any(${ids}::text[]) and erased_at is null
      and not (status = 'waiting' and next_attempt_at is not null and ${hasFacts})`.execute(trx)
  return Number(numAffectedRows)
}

const hasFacts = sql`exists (select from payment_facts f where f.account_id = e.account_id and f.event_id = e.id)`

/** Of the row `e` of payment_events: it failed, or waits for more than its order. */
const isUnprocessed = sql`(status = 'failed' or (status = 'waiting' and not ${hasFacts}))`
