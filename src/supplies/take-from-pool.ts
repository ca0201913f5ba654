import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { pickDated, type Picked, type PoolId } from '../licenses/pick-dated.js'
import { giveToLine, type Free } from './give.js'
import type { ShortLine } from './short-line.js'

/**
 * Takes up to `wanted` licenses for a line from another pool, which is locked too, and returns how many: all or none, unless the policy of the line's own
 * pool is to take what there is. A pool in which somebody waits counts as empty: nobody overtakes.
 */
export async function takeFromPool (trx: Transaction<Database>, line: ShortLine, pool_id: string, wanted: number): Promise<number> {
  const { account_id, is_partial, pools } = line
  const pool = pools.get(pool_id)
  if (pool === undefined || !await isOpen(trx, line, pool_id)) return 0
  const rows = pool.is_dated ? await pickDated(trx, { account_id, pool_id, pick: pool.pick, wanted }) : await pickPlain(trx, { account_id, pool_id }, wanted)
  if (rows.length === 0 || (rows.length < wanted && !is_partial)) return 0
  const licenses: Free[] = rows.map((row) => ({ ...row, pool_id }))
  const deleted = await trx.deleteFrom('stock').where('account_id', '=', account_id).where('pool_id', '=', pool_id)
    .where('position', '=', sql<string>`any(${rows.map((row) => row.position)}::bigint[])`).executeTakeFirst()
  if (deleted.numDeletedRows !== BigInt(rows.length)) throw new Error(`rows of the stock of ${pool_id} vanished under the lock`)
  await giveToLine(trx, line, licenses)
  return rows.length
}

/** Whether the pool is of the line's mode and nobody waits in it. */
async function isOpen (trx: Transaction<Database>, { account_id, mode }: ShortLine, pool_id: string): Promise<boolean> {
  const { rows } = await sql`
    select from pools p where p.account_id = ${account_id} and p.id = ${pool_id} and p.mode = ${mode}
      and not exists (select from backorders b where b.account_id = p.account_id and b.pool_id = p.id)`.execute(trx)
  return rows.length > 0
}

/** Looks without the mark and without SKIP LOCKED, as whoever fills the queue of a pool does. */
async function pickPlain (trx: Transaction<Database>, { account_id, pool_id }: PoolId, wanted: number): Promise<Picked[]> {
  const { rows } = await sql<Picked>`
    select position, license_id from stock where account_id = ${account_id} and pool_id = ${pool_id} order by position limit ${wanted} for update`.execute(trx)
  return rows
}
