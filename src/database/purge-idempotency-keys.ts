import { sql, type Kysely } from 'kysely'
import type { Database } from './connect.js'

const BATCH = 5000 // rows a statement: far below the statement timeout

/** Forgets the answers kept for repeats after 30 days. Statements of their own; returns how many went. */
export async function purgeIdempotencyKeys (db: Kysely<Database>): Promise<number> {
  for (let purged = 0; ;) {
    const { numAffectedRows = 0n } = await sql`
      delete from idempotency_keys where ctid = any(array(
        select ctid from idempotency_keys where created_at < now() - interval '30 days' order by created_at limit ${BATCH}))`.execute(db)
    purged += Number(numAffectedRows)
    if (numAffectedRows < BATCH) return purged
  }
}
