/** Why a signal aborted. */
export const stopped = (signal: AbortSignal): Error => signal.reason as Error

export type Room = ReturnType<typeof room>

/** Places for a number of callers at a time; more of them wait in the order they came. */
export function room (places: number) {
  const waiting = new Set<() => void>()
  let free = places
  const enter = async (signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted()
    if (free > 0) { free--; return }
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => { signal.removeEventListener('abort', abort); resolve() }
      const abort = (): void => { waiting.delete(enter); reject(stopped(signal)) }
      signal.addEventListener('abort', abort)
      waiting.add(enter)
    })
  }
  const leave = (): void => {
    const [next] = waiting
    if (next === undefined) { free++; return }
    waiting.delete(next)
    next()
  }
  return {
    /** Does the work once there is a place for it. @throws the signal's reason when it aborts before that */
    async within<T> (signal: AbortSignal, work: () => Promise<T>): Promise<T> {
      await enter(signal)
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}
