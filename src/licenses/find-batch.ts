import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'
import type { ReportLine } from './stage.js'

export interface Batch {
  id: string
  pool_id: string
  source: string | null
  status: string
  /** hexadecimal, of the bytes received; null until loaded */
  sha256: string | null
  loaded: number
  duplicates: number
  rejected_count: number
  created_by: string
  created_at: Date
  loaded_at: Date | null
  rejected: ReportLine[]
  duplicate_lines: ReportLine[]
}

/** The loads of an account, in no order: for a list to narrow. */
export function selectBatches (db: Reader, account_id: string) {
  return db.selectFrom('batches')
    .select(['id', 'pool_id', 'source', 'status', 'sha256', 'loaded', 'duplicates', 'rejected_count', 'created_by', 'created_at', 'loaded_at'])
    .where('account_id', '=', account_id)
}

/** One load with its report. @throws Problem batch-not-found */
export async function findBatch (db: Reader, account_id: string, id: string): Promise<Batch> {
  const batch = await selectBatches(db, account_id).select('report').where('id', '=', id).executeTakeFirst()
  if (batch === undefined) throw new Problem('batch-not-found')
  const { report, sha256, ...summary } = batch
  const { rejected, duplicate_lines } = report as unknown as Pick<Batch, 'rejected' | 'duplicate_lines'>
  return { ...summary, sha256: sha256?.toString('hex') ?? null, rejected, duplicate_lines }
}
