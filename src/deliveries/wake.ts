// The bell between the code that plans work and the worker of this process. It only shortens the wait:
// work is found by polling the database, so a bell rung in another process, or lost, costs one poll.

import { EventEmitter } from 'node:events'

const bell = new EventEmitter()
let rung = false

/** Call after the commit of anything the worker should do soon. */
export function wakeWorker (): void {
  rung = true
  bell.emit('ring')
}

/**
 * Resolves on the next ring, after `ms` milliseconds, or when `signal` aborts; never rejects.
 * A ring while nobody waited counts: the next wait returns at once.
 */
export function waitForWake (ms: number, signal?: AbortSignal): Promise<void> {
  if (rung || signal?.aborted) {
    rung = false
    return Promise.resolve()
  }
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      bell.off('ring', done)
      signal?.removeEventListener('abort', done)
      rung = false
      resolve()
    }
    const timer = setTimeout(done, ms)
    bell.on('ring', done)
    signal?.addEventListener('abort', done)
  })
}
