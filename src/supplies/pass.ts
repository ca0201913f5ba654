import type { Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { informLine } from './inform.js'
import type { ShortLine, Step } from './short-line.js'
import { takeFromPool } from './take-from-pool.js'

/** A supply that has to be called. */
export type CalledStep = Step & { type: 'web_service' | 'emulator' }

export const isCalled = (step: Step): step is CalledStep => step.type === 'web_service' || step.type === 'emulator'

/**
 * Passes supplies of a line that need no call, in their order: takes what pools have, informs the customer. Returns how many of the `wanted` licenses
 * are still missing.
 */
export async function passSteps (trx: Transaction<Database>, line: ShortLine, steps: readonly Step[], wanted: number): Promise<number> {
  let left = wanted
  for (const step of steps) {
    if (left <= 0) break
    if (step.type === 'pool' && step.pool_id !== null) left -= await takeFromPool(trx, line, step.pool_id, left)
    if (step.type === 'information') await informLine(trx, line, step.settings)
  }
  return left
}
