import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { ObjectClass } from './schema.js'

/** What happened, for those who asked to be told. */
export interface Change {
  /** whose webhooks may hear of it: the vendor's and the provider's */
  account_ids: readonly string[]
  /** null: it is of no product, so only webhooks for every product hear of it */
  product_id: string | null
  object_class: ObjectClass
  /** the object class, a dot, what happened, past tense: `fulfillment_request.approved` */
  event: string
  /** thin: ids, type and state; never a key, never a parameter's value */
  data: Record<string, unknown>
}

/**
 * Plans what the active webhooks are to be told, in the transaction of the change; nothing where nobody asked. Signals of several changes
 * become one call later (claim.ts): a signal planned here always starts after this commits, so what it announces can be read.
 * The caller calls wakeWorker() after the commit.
 */
export async function planWebhooks (trx: Transaction<Database>, ...changes: Change[]): Promise<void> {
  if (changes.length === 0) return
  await sql`
    insert into webhook_messages (account_id, webhook_id, kind, event, data)
    select w.account_id, w.id, case w.type when 'event' then 'signal' else 'change' end, c.event, case w.type when 'event' then '{}' else c.data end
    from json_to_recordset(${JSON.stringify(changes)}::json) as c (account_ids text[], product_id text, object_class text, event text, data jsonb)
    cross join lateral unnest(c.account_ids) as a (id)
    join webhooks w on w.account_id = a.id and w.object_class = c.object_class and w.active and w.deleted_at is null
      and w.type in ('event', 'change') and (w.product_id is null or w.product_id = c.product_id)`.execute(trx)
}
