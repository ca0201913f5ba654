const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * How long after the 1st, 2nd, … time that the checkout could not be asked it is asked again, in milliseconds; after the last the event has failed.
 * Thirteen tries in a little over three days: an outage of its API over a weekend, or a limit that was reached. The table is in docs/checkouts/README.md.
 */
export const LOOK_UP_DELAYS_MS: readonly number[] = [
  5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, 24 * HOUR, 24 * HOUR,
]

/**
 * The wait after a number of tries; undefined: there is no next one. Up to a fifth longer by chance, so that a crowd disperses; longer where the
 * checkout asked for it.
 */
export function lookUpDelayMs (attempts: number, retry_after_ms: number): number | undefined {
  const delay = LOOK_UP_DELAYS_MS[attempts - 1]
  return delay === undefined ? undefined : Math.round(Math.max(delay, retry_after_ms) * (1 + Math.random() * 0.2))
}
