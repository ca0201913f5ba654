import { sql, type Transaction } from 'kysely'
import type { Database, Reader } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'

/** What a recall would find now: how many of the batch are unsold, held by orders, and ended before; and by how many the stock left would fall short. */
export interface Prospect { total: number, unsold: number, delivered: number, ended: number, orders: number, short: number }

/**
 * Says what a recall of a batch would do, and changes nothing. `short` is as of now, without what others wait for.
 *
 * @throws Problem batch-not-found
 */
export async function foreseeRecall (db: Reader, account_id: string, batch_id: string): Promise<Prospect> {
  const { pool_id, loaded } = await findLoaded(db, account_id, batch_id)
  const { rows: [counts] } = await sql<{ unsold: number, delivered: number, orders: number, left: number }>`
    with batch as materialized (select id from licenses where account_id = ${account_id} and pool_id = ${pool_id} and batch_id = ${batch_id}),
    unsold as (
      select count(*)::int as n from (
        select license_id from stock where account_id = ${account_id} and pool_id = ${pool_id}
        union all select license_id from held_licenses where account_id = ${account_id} and pool_id = ${pool_id}) s
      where license_id in (select id from batch)
    ), delivered as (
      select count(*)::int as n, count(distinct order_id)::int as orders from allocations
      where account_id = ${account_id} and pool_id = ${pool_id} and ended_as is null and license_id in (select id from batch)
    ), remaining as (
      select (select count(*) from fit_stock where account_id = ${account_id} and pool_id = ${pool_id} and license_id not in (select id from batch))
        - (select coalesce(sum(missing), 0) from backorders where account_id = ${account_id} and pool_id = ${pool_id}) as n
    )
    select unsold.n as unsold, delivered.n as delivered, orders, greatest(remaining.n, 0)::int as left from unsold, delivered, remaining`.execute(db)
  const { unsold = 0, delivered = 0, orders = 0, left = 0 } = counts ?? {}
  return { total: loaded, unsold, delivered, ended: loaded - unsold - delivered, orders, short: Math.max(0, delivered - left) }
}

interface NewRecall { account_id: string, batch_id: string, reason: string, actor: string }

/**
 * Begins the recall of a batch; the worker does it. One that runs already goes on instead. The caller calls wakeWorker() after the commit.
 *
 * @throws Problem batch-not-found
 */
export async function startRecall (trx: Transaction<Database>, { account_id, batch_id, reason, actor }: NewRecall): Promise<{ id: string, created: boolean }> {
  const { pool_id, loaded } = await findLoaded(trx, account_id, batch_id)
  // a literal: of a parameter, a plan for any value cannot tell that it meets the condition of the index
  const recall = await trx.insertInto('recalls').values({ account_id, batch_id, pool_id, reason, total: loaded, created_by: actor })
    .onConflict((conflict) => conflict.columns(['account_id', 'batch_id']).where('status', '=', sql.lit('running')).doNothing()).returning('id').executeTakeFirst()
  if (recall !== undefined) {
    await recordEvent(trx, { account_id, type: 'batch.recall_started', subject_id: batch_id, actor, data: { recall_id: recall.id, reason } })
    return { id: recall.id, created: true }
  }
  const running = await trx.selectFrom('recalls').select('id').where('account_id', '=', account_id).where('batch_id', '=', batch_id)
    .where('status', '=', 'running').executeTakeFirstOrThrow()
  return { id: running.id, created: false }
}

/** A load that broke off brought nothing. */
async function findLoaded (db: Reader, account_id: string, id: string): Promise<{ pool_id: string, loaded: number }> {
  const batch = await db.selectFrom('batches').select(['pool_id', 'loaded']).where('account_id', '=', account_id).where('id', '=', id)
    .where('status', '=', 'loaded').executeTakeFirst()
  if (batch === undefined) throw new Problem('batch-not-found')
  return batch
}
