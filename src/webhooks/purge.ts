import { sql, type Kysely } from 'kysely'
import type { Database } from '../database/connect.js'

const KEPT_DAYS = 30
const BATCH = 2000 // messages a statement, with their tries: far below the statement timeout

/** Runs a statement that deletes up to a batch until it finds less. */
async function drain (db: Kysely<Database>, doomed: ReturnType<typeof sql>): Promise<number> {
  for (let purged = 0; ;) {
    const { numAffectedRows = 0n } = await sql`delete from webhook_messages where (account_id, id) in (${doomed})`.execute(db)
    purged += Number(numAffectedRows)
    if (numAffectedRows < BATCH) return purged
  }
}

/** Forgets messages after 30 days, and those of deleted webhooks, with their tries. Statements of their own; returns how many went. */
export async function purgeMessages (db: Kysely<Database>): Promise<number> {
  const old = sql`select account_id, id from webhook_messages where created_at < now() - ${KEPT_DAYS} * interval '1 day' order by created_at limit ${BATCH}::int`
  const orphaned = sql`select m.account_id, m.id from webhooks w cross join lateral (
    select account_id, id from webhook_messages m where m.account_id = w.account_id and m.webhook_id = w.id limit ${BATCH}::int) m
    where w.deleted_at is not null limit ${BATCH}::int`
  return await drain(db, old) + await drain(db, orphaned)
}
