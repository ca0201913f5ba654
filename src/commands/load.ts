import { createReadStream } from 'node:fs'
import path from 'node:path'
import type { Config } from '../config.js'
import { loadLicenses, type LoadFormat } from '../licenses/load.js'
import type { LoadReport } from '../licenses/merge.js'
import { COMMAND_TIMEOUTS, openDatabase, requireMigrated } from './database.js'
import { sizeOf } from './file-size.js'
import { loadKeyring } from './key-material.js'
import { showProgress } from './progress.js'
import { Refused } from './refused.js'

export interface LoadOptions { pool_id: string, file: string, expires_at: string | undefined, strict: boolean, dry_run: boolean }

const FORMATS: Record<string, LoadFormat> = { '.csv': 'csv', '.json': 'json' }
const LISTED_MAX = 20

/** Loads a file of licenses into a pool, beside a running service or without one. Resolves to the exit code. */
export async function loadCommand (config: Config, { pool_id, file, expires_at, strict, dry_run }: LoadOptions): Promise<number> {
  const bytes = sizeOf(file)
  const { db, close } = await openDatabase({ ...config, ...COMMAND_TIMEOUTS }, { beside: true, say: console.error })
  const progress = showProgress(`loading ${path.basename(file)}`, bytes)
  try {
    await requireMigrated(db)
    const pool = await db.selectFrom('pools').select('account_id').where('id', '=', pool_id).executeTakeFirst()
    if (pool === undefined) throw new Refused(`there is no pool ${pool_id}`)
    const keyring = await loadKeyring(config, db)
    const read = { bytes: 0, lines: 0 }
    const report = await loadLicenses({
      db,
      keyring,
      account_id: pool.account_id,
      pool_id,
      bytes: counted(createReadStream(file), read),
      format: FORMATS[path.extname(file).toLowerCase()] ?? 'text',
      source: path.basename(file),
      created_by: 'cli',
      expires_at,
      strict,
      dry_run,
      onProgress (lines) {
        read.lines = lines
        progress.at(read.bytes, `${lines} lines`)
      },
    })
    progress.end()
    print(report)
    return 0
  } finally {
    await close()
  }
}

async function * counted (stream: AsyncIterable<Buffer>, read: { bytes: number }): AsyncGenerator<Buffer> {
  for await (const chunk of stream) {
    read.bytes += chunk.length
    yield chunk
  }
}

/** Line numbers and reasons only: no text of a line is repeated at the terminal. */
function print ({ batch_id, loaded, duplicates, rejected_count, rejected, duplicate_lines }: LoadReport): void {
  console.log(`${batch_id === null ? 'dry run, nothing was changed: ' : ''}loaded ${loaded}, duplicates ${duplicates}, rejected ${rejected_count}${batch_id === null ? '' : ` (batch ${batch_id})`}`)
  for (const { line, reason } of [...rejected, ...duplicate_lines].slice(0, LISTED_MAX)) console.log(`  line ${line}: ${reason}`)
  const more = rejected_count + duplicates - LISTED_MAX
  if (more > 0) console.log(`  and ${more} more`)
}
