import { sql, type Kysely } from 'kysely'
import type { Database } from './connect.js'

/** Rows, and share of the table, that must have come since PostgreSQL last looked. */
const CHANGED_MIN = 100
const CHANGED_SHARE = 0.2

/**
 * Has PostgreSQL count the tables that grew much, sooner than autovacuum would (a minute at best). While a table is believed to hold
 * a row or none, all its indexes look equal, and prepared look-ups, those of foreign keys too, may go by one that reads every row of the
 * account: each order then costs more than the last. New counts have every connection plan anew. Returns the tables.
 */
export async function analyzeGrown (db: Kysely<Database>): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_stat_user_tables s join pg_class c on c.oid = s.relid
    where s.schemaname = current_schema()
      and s.n_mod_since_analyze > ${sql.lit(CHANGED_MIN)} + ${sql.lit(CHANGED_SHARE)} * greatest(c.reltuples, 0)
    order by 1`.execute(db)
  for (const { name } of rows) await sql`analyze (skip_locked) ${sql.table(name)}`.execute(db)
  return rows.map((row) => row.name)
}
