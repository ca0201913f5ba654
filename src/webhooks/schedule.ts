import { retryAfterMs } from './call.js'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * How long after the 1st, 2nd, … try that failed the next one comes, in milliseconds; after the last the message has failed. Changes: the schedule
 * that Standard Webhooks 1.0.0 recommends, ten tries in 75 hours. Signals: as long, but every hour, as there is only one of a webhook.
 */
export const RETRY_DELAYS_MS: Readonly<Record<'signal' | 'change', readonly number[]>> = {
  change: [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR],
  signal: [5 * SECOND, 5 * MINUTE, 30 * MINUTE, ...Array<number>(75).fill(HOUR)],
}

/** A message is claimed at most this often, unless it is replayed. */
export const ATTEMPTS_MAX = { signal: RETRY_DELAYS_MS.signal.length + 1, change: RETRY_DELAYS_MS.change.length + 1 }

/**
 * The wait after a number of tries; undefined: there is no next one. Up to a fifth longer by chance, so that a crowd disperses; longer
 * where the endpoint asked for it, up to a day.
 */
export function retryDelayMs (kind: 'signal' | 'change', attempts: number, retry_after = ''): number | undefined {
  const delay = RETRY_DELAYS_MS[kind][attempts - 1]
  return delay === undefined ? undefined : Math.round(Math.max(delay, retryAfterMs(retry_after)) * (1 + Math.random() * 0.2))
}
