import { sql } from 'kysely'
import type { Reader } from '../database/connect.js'

/** Rows deleted by one statement: far below statement_timeout. */
const DROPPED_MAX = 50_000

/**
 * Empties the staging of a batch that is over, at most 50,000 rows; returns how many. By a range of lines: joined with
 * a list of them, a table without statistics may be scanned once per row.
 */
export async function dropSomeStaging (db: Reader, account_id: string, batch_id: string): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from staged_licenses where account_id = ${account_id} and batch_id = ${batch_id} and line <= (
      select max(line) from (
        select line from staged_licenses where account_id = ${account_id} and batch_id = ${batch_id} order by line limit ${sql.lit(DROPPED_MAX)}) s)`.execute(db)
  return Number(numAffectedRows)
}

/** Empties it whole, statement by statement: a crash between leaves the rest to the sweeper. */
export async function dropStaging (db: Reader, account_id: string, batch_id: string): Promise<void> {
  while (await dropSomeStaging(db, account_id, batch_id) > 0);
}
