import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely, Transaction } from 'kysely'
import type { Database } from './connect.js'
import { inTransaction } from './transaction.js'

const TRIES_MAX = 20 // with the waits between them about the time a database takes to come back
const STEP_MS = 250
const STEPS_MAX = 4

/**
 * Runs `work` in one transaction, again and again while the database is away: for the note after a mail or a call, which must not be made twice for
 * want of it. Once `signal` has aborted the first failure is thrown.
 */
export function insist<T> (db: Kysely<Database>, work: (trx: Transaction<Database>) => Promise<T>, signal: AbortSignal): Promise<T> {
  return insistOn(() => inTransaction(db, work), signal)
}

/** The same of work that is one statement, and so a transaction by itself. */
export async function insistOn<T> (work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work()
    } catch (error) {
      if (tries === TRIES_MAX || signal.aborted) throw error
      await delay(STEP_MS * Math.min(tries, STEPS_MAX))
    }
  }
}
