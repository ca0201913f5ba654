import { createHash, type Hash } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { sql, type Kysely, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import type { Done } from '../database/once.js'
import { inTransaction } from '../database/transaction.js'
import { newId } from '../ids.js'
import { invalid, Problem } from '../problems.js'
import type { Keyring } from '../sealing.js'
import { dropStaging } from './drop-staging.js'
import { expiryOfLine } from './expiry.js'
import { findBatch } from './find-batch.js'
import type { LoadLine } from './key-rules.js'
import { DryRun, MergeBusy, mergeBatch, type LoadReport } from './merge.js'
import { readBytes } from './read-bytes.js'
import { readCsv } from './read-csv.js'
import { readJson } from './read-json.js'
import { readText } from './read-text.js'
import { stageLines, type Staged, type StagedBatch } from './stage.js'

/** How long a load waits for others of its account to merge; each takes about 15 s per million licenses. */
const MERGE_WAIT_MS = 5 * 60_000
const MERGE_RETRY_MS = 100
const LOCK_NOT_AVAILABLE = '55P03'

const readers = { text: readText, csv: readCsv, json: readJson }
export type LoadFormat = keyof typeof readers
type LineReader = (bytes: AsyncIterable<Buffer>) => AsyncIterable<LoadLine[]>

export interface Load {
  db: Kysely<Database>
  keyring: Keyring
  account_id: string
  pool_id: string
  /** the bytes of the file as they come */
  bytes: AsyncIterable<Buffer>
  /** or how another format is read, from bytes without a byte order mark */
  format: LoadFormat | LineReader
  /** the file's or supplier's name */
  source?: string | undefined
  /** the API key, or 'cli' */
  created_by: string
  /** of lines that do not say until when they are good; a text as {@link readExpiry} reads it */
  expires_at?: string | undefined
  /** all or nothing: one refused or duplicate line refuses the load */
  strict?: boolean
  /** finds out and changes nothing */
  dry_run?: boolean
  /** the licenses are known and never sold: they are withdrawn as they are loaded, for this reason */
  withdrawn_for?: string | undefined
  /** called with the number of lines read so far */
  onProgress?: (lines: number) => void
  /** runs the merge in a transaction; a caller with an Idempotency-Key makes it run once, for the file of this checksum */
  commit?: (sha256: Buffer, merge: (trx: Transaction<Database>) => Promise<Done>) => Promise<Done>
}

/**
 * Loads a file of licenses into a pool, in constant memory: sealed and staged while it comes in, then merged in one short
 * transaction. Until that commits the pool has nothing of it, and whatever fails leaves nothing. Call {@link wakeWorker} afterwards.
 *
 * @throws Problem validation-failed  `expires_at` is no moment to come
 * @throws Problem pool-not-found, load-refused, load-interrupted, and what the readers of the formats throw
 * @throws Problem unavailable  other loads of the account kept it waiting for 5 minutes
 */
export async function loadLicenses (load: Load): Promise<LoadReport> {
  const batch = await beginBatch(load)
  const hash = createHash('sha256')
  try {
    const reader = typeof load.format === 'function' ? load.format : readers[load.format]
    const read = reader(readBytes(hashed(load.bytes, hash)))
    const staged = await stageLines(load.db, load.keyring, batch, read, load.onProgress)
    const report = await merge(load, batch, staged, hash.digest())
    await dropStaging(load.db, batch.account_id, batch.batch_id)
    if (report.batch_id !== batch.batch_id) await forgetBatch(load.db, batch)
    return report
  } catch (error) {
    await giveUp(load.db, batch, error)
    throw error
  }
}

/** The row that shows the load alive while it is staged. One statement, its own transaction. */
async function beginBatch ({ db, account_id, pool_id, source, created_by, expires_at }: Load): Promise<StagedBatch> {
  const batch_id = newId('BA')
  const expiry = expiryOfLine(expires_at, new Date())
  if (expiry.reason !== undefined) throw invalid(`querystring.expires_at: ${expiry.reason.replace('its expires_at ', '')}`)
  const { rows: [pool] } = await sql<{ mode: string }>`
    with pool as (select id, mode from pools where account_id = ${account_id} and id = ${pool_id}),
    batch as (
      insert into batches (account_id, id, pool_id, source, status, created_by)
      select ${account_id}, ${batch_id}, id, ${source ?? null}, 'staging', ${created_by} from pool
    )
    select mode from pool`.execute(db)
  if (pool === undefined) throw new Problem('pool-not-found')
  return { account_id, batch_id, pool_id, mode: pool.mode, expires_at: expiry.expires_at }
}

async function * hashed (bytes: AsyncIterable<Buffer>, hash: Hash): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) {
    hash.update(chunk)
    yield chunk
  }
}

/** Waits for other loads outside of any transaction. Returns the stored report where the same load was done before. */
async function merge (load: Load, batch: StagedBatch, staged: Staged, sha256: Buffer): Promise<LoadReport> {
  const { db, created_by: actor, strict = false, dry_run = false, withdrawn_for } = load
  const commit = load.commit === undefined || dry_run ? plainCommit(db) : load.commit
  const give_up_at = Date.now() + MERGE_WAIT_MS
  for (;;) {
    try {
      const { id } = await commit(sha256, async (trx) => {
        await mergeBatch(trx, batch, { staged, sha256, actor, strict, dry_run, withdrawn_for })
        return { id: batch.batch_id, status: 201 }
      })
      return await reportOf(db, batch.account_id, id)
    } catch (error) {
      if (error instanceof DryRun) return error.report
      if (!(error instanceof MergeBusy) && (error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error
      if (Date.now() > give_up_at) throw new Problem('unavailable', { detail: 'other loads of the account are still being merged', headers: { 'retry-after': '30' } })
      await setTimeout(MERGE_RETRY_MS)
    }
  }
}

const plainCommit = (db: Kysely<Database>): NonNullable<Load['commit']> => (_sha256, work) => inTransaction(db, work)

async function reportOf (db: Kysely<Database>, account_id: string, id: string): Promise<LoadReport> {
  const { id: batch_id, loaded, duplicates, rejected_count, rejected, duplicate_lines } = await findBatch(db, account_id, id)
  return { batch_id, loaded, duplicates, rejected_count, rejected, duplicate_lines }
}

/** After a dry run, a repeat or a refusal: nothing was loaded under this id. */
async function forgetBatch (db: Kysely<Database>, { account_id, batch_id }: StagedBatch): Promise<void> {
  await db.deleteFrom('batches').where('account_id', '=', account_id).where('id', '=', batch_id).where('status', '=', 'staging').execute()
}

/**
 * A refused load leaves no batch, one that broke an abandoned one. A batch that was committed all the same stays. Best effort:
 * what is left when the database is away, the sweeper clears.
 */
async function giveUp (db: Kysely<Database>, batch: StagedBatch, error: unknown): Promise<void> {
  try {
    if (error instanceof Problem && error.type !== 'load-interrupted') await forgetBatch(db, batch)
    else await abandonBatch(db, batch)
    await dropStaging(db, batch.account_id, batch.batch_id)
  } catch { /* the error that led here is the one to tell */ }
}

async function abandonBatch (db: Kysely<Database>, { account_id, batch_id }: StagedBatch): Promise<void> {
  await db.updateTable('batches').set({ status: 'abandoned' })
    .where('account_id', '=', account_id).where('id', '=', batch_id).where('status', '=', 'staging').execute()
}
