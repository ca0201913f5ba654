import type { Readable } from 'node:stream'
import { Problem } from '../problems.js'

/** Slower than this, on average over the window, is not an upload but a held connection. Its total time is not limited. */
export interface SlowLimit { bytes_per_second_min: number, window_ms: number }
const SLOW_LIMIT: SlowLimit = { bytes_per_second_min: 1024, window_ms: 30_000 }

/**
 * The bytes of a request as they come, for as long as they come fast enough. Only the wait for the client counts, not the time
 * that its bytes wait for us. Leaves the stream open, so that a refusal can still be answered.
 *
 * @throws Problem request-timeout, load-interrupted
 */
export async function * uploadOf (stream: Readable, { bytes_per_second_min, window_ms }: SlowLimit = SLOW_LIMIT): AsyncGenerator<Buffer> {
  const chunks = stream.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, undefined>
  const bytes_min = bytes_per_second_min * window_ms / 1000
  let waited_ms = 0
  let bytes = 0
  for (;;) {
    let began_at = performance.now()
    const next = chunks.next()
    while (await isLate(next, window_ms - waited_ms)) {
      if (bytes < bytes_min) throw new Problem('request-timeout', `an upload must bring at least ${bytes_per_second_min} bytes a second; load again from the start`)
      waited_ms = bytes = 0
      began_at = performance.now()
    }
    const { value, done } = await next.catch(() => { throw new Problem('load-interrupted', 'the upload broke off') })
    if (done === true) return
    waited_ms += performance.now() - began_at
    bytes += value.length
    yield value
  }
}

/** Whether `next` is still under way after `ms`. Never rejects: that is for whoever awaits `next`. */
async function isLate (next: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => { timer = setTimeout(resolve, Math.max(ms, 0), true) })
  try {
    return await Promise.race([late, next.then(() => false, () => false)])
  } finally {
    clearTimeout(timer)
  }
}
