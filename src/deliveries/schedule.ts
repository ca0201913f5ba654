const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * How long after the 1st, 2nd, … try that was put off the next one comes, in milliseconds. After the last the delivery has failed.
 * Together a little over four days, which is how long mail systems keep trying (RFC 5321 §4.5.4.1: at least 4 to 5 days).
 */
export const RETRY_DELAYS_MS: readonly number[] = [
  10 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, ...Array<number>(12).fill(8 * HOUR),
]

/** A delivery is claimed at most this often. */
export const ATTEMPTS_MAX = RETRY_DELAYS_MS.length + 1

/** The wait after a number of tries, in milliseconds; undefined: there is no next one. */
export type RetryDelay = (attempts: number) => number | undefined

/** The wait after a number of tries; undefined: there is no next one. Up to a fifth longer by chance, so that a crowd disperses. */
export function retryDelayMs (attempts: number): number | undefined {
  const delay = RETRY_DELAYS_MS[attempts - 1]
  return delay === undefined ? undefined : Math.round(delay * (1 + Math.random() * 0.2))
}
