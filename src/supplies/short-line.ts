import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { lockPools, type LockedPool } from '../licenses/fill.js'

export interface LineId { account_id: string, line_item_id: string }

/** One supply of a product, as a line that is short meets it. */
export interface Step {
  step: number
  type: 'pool' | 'web_service' | 'emulator' | 'information'
  pool_id: string | null
  settings: { per?: 'unit' | 'line', subject?: string, text?: string }
}

/** A line and what it waits for. */
export interface ShortLine extends LineId {
  order_id: string
  product_id: string
  pool_id: string
  mode: 'live' | 'test'
  /** the pool's policy: it takes what there is; otherwise only all that it misses */
  is_partial: boolean
  /** the pools that it may be given licenses of, all locked */
  pools: ReadonlyMap<string, LockedPool>
  /** licenses that it waits for; 0: it does not wait */
  missing: number
  /** of these, what lies in its pool for it and does not cover it alone: it is the first to wait there */
  in_stock: number
  /** what is for orders of its mode, in order */
  steps: Step[]
}

/**
 * Locks the pool of a line and the pools that its product names next, in the order of their ids, then the order: nobody else gives the line licenses until
 * the transaction ends. What is returned is read after.
 */
export async function lockShortLine (trx: Transaction<Database>, { account_id, line_item_id }: LineId): Promise<ShortLine> {
  const { order_id, product_id, pool_id } = await trx.selectFrom('line_items').select(['order_id', 'product_id', 'pool_id'])
    .where('account_id', '=', account_id).where('id', '=', line_item_id).executeTakeFirstOrThrow()
  const next = await trx.selectFrom('product_supplies').select('pool_id').where('account_id', '=', account_id).where('product_id', '=', product_id)
    .where('pool_id', 'is not', null).$narrowType<{ pool_id: string }>().execute()
  const pools = await lockPools(trx, account_id, [pool_id, ...next.map((supply) => supply.pool_id)])
  const { mode } = await trx.selectFrom('orders').select('mode').where('account_id', '=', account_id).where('id', '=', order_id)
    .$narrowType<{ mode: 'live' | 'test' }>().forNoKeyUpdate().executeTakeFirstOrThrow()
  const steps = await trx.selectFrom('product_supplies').select(['step', 'type', 'pool_id', 'settings'])
    .where('account_id', '=', account_id).where('product_id', '=', product_id).where(sql<boolean>`${mode} = any(modes)`).orderBy('step').execute()
  return {
    ...{ account_id, line_item_id, order_id, product_id, pool_id, mode, pools, is_partial: pools.get(pool_id)?.on_shortage === 'partial' },
    ...await demandOf(trx, { account_id, line_item_id }),
    // a pool that was named since is not locked: the next look finds it
    steps: (steps as unknown as Step[]).filter((step) => step.pool_id === null || pools.has(step.pool_id)),
  }
}

/** What the line misses now. Its rows are under the lock of its pool. */
export async function demandOf (trx: Transaction<Database>, { account_id, line_item_id }: LineId): Promise<{ missing: number, in_stock: number }> {
  const { rows: [demand] } = await sql<{ missing: number, in_stock: number }>`
    select b.missing, case when (
        select h.queue from backorders h where h.account_id = b.account_id and h.pool_id = b.pool_id order by h.queue limit 1) = b.queue
      then (select count(*)::int from (select from fit_stock s where s.account_id = b.account_id and s.pool_id = b.pool_id limit b.missing) s) else 0 end as in_stock
    from backorders b where b.account_id = ${account_id} and b.line_item_id = ${line_item_id}`.execute(trx)
  return demand ?? { missing: 0, in_stock: 0 }
}
