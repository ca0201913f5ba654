import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { lockPools } from '../licenses/fill.js'

/**
 * Locks the pools of lines, and those that their products name next, in the order of their ids, so that a line that turns out to be short can go on to these.
 * Returns the policies for a shortage of the lines' own pools.
 */
export async function lockWithNext (
  trx: Transaction<Database>, account_id: string, lines: ReadonlyArray<{ id: string, pool_id: string }>
): Promise<Map<string, string>> {
  const { rows } = await sql<{ pool_id: string }>`
    select s.pool_id from line_items l join product_supplies s on s.account_id = l.account_id and s.product_id = l.product_id
    where l.account_id = ${account_id} and l.id = any(${lines.map((line) => line.id)}::text[]) and s.pool_id is not null`.execute(trx)
  const own = new Set(lines.map((line) => line.pool_id))
  const pools = await lockPools(trx, account_id, [...own, ...rows.map((row) => row.pool_id)])
  return new Map([...pools].filter(([pool_id]) => own.has(pool_id)).map(([pool_id, { on_shortage }]) => [pool_id, on_shortage]))
}
