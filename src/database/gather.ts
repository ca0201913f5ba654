import { setTimeout as delay } from 'node:timers/promises'

/**
 * Makes of work on many things a function of one: what is asked for while some are being worked on is done together next, at most `size_max` at a
 * time. When `work` fails, all of its round fail. `work` answers in the order of what it was given. `wait_ms`: how long a round waits for more.
 */
export function gather<T, R> (size_max: number, work: (things: T[]) => Promise<R[]>, wait_ms = 0): (thing: T) => Promise<R> {
  const waiting: Array<{ thing: T, resolve: (result: R) => void, reject: (error: Error) => void }> = []
  let busy = false
  const round = async (): Promise<void> => {
    const some = waiting.splice(0, size_max)
    try {
      const results = await work(some.map((each) => each.thing))
      some.forEach((each, i) => { each.resolve(results[i] as R) })
    } catch (error) {
      for (const each of some) each.reject(error as Error)
    }
  }
  const start = async (): Promise<void> => {
    if (busy) return
    busy = true
    while (waiting.length > 0) {
      if (wait_ms > 0 && waiting.length < size_max) await delay(wait_ms)
      await round()
    }
    busy = false
  }
  return (thing) => new Promise((resolve, reject) => {
    waiting.push({ thing, resolve, reject })
    setImmediate(start) // what is asked for at the same moment goes together from the first
  })
}
