import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { SALES_DAYS } from './read-pools.js'

/** Orders that one transaction counts, about half a second of the database. */
const ORDERS_PER_SLICE = 20_000
/** The time of an order is that at which its transaction began: those of the last two minutes may not all be there yet. No transaction lasts longer. */
const LAG_S = 120

/** The accounts with a pool that watches its days of cover. */
export async function findSellers (db: Kysely<Database>): Promise<Array<{ account_id: string }>> {
  const { rows } = await sql<{ account_id: string }>`select distinct account_id from pools where low_stock_days is not null`.execute(db)
  return rows
}

/**
 * Goes on counting the orders of an account into its days, each order once: how far it came commits with what it added. An account that is new here
 * begins 14 days back, as does one that was left out for longer. Days that do not count any more are forgotten.
 */
export async function countSales (trx: Transaction<Database>, { account_id }: { account_id: string }): Promise<void> {
  const window = sql`now() - ${sql.lit(SALES_DAYS)} * interval '1 day'`
  await sql`insert into sales_counts (account_id, counted_until) values (${account_id}, ${window}) on conflict do nothing`.execute(trx)
  const { rows: [from] } = await sql<{ counted_until: string }>`
    select greatest(counted_until, ${window})::text as counted_until from sales_counts where account_id = ${account_id} for update skip locked`.execute(trx)
  if (from === undefined) return
  const recent = sql`account_id = ${account_id} and created_at > ${from.counted_until}::timestamptz and created_at <= now() - ${sql.lit(LAG_S)} * interval '1 s'`
  const { rows: [to] } = await sql<{ until: string | null }>`
    select coalesce(
      (select created_at from orders where ${recent} order by created_at offset ${sql.lit(ORDERS_PER_SLICE)} limit 1),
      now() - ${sql.lit(LAG_S)} * interval '1 s')::text as until`.execute(trx)
  await sql`
    insert into pool_sales as d (account_id, pool_id, day, licenses)
    select ${account_id}, l.pool_id, (o.created_at at time zone 'utc')::date, count(*)::int
    from orders o
    join line_items l on l.account_id = o.account_id and l.order_id = o.id
    join slots s on s.account_id = l.account_id and s.line_item_id = l.id
    where o.account_id = ${account_id} and o.created_at > ${from.counted_until}::timestamptz and o.created_at <= ${to?.until}::timestamptz
    group by 2, 3
    on conflict (account_id, pool_id, day) do update set licenses = d.licenses + excluded.licenses`.execute(trx)
  await sql`update sales_counts set counted_until = greatest(counted_until, ${to?.until}::timestamptz) where account_id = ${account_id}`.execute(trx)
  await sql`delete from pool_sales where account_id = ${account_id} and day <= (now() at time zone 'utc')::date - ${sql.lit(SALES_DAYS)}`.execute(trx)
}
