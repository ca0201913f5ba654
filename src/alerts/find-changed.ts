import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'

export interface PoolId { account_id: string, pool_id: string }

/** Pools that one transaction looks at: bounds how long it holds their watches. */
const POOLS_PER_LOOK = 50
/** Pools that one round looks at; the others come in the next, the longest not looked at first. */
const POOLS_PER_ROUND = 2000
/** A pool is looked at this often though nothing showed: sales rates change, and a withdrawal does not show. */
const LOOK_AGAIN_S = 60

/**
 * What shows without a count that something has happened to the stock of the pool `p`: the ends of its indexes. Stock that comes moves next_position,
 * a take the newest allocation.
 */
export const signature = sql<string>`concat_ws(' ', p.next_position, extract(epoch from p.updated_at),
  (select a.position from allocations a where a.account_id = p.account_id and a.pool_id = p.id order by a.position desc limit 1),
  (select h.expires_at from held_licenses h where h.account_id = p.account_id and h.pool_id = p.id order by h.expires_at desc limit 1),
  (select b.queue from backorders b where b.account_id = p.account_id and b.pool_id = p.id order by b.queue limit 1))`

/** Begins to watch pools that are new. */
export async function watchNewPools (trx: Transaction<Database>): Promise<void> {
  await sql`
    insert into pool_watches (account_id, pool_id)
    select p.account_id, p.id from pools p where not exists (select from pool_watches w where w.account_id = p.account_id and w.pool_id = p.id)
    on conflict do nothing`.execute(trx)
}

/** The pools to look at now, in portions. A few index look-ups for each that there is. */
export async function findChangedPools (db: Kysely<Database>): Promise<PoolId[][]> {
  const { rows } = await sql<PoolId>`
    select w.account_id, w.pool_id from pool_watches w join pools p on p.account_id = w.account_id and p.id = w.pool_id
    where w.look_at <= now() and (w.looked_at < now() - ${LOOK_AGAIN_S} * interval '1 s' or w.seen <> ${signature})
    order by w.looked_at limit ${sql.lit(POOLS_PER_ROUND)}`.execute(db)
  return Array.from({ length: Math.ceil(rows.length / POOLS_PER_LOOK) }, (_, i) => rows.slice(i * POOLS_PER_LOOK, (i + 1) * POOLS_PER_LOOK))
}
