import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

/**
 * Lets lines wait for what they lack, whatever the policy of their pools: it was paid for, and given once. They come behind all who wait; one that waits
 * already keeps its place. The caller holds the pools and the orders, and calls fillPool.
 */
export async function queueLines (trx: Transaction<Database>, account_id: string, line_item_ids: readonly string[]): Promise<void> {
  await sql`
    insert into backorders (account_id, pool_id, queue, order_id, line_item_id, missing)
    select ${account_id}, l.pool_id, coalesce((
        select b.queue from backorders b where b.account_id = ${account_id} and b.pool_id = l.pool_id order by b.queue desc limit 1), 0)
      + row_number() over (partition by l.pool_id order by l.id), l.order_id, l.id, l.missing
    from (
      select l.id, l.order_id, l.pool_id, count(*)::int as missing
      from line_items l
      join slots s on s.account_id = l.account_id and s.line_item_id = l.id and s.cancelled_at is null
      left join allocations a on a.account_id = s.account_id and a.line_item_id = s.line_item_id and a.unit = s.unit and a.ended_as is null
      where l.account_id = ${account_id} and l.id = any(${line_item_ids}::text[]) and a.unit is null
      group by l.account_id, l.id) l
    on conflict on constraint backorders_once do update set missing = excluded.missing`.execute(trx)
}
