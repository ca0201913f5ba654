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

/** Where the lines go, and under which rules they are sealed and compared. `expires_at`: of lines that say none. */
export interface StagedBatch { account_id: string, batch_id: string, pool_id: string, mode: string, expires_at?: Date | undefined }
export interface ReportLine { line: number, reason: string }
/** What was written to staging: how many licenses, when the first of them expires if one does, the last line seen, and what was refused. */
export interface Staged { staged: number, soonest: Date | null, last_line: number, rejected_count: number, rejected: ReportLine[] }

interface Chunk {
  lines: number[]
  ids: string[]
  lengths: number[]
  fingerprints: Buffer[]
  sealed: Buffer[]
  /** null: never */
  expiries: Array<string | null>
  /** sealed, in all */
  bytes: number
  begun_at: number
}
const newChunk = (): Chunk =>
  ({ lines: [], ids: [], lengths: [], fingerprints: [], sealed: [], expiries: [], bytes: 0, begun_at: Date.now() })

/**
 * Seals the lines and writes them to the batch's staging, a chunk at a time, each its own short transaction: no snapshot
 * stays open while the network is slow. One chunk is written while the next is sealed; what comes faster waits.
 *
 * @throws Problem load-interrupted  the batch was abandoned meanwhile
 */
export async function stageLines (
  db: Kysely<Database>, keyring: Keyring, batch: StagedBatch, read: AsyncIterable<LoadLine[]>, onProgress?: (lines: number) => void
): Promise<Staged> {
  const staging = new Staging(db, keyring, batch)
  try {
    for await (const lines of read) {
      await staging.take(lines)
      onProgress?.(staging.result.last_line)
    }
    await staging.write()
    await staging.writing
    return staging.result
  } finally {
    await staging.writing.catch(() => {}) // a failed load writes nothing any more once this is over
  }
}

class Staging {
  readonly result: Staged = { staged: 0, soonest: null, last_line: 0, rejected_count: 0, rejected: [] }
  writing: Promise<void> = Promise.resolve()
  #chunk = newChunk()
  readonly #db: Kysely<Database>
  readonly #keyring: Keyring
  readonly #batch: StagedBatch

  constructor (db: Kysely<Database>, keyring: Keyring, batch: StagedBatch) {
    this.#db = db
    this.#keyring = keyring
    this.#batch = batch
  }

  async take (lines: LoadLine[]): Promise<void> {
    for (const [i, line] of lines.entries()) {
      if ('reason' in line) this.#reject(line)
      else this.#add(line.line, line.key, line.expires_at ?? this.#batch.expires_at ?? null)
      if (this.#chunk.lines.length >= CHUNK_LINES || this.#chunk.bytes >= CHUNK_BYTES) await this.write()
      if (i % LINES_PER_TURN === LINES_PER_TURN - 1) await setImmediate()
    }
    this.result.last_line = lines.at(-1)?.line ?? this.result.last_line
    if (Date.now() - this.#chunk.begun_at >= CHUNK_AGE_MS) await this.write()
  }

  /** Begins to write the chunk, once the one before is written. */
  async write (): Promise<void> {
    await this.writing
    this.writing = writeChunk(this.#db, this.#batch, this.#chunk)
    this.writing.catch(() => {}) // awaited with the next chunk, or at the end
    this.result.staged += this.#chunk.lines.length
    this.#chunk = newChunk()
  }

  #reject (line: ReportLine): void {
    this.result.rejected_count += 1
    if (this.result.rejected.length < LISTED_MAX) this.result.rejected.push(line)
  }

  #add (line: number, key: Buffer, expires_at: Date | null): void {
    const { account_id, pool_id, mode } = this.#batch
    const id = newId('LI')
    const sealed = seal(this.#keyring, [account_id, pool_id, id], key)
    this.#chunk.lines.push(line)
    this.#chunk.ids.push(id)
    this.#chunk.lengths.push(sealed.length)
    this.#chunk.fingerprints.push(fingerprint(this.#keyring, account_id, mode, key))
    this.#chunk.sealed.push(sealed)
    this.#chunk.expiries.push(expires_at?.toISOString() ?? null)
    if (expires_at !== null && (this.result.soonest === null || expires_at < this.result.soonest)) this.result.soonest = expires_at
    this.#chunk.bytes += sealed.length
  }
}

/**
 * One statement, so one transaction, that also shows the batch alive. The bytes travel as two long values that are cut apart
 * here: as arrays of bytea they would be spelt out in hexadecimal, twice.
 */
async function writeChunk (db: Kysely<Database>, { account_id, batch_id }: StagedBatch, chunk: Chunk): Promise<void> {
  let end = 1
  const starts = chunk.lengths.map((length) => { end += length; return end - length })
  const expiries = chunk.expiries.some((moment) => moment !== null) ? chunk.expiries : null // none of few bytes
  const { rows: [alive] } = await sql`
    with alive as (
      update batches set touched_at = now() where account_id = ${account_id} and id = ${batch_id} and status = 'staging' returning id
    ), written as (
      insert into staged_licenses (account_id, batch_id, line, license_id, fingerprint, sealed, expires_at)
      select ${account_id}, ${batch_id}, c.line, c.license_id,
        substring(${Buffer.concat(chunk.fingerprints)}::bytea from (c.nth::int - 1) * ${sql.lit(FINGERPRINT_BYTES)} + 1 for ${sql.lit(FINGERPRINT_BYTES)}),
        substring(${Buffer.concat(chunk.sealed)}::bytea from c.start for c.length), c.expires_at
      from alive, unnest(${pgArray(chunk.lines)}::int[], ${pgArray(chunk.ids)}::text[], ${pgArray(starts)}::int[], ${pgArray(chunk.lengths)}::int[],
        ${expiries}::timestamptz[]) with ordinality as c (line, license_id, start, length, expires_at, nth)
    )
    select id from alive`.execute(db)
  if (alive === undefined) throw new Problem('load-interrupted')
}

/** An array for PostgreSQL of what needs no quotes: numbers and ids. */
const pgArray = (values: ReadonlyArray<number | string>): string => `{${values.join(',')}}`
