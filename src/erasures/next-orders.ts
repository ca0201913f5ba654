import { sql, type RawBuilder, type SqlBool, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/** Orders that one transaction looks at: some milliseconds. */
const SCANNED = 1000

export interface NextOrders {
  /** of those looked at, what is to be erased or to be left, in the order of their ids */
  found: Array<{ id: string, is_kept: boolean }>
  /** the last one looked at; null: there are no more */
  last: string | null
}

/** Looks through the next orders of an account. Both conditions are on the row `o` of orders. */
export async function nextOrders (
  trx: Transaction<Database>, { account_id, cursor }: { account_id: string, cursor: string },
  which: { is_meant: RawBuilder<SqlBool>, is_kept: RawBuilder<SqlBool> }
): Promise<NextOrders> {
  const { rows: [row] } = await sql<NextOrders>`
    with scanned as materialized (
      select * from orders where account_id = ${account_id} and id > ${cursor} order by id limit ${SCANNED}
    )
    select (select id from scanned order by id desc limit 1) as last, coalesce((
      select jsonb_agg(jsonb_build_object('id', o.id, 'is_kept', ${which.is_kept}) order by o.id) from scanned o where o.erased_at is null and ${which.is_meant}), '[]') as found`.execute(trx)
  return row as NextOrders
}

/** Of the row `o` of orders: this address, in lower case, is its customer's or licensee's, or it was mailed there. */
export function isOf (email: string): RawBuilder<SqlBool> {
  return sql<SqlBool>`(lower(o.customer ->> 'email') = ${email} or lower(o.mail_to) = ${email} or lower(o.customer #>> '{licensee,email}') = ${email} or exists (
    select from deliveries d where d.account_id = o.account_id and d.order_id = o.id and lower(d."to") = ${email}))`
}
