import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'

/** Rows deleted by one statement: far below statement_timeout. */
export const DROPPED_MAX = 50_000

/** Empties the staging of a batch that is over. Statement by statement: a crash between leaves the rest to the sweeper. */
export async function dropStaging (db: Reader, account_id: string, batch_id: string): Promise<void> {
  for (let dropped = DROPPED_MAX; dropped === DROPPED_MAX;) {
    const { numAffectedRows } = await sql`
      delete from staged_licenses where account_id = ${account_id} and batch_id = ${batch_id} and line in (
        select line from staged_licenses where account_id = ${account_id} and batch_id = ${batch_id} order by line limit ${sql.lit(DROPPED_MAX)})`.execute(db)
    dropped = Number(numAffectedRows)
  }
}
