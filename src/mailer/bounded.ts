/** A signal that aborts with another or after a time. */
export interface Bounded { signal: AbortSignal, over: () => void }

/**
 * Aborts as `signal` does, and after `ms`. Whoever is done calls `over`: AbortSignal.any and AbortSignal.timeout would leave a timer of minutes behind
 * each mail, for the garbage collector to find.
 */
export function bounded (signal: AbortSignal, ms?: number): Bounded {
  const controller = new AbortController()
  const abort = (): void => { controller.abort(signal.reason) }
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort)
  const timer = ms === undefined ? undefined : setTimeout(() => { controller.abort(new DOMException(`not over within ${ms} ms`, 'TimeoutError')) }, ms).unref()
  return {
    signal: controller.signal,
    over () {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    },
  }
}
