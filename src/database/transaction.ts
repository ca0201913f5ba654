import type { Kysely, Transaction } from 'kysely'
import type { Database } from './connect.js'

/** Deadlock and serialization failure: PostgreSQL undid the transaction and says that running it again is right. */
const RETRIED = new Set(['40P01', '40001'])
const TRIES_MAX = 5

/**
 * Runs `work` in one transaction and commits; undone by a deadlock, it runs again, up to five times in all.
 * Called by routes and by jobs of the worker, nowhere else. Nothing but SQL is awaited in `work`, which may run twice.
 */
export async function inTransaction<T> (db: Kysely<Database>, work: (trx: Transaction<Database>) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await db.transaction().execute(work)
    } catch (error) {
      if (tries === TRIES_MAX || !RETRIED.has((error as { code?: string }).code ?? '')) throw error
    }
  }
}
