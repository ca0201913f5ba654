import { sql, type RawBuilder, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { mailAddress } from '../deliveries/plan.js'
import { refreshFulfillment } from './fulfillment.js'
import { pickDated, type Pick, type PoolId } from './pick-dated.js'

/** Lines served by one statement: bounds its memory; the loop goes on while the queue moves. */
const LINES_PER_STATEMENT = 500

/** What decides what a pool gives. `is_dated`: its licenses may expire, and are taken by {@link pickDated} alone. */
export interface LockedPool { on_shortage: string, pick: Pick, is_dated: boolean }

/**
 * Locks pools in the order of their ids, as whoever adds stock or writes a backorder must, and returns the rules of each: read before,
 * they may have been changed. NO KEY: a plain FOR UPDATE would block the foreign-key checks of others.
 */
export async function lockPools (trx: Transaction<Database>, account_id: string, pool_ids: readonly string[]): Promise<Map<string, LockedPool>> {
  const pools = await trx.selectFrom('pools').select(['id', 'on_shortage', 'pick', sql<boolean>`dated_from is not null`.as('is_dated')])
    .where('account_id', '=', account_id).where('id', 'in', [...new Set(pool_ids)]).orderBy('id').forNoKeyUpdate().$narrowType<{ pick: Pick }>().execute()
  return new Map(pools.map(({ id, ...rules }) => [id, rules]))
}

/**
 * Serves a pool's queue of waiting lines from its stock, first come first served, and plans their mails, where the order has an address. The head
 * blocks: under policy `partial` it takes what there is, under the others it waits until its whole line is covered.
 * To be called, under the lock of {@link lockPools}, by whatever adds stock or queues a line, before it commits. Looks
 * without the mark and without SKIP LOCKED: it waits for takes in flight, so a license they give back is not missed.
 */
export async function fillPool (
  trx: Transaction<Database>, account_id: string, pool_id: string, reason: 'order' | 'backorder' | 'replacement' = 'backorder'
): Promise<{ allocated: number }> {
  const pool = (await lockPools(trx, account_id, [pool_id])).get(pool_id)
  const orders = new Set<string>()
  let allocated = 0
  for (let served = LINES_PER_STATEMENT; served >= LINES_PER_STATEMENT;) {
    const picked = pool?.is_dated === true ? await pickForHead(trx, { account_id, pool_id }, pool.pick) : pickPlain(account_id, pool_id)
    const { rows } = await serveHead(trx, { account_id, pool_id, reason, picked })
    for (const row of rows) orders.add(row.order_id)
    allocated += rows.reduce((sum, row) => sum + row.taken, 0)
    served = rows.filter((row) => row.whole).length
  }
  await refreshFulfillment(trx, account_id, [...orders])
  return { allocated }
}

/** What the head of the queue wants, `queue`, from stock that never expires: rows of position, license_id and nth. */
const pickPlain = (account_id: string, pool_id: string): RawBuilder<unknown> => sql`
  select position, license_id, row_number() over (order by position) as nth
  from (select position, license_id from stock where account_id = ${account_id} and pool_id = ${pool_id}
        order by position limit (select max(upto) from queue) for update) s`

/** The same of a pool with expiries, picked before. */
async function pickForHead (trx: Transaction<Database>, pool: PoolId, pick: Pick): Promise<RawBuilder<unknown>> {
  const { rows: [head] } = await sql<{ wanted: number }>`
    select coalesce(sum(missing), 0)::int as wanted from (
      select missing from backorders where account_id = ${pool.account_id} and pool_id = ${pool.pool_id} order by queue limit ${sql.lit(LINES_PER_STATEMENT)}) b`.execute(trx)
  const picked = await pickDated(trx, { ...pool, pick, wanted: head?.wanted ?? 0 })
  return sql`
    select * from unnest(${picked.map((row) => row.position)}::bigint[], ${picked.map((row) => row.license_id)}::text[]) with ordinality as s (position, license_id, nth)`
}

interface Served { order_id: string, taken: number, whole: boolean }
interface Head extends PoolId { reason: string, picked: RawBuilder<unknown> }

/**
 * One row per line that got something: how many licenses, and whether it has all now. Rows are found again by
 * `= any(array(…))`, an index look-up whatever the planner believes of the tables' sizes. Division by zero: rows vanished under the lock.
 */
async function serveHead (trx: Transaction<Database>, { account_id, pool_id, reason, picked }: Head): Promise<{ rows: Served[] }> {
  return sql<Served>`
    with pool as materialized (
      select on_shortage = 'partial' as partial from pools where account_id = ${account_id} and id = ${pool_id}
    ), queue as materialized (
      select b.*, sum(missing) over (order by queue) as upto
      from (select queue, order_id, line_item_id, missing from backorders
            where account_id = ${account_id} and pool_id = ${pool_id} order by queue limit ${sql.lit(LINES_PER_STATEMENT)}) b
    ), picked as materialized (${picked}
    ), served as materialized (
      select q.*, case when q.upto <= p.available then q.missing when pool.partial then greatest(0, p.available - (q.upto - q.missing)) else 0 end as taken
      from queue q cross join pool cross join (select count(*) as available from picked) p
    ), filled as materialized (
      select f.*, p.position, p.license_id
      from (select v.order_id, v.line_item_id, s.unit, row_number() over (order by v.queue, s.unit) as nth
            from served v cross join lateral (
              select unit from slots s where s.account_id = ${account_id} and s.line_item_id = v.line_item_id and s.cancelled_at is null
                and not exists (select from allocations a where a.account_id = ${account_id} and a.line_item_id = s.line_item_id and a.unit = s.unit and a.ended_as is null)
              order by unit limit v.taken) s
            where v.taken > 0) f
      join picked p using (nth)
    ), taken as (
      delete from stock where account_id = ${account_id} and pool_id = ${pool_id} and position = any(array(select position from filled)) returning position
    ), new_allocations as (
      insert into allocations (account_id, pool_id, position, license_id, order_id, line_item_id, unit)
      select ${account_id}, ${pool_id}, position, license_id, order_id, line_item_id, unit from filled
    ), left_queue as (
      delete from backorders where account_id = ${account_id} and pool_id = ${pool_id}
        and queue = any(array(select queue from served where taken = missing))
    ), still_waiting as (
      update backorders set missing = missing - (select taken::int from served where taken > 0 and taken < missing)
      where account_id = ${account_id} and pool_id = ${pool_id} and queue = (select queue from served where taken > 0 and taken < missing)
    ), new_status as (
      update line_items set fulfillment_status = case when id = any(array(select line_item_id from served where taken = missing)) then 'fulfilled' else 'partial' end
      where account_id = ${account_id} and id = any(array(select line_item_id from served where taken > 0))
    ), new_deliveries as (
      insert into deliveries (account_id, order_id, product_id, license_ids, "to", reason)
      select ${account_id}, order_id, product_id, license_ids, email, ${reason}
      from (select order_id, product_id, array_agg(license_id order by nth) as license_ids,
              (select ${mailAddress} from orders o where o.account_id = ${account_id} and o.id = order_id) as email
            from (select f.*, (select l.product_id from line_items l where l.account_id = ${account_id} and l.id = f.line_item_id) as product_id from filled f) f
            group by order_id, product_id) d
      where email is not null
    ), new_events as (
      insert into events (account_id, type, subject_id, data)
      select ${account_id}, 'license.allocated', license_id, jsonb_build_object('order_id', order_id, 'line_item_id', line_item_id, 'unit', unit) from filled
    )
    select order_id, taken::int as taken, taken = missing as whole from served
    where taken > 0 and 1 / (case when (select count(*) from taken) = (select coalesce(sum(v.taken), 0) from served v) then 1 else 0 end) = 1
  `.execute(trx)
}
