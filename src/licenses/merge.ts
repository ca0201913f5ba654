import { sql, type Transaction } from 'kysely'
import type { Database } from '../database/connect.js'
import { recordEvent } from '../events/record.js'
import { Problem } from '../problems.js'
import { fillPool } from './fill.js'
import { markBefore } from './restock.js'
import { LISTED_MAX, type ReportLine, type Staged, type StagedBatch } from './stage.js'

/** One statement of a merge handles about so many licenses, and so stays far below statement_timeout. */
const SLICE_LICENSES = 20_000

export interface MergeOptions {
  staged: Staged
  sha256: Buffer
  actor: string
  strict: boolean
  dry_run: boolean
  /** why the licenses are withdrawn as they are loaded; undefined: they go into stock */
  withdrawn_for?: string | undefined
}
/** The answer to a load. Counts are complete, lists hold the first 1,000; a reason never repeats the text of a line. */
export interface LoadReport {
  /** null: a dry run, nothing was changed */
  batch_id: string | null
  loaded: number
  duplicates: number
  rejected_count: number
  rejected: ReportLine[]
  duplicate_lines: ReportLine[]
}

/** Another load of the account merges now: try again, in a new transaction. */
export class MergeBusy extends Error {}
/** Undoes a dry run; carries what it found. */
export class DryRun extends Error {
  readonly report: LoadReport
  constructor (report: LoadReport) {
    super('dry run')
    this.report = report
  }
}

/**
 * Moves a staged batch into its pool: licenses in the order of their fingerprints (both indexes then grow in order),
 * where the unique constraint drops duplicates; then, under the lock of the pool row, stock in the order of the
 * file; then waiting orders are served. One load of an account and mode merges at a time: two with common keys would wait
 * for each other's rows, inside transactions.
 *
 * @throws Problem load-interrupted  the batch is abandoned, or the server lost staged lines in a crash
 * @throws Problem load-refused  strict, and a line was refused or a duplicate
 * @throws MergeBusy, DryRun
 */
export async function mergeBatch (trx: Transaction<Database>, batch: StagedBatch, options: MergeOptions): Promise<LoadReport> {
  const { staged, strict, dry_run } = options
  await lockBatch(trx, batch)
  const loaded = await addLicenses(trx, batch, staged.staged)
  const duplicate_lines = loaded < staged.staged ? await dropDuplicates(trx, batch, staged.staged) : []
  const { rejected_count, rejected } = staged
  const duplicates = staged.staged - loaded
  const report: LoadReport = { batch_id: dry_run ? null : batch.batch_id, loaded, duplicates, rejected_count, rejected, duplicate_lines }
  if (strict && rejected_count + duplicates > 0) {
    throw new Problem('load-refused', { params: { ...report, batch_id: null, loaded: 0 } })
  }
  if (dry_run) throw new DryRun(report)
  if (loaded > 0 && options.withdrawn_for !== undefined) {
    await addWithdrawn(trx, batch, options.withdrawn_for, options.actor)
  } else if (loaded > 0) {
    await addStock(trx, batch, staged)
    await fillPool(trx, batch.account_id, batch.pool_id)
  }
  await closeBatch(trx, batch, report, options)
  return report
}

async function lockBatch (trx: Transaction<Database>, { account_id, batch_id, mode }: StagedBatch): Promise<void> {
  await sql`set local enable_seqscan = off`.execute(trx) // staging never has statistics; all that a merge reads has an index
  const lock = `merge\n${account_id}\n${mode}`
  const { rows: [merging] } = await sql<{ locked: boolean }>`select pg_try_advisory_xact_lock(hashtextextended(${lock}, 0)) as locked`.execute(trx)
  if (merging?.locked !== true) throw new MergeBusy()
  const batch = await trx.selectFrom('batches').select('id').where('account_id', '=', account_id).where('id', '=', batch_id)
    .where('status', '=', 'staging').forNoKeyUpdate().executeTakeFirst()
  if (batch === undefined) throw new Problem('load-interrupted')
}

/** Fingerprints are evenly spread: equal ranges of their first two bytes hold about equally many. null: no end. */
function slices (staged: number): Array<{ from: Buffer, to: Buffer | null }> {
  const count = Math.min(Math.ceil(staged / SLICE_LICENSES), 0x10000)
  const bound = (i: number): Buffer => Buffer.from(Math.floor(i * 0x10000 / count).toString(16).padStart(4, '0'), 'hex')
  return Array.from({ length: count }, (_, i) => ({ from: bound(i), to: i + 1 === count ? null : bound(i + 1) }))
}

