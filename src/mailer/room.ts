/** Why a signal aborted. */
export const stopped = (signal: AbortSignal): Error => signal.reason as Error

/** Places for a number of callers at a time; more of them wait in the order they came. */
export function room (places: number) {
  const waiting: Array<() => void> = []
  let free = places
  return {
    /** Resolves when there is a place. Who entered leaves. @throws the signal's reason when it aborts before that */
    async enter (signal: AbortSignal): Promise<void> {
      signal.throwIfAborted()
      if (free > 0) { free--; return }
      await new Promise<void>((resolve, reject) => {
        const enter = (): void => { signal.removeEventListener('abort', abort); resolve() }
        const abort = (): void => { waiting.splice(waiting.indexOf(enter), 1); reject(stopped(signal)) }
        signal.addEventListener('abort', abort)
        waiting.push(enter)
      })
    },
    leave (): void {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    },
  }
}
