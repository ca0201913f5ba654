import type { Kind } from './kinds.js'

/** A pool as it was found. */
export interface PoolFacts {
  name: string
  mode: string
  low_stock_threshold: number | null
  low_stock_percents: readonly number[]
  low_stock_days: number | null
  /** the last load into stock; null: there never was one */
  batch_id: string | null
  /** what was available when that was first seen; null: not counted */
  stocked: number | null
  /** licenses that orders asked for in the last 14 days, and how many days these are */
  sold: number
  sold_days: number
  /** the queue of paid lines; null: nobody waits, or the head is being supplied */
  waiting: { lines: number, licenses: number, since: string } | null
}

/** A kind with its step: whether it is so, is over, or stays as it is. */
export interface Verdict { kind: Kind, step: number, state: 'so' | 'over' | 'stays', data: Record<string, unknown> }

/** Cover must be longer by a fifth before the alert is over: the rate of sales goes up and down by itself. */
const DAYS_OVER = 1.2

/** Licenses that last for so many days, as they were sold. */
const lasting = ({ sold, sold_days }: PoolFacts, days: number): number => sold / sold_days * days

/** So many licenses have to be counted at most to judge the pool; `open`: the steps that stand, which only a load ends. */
export function countLimit (pool: PoolFacts, open: ReadonlySet<number>): number {
  const step = Math.max(0, ...pool.low_stock_percents.filter((percent) => !open.has(percent)))
  return Math.max(
    1,
    pool.low_stock_threshold ?? 0,
    step === 0 ? 0 : Math.floor((pool.stocked ?? 0) * step / 100) + 1,
    pool.low_stock_days === null ? 0 : Math.ceil(lasting(pool, pool.low_stock_days) * DAYS_OVER))
}

/**
 * What is to be said of a pool with so many licenses available, or so many and more where they reach the {@link countLimit}. A pool that nothing
 * was ever loaded into is not short of anything; paid lines may wait for it all the same.
 */
export function judge (pool: PoolFacts, available: number, open: ReadonlySet<number>): Verdict[] {
  const data = { name: pool.name, mode: pool.mode, available }
  const { waiting } = pool
  return [
    { kind: 'pool.backordered', step: 0, state: waiting === null ? 'over' : 'so', data: { name: pool.name, mode: pool.mode, ...waiting } },
    { kind: 'pool.empty', step: 0, state: pool.batch_id !== null && available === 0 ? 'so' : 'over', data },
    judgeThreshold(pool, available, data),
    judgeDays(pool, available, data),
    ...judgePercents(pool, available, open, data),
  ]
}

function judgeThreshold ({ batch_id, low_stock_threshold: threshold }: PoolFacts, available: number, data: object): Verdict {
  const is_low = batch_id !== null && threshold !== null && available < threshold
  return { kind: 'pool.low', step: 0, state: is_low ? 'so' : 'over', data: { ...data, threshold } }
}

function judgeDays (pool: PoolFacts, available: number, data: object): Verdict {
  const { batch_id, low_stock_days: days, sold, sold_days } = pool
  const verdict = { kind: 'pool.low_days', step: 0 } as const
  if (batch_id === null || days === null || sold === 0) return { ...verdict, state: 'over', data: {} }
  const per_day = Math.round(sold / sold_days * 10) / 10
  const said = { ...data, days, per_day, cover_days: Math.floor(available / sold * sold_days * 10) / 10 }
  if (available < lasting(pool, days)) return { ...verdict, state: 'so', data: said }
  return { ...verdict, state: available >= lasting(pool, days) * DAYS_OVER ? 'over' : 'stays', data: said }
}

/** Each step once for a load: what comes back by itself does not end it. Steps that are no more set are over. */
function judgePercents (pool: PoolFacts, available: number, open: ReadonlySet<number>, data: object): Verdict[] {
  const { stocked, low_stock_percents: percents } = pool
  const verdict = (step: number, state: Verdict['state']): Verdict => ({ kind: 'pool.low_percent', step, state, data: { ...data, stocked } })
  return [
    ...percents.map((step) => verdict(step, stocked !== null && stocked > 0 && available * 100 <= stocked * step ? 'so' : 'stays')),
    ...[...open].filter((step) => !percents.includes(step)).map((step) => verdict(step, 'over')),
  ]
}
