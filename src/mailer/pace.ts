import { setTimeout as delay } from 'node:timers/promises'

/** Lets through a number of callers per second, evenly, in the order they came. Aborted, a caller's turn is lost and it throws. */
export function pacer (per_second: number | undefined): (signal: AbortSignal) => Promise<void> {
  if (per_second === undefined) return async () => {}
  let next = 0
  return async (signal) => {
    const now = performance.now()
    const turn = Math.max(next, now)
    next = turn + 1000 / per_second
    if (turn > now) await delay(turn - now, undefined, { signal })
  }
}
