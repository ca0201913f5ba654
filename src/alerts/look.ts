import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { countStock } from './count-stock.js'
import type { PoolId } from './find-changed.js'
import { countLimit, judge, type Verdict } from './judge.js'
import type { Kind } from './kinds.js'
import { clearAlerts, raiseAlerts } from './raise.js'
import { readPools, type WatchedPool } from './read-pools.js'

/** Rows of an index that one pool may cost in a second, about half a millisecond: what needs a larger count is looked at less often. */
const ROWS_PER_SECOND = 10_000

interface OpenAlert { account_id: string, id: string, kind: Kind, subject_id: string, step: number }

/** A pool in the course of a look. */
interface Look { pool: WatchedPool, open: OpenAlert[], steps: Set<number>, verdicts: Verdict[], counted: number }

/**
 * Looks at pools: raises what is so, clears what is over, and writes down what was seen. A pool that another worker looks at is left to it.
 * Reads after it has locked, so that two who look one after the other see what the first one did.
 */
export async function lookAtPools (trx: Transaction<Database>, asked: readonly PoolId[]): Promise<void> {
  const { rows: locked } = await sql<PoolId>`
    select w.account_id, w.pool_id from pool_watches w
    join json_to_recordset(${JSON.stringify(asked)}::json) as x (account_id text, pool_id text) on w.account_id = x.account_id and w.pool_id = x.pool_id
    order by w.account_id, w.pool_id for update of w skip locked`.execute(trx)
  const pools = await readPools(trx, locked)
  const open = await openAlerts(trx, locked)
  const looks: Look[] = pools.map((pool) => {
    const mine = open.filter((alert) => alert.account_id === pool.account_id && alert.subject_id === pool.pool_id)
    const steps = new Set(mine.filter((alert) => alert.kind === 'pool.low_percent').map((alert) => alert.step))
    return { pool, open: mine, steps, verdicts: [], counted: 0 }
  })
  await noteRestocks(trx, looks)
  await judgeAll(trx, looks, true)
  // a count from the mark may be too small: nothing is raised on it
  await judgeAll(trx, looks.filter((look) => news(look).length > 0), false)
  await raiseAlerts(trx, looks.flatMap((look) => news(look).map(({ kind, step, data }) =>
    ({ account_id: look.pool.account_id, kind, subject_id: look.pool.pool_id, step, topic: look.pool.pool_id, data }))))
  const over = looks.flatMap(({ open, verdicts }) => open.filter(({ kind, step }) =>
    verdicts.some((verdict) => verdict.kind === kind && verdict.step === step && verdict.state === 'over')))
  await clearAlerts(trx, over.map((alert) => alert.account_id), over.map((alert) => alert.id))
  await writeDown(trx, looks)
}

async function openAlerts (trx: Transaction<Database>, pools: readonly PoolId[]): Promise<OpenAlert[]> {
  const { rows } = await sql<OpenAlert>`
    select a.account_id, a.id, a.kind, a.subject_id, a.step from json_to_recordset(${JSON.stringify(pools)}::json) as x (account_id text, pool_id text)
    join alerts a on a.account_id = x.account_id and a.subject_id = x.pool_id and a.kind like 'pool.%' and a.cleared_at is null`.execute(trx)
  return rows
}

/** Verdicts that are so and not open yet. */
const news = ({ open, verdicts }: Look): Verdict[] =>
  verdicts.filter(({ kind, step, state }) => state === 'so' && !open.some((alert) => alert.kind === kind && alert.step === step))

/** After a load the steps count anew, of what there is then; also once they are set at all. */
async function noteRestocks (trx: Transaction<Database>, looks: readonly Look[]): Promise<void> {
  const restocked = looks.filter(({ pool }) => pool.batch_id !== pool.seen_batch_id)
  const over = restocked.flatMap(({ open }) => open.filter((alert) => alert.kind === 'pool.low_percent'))
  await clearAlerts(trx, over.map((alert) => alert.account_id), over.map((alert) => alert.id))
  for (const look of restocked) {
    look.pool.stocked = null
    look.open = look.open.filter((alert) => alert.kind !== 'pool.low_percent')
    look.steps.clear()
  }
  const uncounted = looks.filter(({ pool }) => pool.low_stock_percents.length > 0 && pool.batch_id !== null && pool.stocked === null)
  const counts = await countStock(trx, uncounted.map(({ pool }) => ({ ...poolId(pool), limit: null })), false)
  uncounted.forEach((look, i) => {
    look.pool.stocked = counts[i] ?? 0
    look.counted += look.pool.stocked
  })
}

const poolId = ({ account_id, pool_id, is_dated }: WatchedPool): PoolId & { is_dated: boolean } => ({ account_id, pool_id, is_dated })

async function judgeAll (trx: Transaction<Database>, looks: readonly Look[], from_mark: boolean): Promise<void> {
  const counts = await countStock(trx, looks.map(({ pool, steps }) => ({ ...poolId(pool), limit: countLimit(pool, steps) })), from_mark)
  looks.forEach((look, i) => {
    const available = counts[i] ?? 0
    look.verdicts = judge(look.pool, available, look.steps)
    look.counted += available
  })
}

async function writeDown (trx: Transaction<Database>, looks: readonly Look[]): Promise<void> {
  const rows = looks.map(({ pool: { account_id, pool_id, seen, batch_id, stocked }, counted }) =>
    ({ account_id, pool_id, seen, batch_id, stocked, rest_s: counted / ROWS_PER_SECOND }))
  await sql`
    update pool_watches w set seen = x.seen, batch_id = x.batch_id, stocked = x.stocked, looked_at = now(), look_at = now() + x.rest_s * interval '1 s'
    from json_to_recordset(${JSON.stringify(rows)}::json) as x (account_id text, pool_id text, seen text, batch_id text, stocked integer, rest_s float)
    where w.account_id = x.account_id and w.pool_id = x.pool_id`.execute(trx)
}
