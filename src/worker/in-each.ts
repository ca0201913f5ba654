import type { Kysely, Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { inTransaction } from '../database/transaction.js'

/** Works on each of what is found, in a transaction of its own. One that fails stops none of the others, and is reported at the end. */
export async function inEach<T> (
  db: Kysely<Database>, find: (db: Kysely<Database>) => Promise<T[]>, work: (trx: Transaction<Database>, found: T) => Promise<unknown>
): Promise<void> {
  const failures: unknown[] = []
  for (const found of await find(db)) await inTransaction(db, (trx) => work(trx, found)).catch((error: unknown) => failures.push(error))
  if (failures.length > 0) throw failures[0]
}
