const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/**
 * How long after the 1st, 2nd, … call that failed for the time being the next one comes, in milliseconds; after the last the next supply is asked.
 * Three days and four hours in all: a service that broke on a Friday evening is mended on Monday.
 */
export const RETRY_DELAYS_MS: readonly number[] = [
  10 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, ...Array<number>(17).fill(4 * HOUR),
]

/** Calls in one round. */
export const ATTEMPTS_MAX = RETRY_DELAYS_MS.length + 1

const RETRY_AFTER_MAX_MS = 4 * HOUR // no longer than the longest wait of our own

/** Retry-After in seconds (RFC 9110 §10.2.3); what is none is 0. */
const retryAfterMs = (header: string): number => /^\d{1,9}$/.test(header) ? Math.min(Number(header) * SECOND, RETRY_AFTER_MAX_MS) : 0

/** The wait after a number of calls; undefined: there is no next one. Up to a fifth longer by chance; longer where the service asked for it. */
export function retryDelayMs (attempts: number, retry_after = ''): number | undefined {
  const delay = RETRY_DELAYS_MS[attempts - 1]
  return delay === undefined ? undefined : Math.round(Math.max(delay, retryAfterMs(retry_after)) * (1 + Math.random() * 0.2))
}
