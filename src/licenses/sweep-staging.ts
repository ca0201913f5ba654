import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { dropSomeStaging } from './drop-staging.js'

/**
 * Abandons loads whose last sign of life is older than `older_than_ms`, and empties the staging of one load that is over, at
 * most 50,000 rows: call it again while it dropped some. A load lives at least every 10 minutes, so let it be above 600,000.
 */
export async function sweepStaging (trx: Transaction<Database>, older_than_ms: number): Promise<{ abandoned: number, dropped: number }> {
  const { numAffectedRows } = await sql`
    update batches set status = 'abandoned'
    where status = 'staging' and touched_at < now() - ${older_than_ms} * interval '1 millisecond'`.execute(trx)
  const { rows: [over] } = await sql<{ account_id: string, batch_id: string }>`
    select s.account_id, s.batch_id from (select distinct account_id, batch_id from staged_licenses) s
    left join batches b on b.account_id = s.account_id and b.id = s.batch_id
    where b.status is distinct from 'staging' limit 1`.execute(trx)
  const dropped = over === undefined ? 0 : await dropSomeStaging(trx, over.account_id, over.batch_id)
  return { abandoned: Number(numAffectedRows), dropped }
}
