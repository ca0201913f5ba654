import { setImmediate } from 'node:timers/promises'
import { sql, type Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import { newId } from '../ids.js'
import { Problem } from '../problems.js'
import { fingerprint, seal, type Keyring } from '../sealing.js'
import type { LoadLine } from './key-rules.js'

/** A chunk is written when it has so many lines or bytes, or is so old: an upload that drips keeps its batch alive. */
const CHUNK_LINES = 5000
const CHUNK_BYTES = 1024 * 1024
const CHUNK_AGE_MS = 30_000
/** Sealing takes about 10 µs a license and holds the event loop: after so many, others get their turn. */
const LINES_PER_TURN = 250
/** Lines of each kind that a report lists; its counts are complete. */
export const LISTED_MAX = 1000
const FINGERPRINT_BYTES = 32

/** Where the lines go, and under which rules they are sealed and compared. */
export interface StagedBatch { account_id: string, batch_id: string, pool_id: string, mode: string }
export interface ReportLine { line: number, reason: string }
/** What was written to staging: how many licenses, the last line seen, and what was refused. */
export interface Staged { staged: number, last_line: number, rejected_count: number, rejected: ReportLine[] }

interface Chunk {
  lines: number[]
  ids: string[]
  lengths: number[]
  fingerprints: Buffer[]
  sealed: Buffer[]
  /** sealed, in all */
  bytes: number
  begun_at: number
}
const newChunk = (): Chunk =>
  ({ lines: [], ids: [], lengths: [], fingerprints: [], sealed: [], bytes: 0, begun_at: Date.now() })

/**
 * Seals the lines and writes them to the batch's staging, a chunk at a time, each its own short transaction: no snapshot
 * stays open while the network is slow. One chunk is written while the next is sealed; what comes faster waits.
 *
 * @throws Problem load-interrupted  the batch was abandoned meanwhile
 */
export async function stageLines (
  db: Kysely<Database>, keyring: Keyring, batch: StagedBatch, read: AsyncIterable<LoadLine[]>, onProgress?: (lines: number) => void
): Promise<Staged> {
  const result: Staged = { staged: 0, last_line: 0, rejected_count: 0, rejected: [] }
  let chunk = newChunk()
  let writing: Promise<void> = Promise.resolve()
  const write = async (): Promise<void> => {
    await writing
    writing = writeChunk(db, batch, chunk)
    writing.catch(() => {}) // it is awaited before the next chunk, or at the end
    result.staged += chunk.lines.length
    chunk = newChunk()
  }
  for await (const lines of read) {
    for (const [i, line] of lines.entries()) {
      if ('reason' in line) reject(result, line)
      else add(chunk, keyring, batch, line.line, line.key)
      if (chunk.lines.length >= CHUNK_LINES || chunk.bytes >= CHUNK_BYTES) await write()
      if (i % LINES_PER_TURN === LINES_PER_TURN - 1) await setImmediate()
    }
    result.last_line = lines.at(-1)?.line ?? result.last_line
    if (Date.now() - chunk.begun_at >= CHUNK_AGE_MS) await write()
    onProgress?.(result.last_line)
  }
  await write()
  await writing
  return result
}

function reject (result: Staged, line: ReportLine): void {
  result.rejected_count += 1
  if (result.rejected.length < LISTED_MAX) result.rejected.push(line)
}

function add (chunk: Chunk, keyring: Keyring, batch: StagedBatch, line: number, key: Buffer): void {
  const { account_id, pool_id, mode } = batch
  const id = newId('LI')
  const sealed = seal(keyring, [account_id, pool_id, id], key)
  chunk.lines.push(line)
  chunk.ids.push(id)
  chunk.lengths.push(sealed.length)
  chunk.fingerprints.push(fingerprint(keyring, account_id, mode, key))
  chunk.sealed.push(sealed)
  chunk.bytes += sealed.length
}

/**
 * One statement, so one transaction, that also shows the batch alive. The bytes travel as two long values that are cut apart
 * here: as arrays of bytea they would be spelt out in hexadecimal, twice.
 */
async function writeChunk (db: Kysely<Database>, { account_id, batch_id }: StagedBatch, chunk: Chunk): Promise<void> {
  let end = 1
  const starts = chunk.lengths.map((length) => { end += length; return end - length })
  const { rows: [alive] } = await sql`
    with alive as (
      update batches set touched_at = now() where account_id = ${account_id} and id = ${batch_id} and status = 'staging' returning id
    ), written as (
      insert into staged_licenses (account_id, batch_id, line, license_id, fingerprint, sealed)
      select ${account_id}, ${batch_id}, c.line, c.license_id,
        substring(${Buffer.concat(chunk.fingerprints)}::bytea from (c.nth::int - 1) * ${sql.lit(FINGERPRINT_BYTES)} + 1 for ${sql.lit(FINGERPRINT_BYTES)}),
        substring(${Buffer.concat(chunk.sealed)}::bytea from c.start for c.length)
      from alive, unnest(${pgArray(chunk.lines)}::int[], ${pgArray(chunk.ids)}::text[], ${pgArray(starts)}::int[], ${pgArray(chunk.lengths)}::int[])
        with ordinality as c (line, license_id, start, length, nth)
    )
    select id from alive`.execute(db)
  if (alive === undefined) throw new Problem('load-interrupted')
}

/** An array for PostgreSQL of what needs no quotes: numbers and ids. */
const pgArray = (values: ReadonlyArray<number | string>): string => `{${values.join(',')}}`