/** Returns how many were added: the rest are duplicates, of which the first line stays. */
async function addLicenses (trx: Transaction<Database>, batch: StagedBatch, staged: number): Promise<number> {
  const { account_id, batch_id, pool_id, mode } = batch
  const { rows: [found] } = await sql<{ count: number }>`
    select count(*)::int as count from staged_licenses where account_id = ${account_id} and batch_id = ${batch_id}`.execute(trx)
  if (found?.count !== staged) throw new Problem('load-interrupted')
  let loaded = 0
  for (const { from, to } of slices(staged)) {
    const { numAffectedRows } = await sql`
      insert into licenses (account_id, id, pool_id, batch_id, line, mode, fingerprint, sealed, expires_at)
      select ${account_id}, license_id, ${pool_id}, ${batch_id}, line, ${mode}, fingerprint, sealed, expires_at from staged_licenses
      where account_id = ${account_id} and batch_id = ${batch_id} and fingerprint >= ${from} and (${to}::bytea is null or fingerprint < ${to})
      order by fingerprint, line
      on conflict on constraint licenses_no_duplicate do nothing`.execute(trx)
    loaded += Number(numAffectedRows)
  }
  return loaded
}

/**
 * Takes what was not added out of staging, and says of the first lines which key they repeat. Sub-selects and a lateral with
 * a limit, as these look up row by row; of a join the planner would think, without statistics, that it has one row.
 */
async function dropDuplicates (trx: Transaction<Database>, batch: StagedBatch, staged: number): Promise<ReportLine[]> {
  const { account_id, batch_id, mode } = batch
  let first: Array<{ line: number, fingerprint: Buffer }> = []
  for (const { from, to } of slices(staged)) {
    const { rows } = await sql<{ line: number, fingerprint: Buffer }>`
      delete from staged_licenses s
      where account_id = ${account_id} and batch_id = ${batch_id} and fingerprint >= ${from} and (${to}::bytea is null or fingerprint < ${to})
        and (select id from licenses l where l.account_id = ${account_id} and l.id = s.license_id) is null
      returning line, fingerprint`.execute(trx)
    first = first.concat(rows).sort((a, b) => a.line - b.line).slice(0, LISTED_MAX)
  }
  const { rows } = await sql<{ line: number, held_since: number | null }>`
    select d.line, case when l.batch_id = ${batch_id} then l.line end as held_since
    from unnest(${first.map((row) => row.line)}::int[], ${first.map((row) => row.fingerprint)}::bytea[]) as d (line, fingerprint)
    cross join lateral (
      select batch_id, line from licenses where account_id = ${account_id} and mode = ${mode} and fingerprint = d.fingerprint limit 1) l
    order by d.line`.execute(trx)
  return rows.map(({ line, held_since }) => ({ line, reason: held_since === null ? 'the account has it already' : `it repeats line ${held_since}` }))
}

/**
 * The lock on the pool row, until commit, keeps positions in the order of commits: a later one never hides behind the mark. The first license that
 * expires makes the pool one of those whose takes go the careful way.
 */
async function addStock (trx: Transaction<Database>, { account_id, batch_id, pool_id }: StagedBatch, { last_line, soonest }: Staged): Promise<void> {
  const { rows: [pool] } = await sql<{ base: string, is_dated: boolean }>`
    update pools p set next_position = next_position + ${last_line}::int,
      dated_from = case when ${soonest}::timestamptz is null then dated_from else coalesce(dated_from, next_position) end, ${markBefore(sql`${soonest}::timestamptz`)}
    where account_id = ${account_id} and id = ${pool_id} returning next_position - ${last_line}::int - 1 as base, dated_from is not null as is_dated`.execute(trx)
  if (pool === undefined) throw new Problem('pool-not-found')
  const expires_at = pool.is_dated ? sql`coalesce(expires_at, 'infinity')` : sql`null`
  for (let after = 0; after < last_line; after += SLICE_LICENSES) {
    await sql`
      insert into stock (account_id, pool_id, position, license_id, expires_at)
      select ${account_id}, ${pool_id}, ${pool.base}::bigint + line, license_id, ${expires_at} from staged_licenses
      where account_id = ${account_id} and batch_id = ${batch_id} and line > ${after} and line <= ${after + SLICE_LICENSES}
      order by line`.execute(trx)
  }
}

/** They were sold elsewhere: the account has them, so that they are duplicates from now on, and nobody ever gets them. */
async function addWithdrawn (trx: Transaction<Database>, { account_id, batch_id, pool_id }: StagedBatch, reason: string, actor: string): Promise<void> {
  await sql`
    insert into withdrawals (account_id, license_id, pool_id, reason, created_by)
    select ${account_id}, license_id, ${pool_id}, ${reason}, ${actor} from staged_licenses
    where account_id = ${account_id} and batch_id = ${batch_id}`.execute(trx)
}

async function closeBatch (trx: Transaction<Database>, batch: StagedBatch, report: LoadReport, { sha256, actor }: MergeOptions): Promise<void> {
  const { account_id, batch_id, pool_id } = batch
  const { loaded, duplicates, rejected_count, rejected, duplicate_lines } = report
  await trx.updateTable('batches')
    .set({ status: 'loaded', loaded_at: sql`now()`, sha256, loaded, duplicates, rejected_count, report: JSON.stringify({ rejected, duplicate_lines }) })
    .where('account_id', '=', account_id).where('id', '=', batch_id).execute()
  await recordEvent(trx, { account_id, type: 'batch.loaded', subject_id: batch_id, actor, data: { pool_id, loaded, duplicates, rejected_count } })
}
