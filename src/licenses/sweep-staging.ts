import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { DROPPED_MAX } from './drop-staging.js'

/**
 * Abandons loads whose last sign of life is older than `older_than_ms`, and deletes staged rows of loads that are over,
 * at most 50,000 a call. A load lives at least every 10 minutes, so `older_than_ms` should be above 600,000.
 */
export async function sweepStaging (trx: Transaction<Database>, older_than_ms: number): Promise<{ abandoned: number, dropped: number }> {
  const abandoned = await sql`
    update batches set status = 'abandoned'
    where status = 'staging' and touched_at < now() - ${older_than_ms} * interval '1 millisecond'`.execute(trx)
  const dropped = await sql`
    delete from staged_licenses where (account_id, batch_id, line) in (
      select s.account_id, s.batch_id, s.line from staged_licenses s
      left join batches b on b.account_id = s.account_id and b.id = s.batch_id
      where b.status is distinct from 'staging' limit ${sql.lit(DROPPED_MAX)})`.execute(trx)
  return { abandoned: Number(abandoned.numAffectedRows), dropped: Number(dropped.numAffectedRows) }
}
