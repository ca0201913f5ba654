import { sql, type RawBuilder, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/** A delivery that is due, locked. */
export interface Due {
  account_id: string
  id: string
  order_id: string
  license_ids: string[]
  reason: string
  attempts: number
  /** a dispute is open */
  is_held: boolean
  /** its account sends so many a second; one that was left behind goes at once */
  is_limited: boolean
  /** of a renewal: the lines whose licenses the customer had before */
  parent_line_ids: string[]
}

/** What a claim knows of a delivery `d`. */
export const dueColumns: RawBuilder<unknown> = sql`
  d.account_id, d.id, d.order_id, d.license_ids, d.reason, d.attempts,
  (select is_held from orders o where o.account_id = d.account_id and o.id = d.order_id) as is_held,
  d.status = 'planned' and exists (select from mail_settings s where s.account_id = d.account_id and s.rate_per_second is not null) as is_limited,
  array(select distinct unnest(r.parent_license_line_ids) from renewals r
    where r.account_id = d.account_id and r.order_id = d.order_id and r.product_id = d.product_id) as parent_line_ids`

/** What is due, oldest first, past whatever another worker is claiming: planned, or left in `sending` by a worker that is gone. */
export async function lockDue (trx: Transaction<Database>, limit: number): Promise<Due[]> {
  const { rows } = await sql<Due>`
    select ${dueColumns} from deliveries d
    where d.status in ('planned', 'sending') and not d.is_paced and d.next_attempt_at <= now()
    order by d.next_attempt_at limit ${limit} for update of d skip locked`.execute(trx)
  return rows
}
