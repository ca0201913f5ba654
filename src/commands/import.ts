import { createReadStream } from 'node:fs'
import path from 'node:path'
import type { Config } from '../config.js'
import { importFile, type FileCounts, type ImportReport } from '../importers/import-file.js'
import { importers } from '../importers/importers.js'
import type { LoadReport } from '../licenses/merge.js'
import { findPool } from '../pools/find.js'
import { COMMAND_TIMEOUTS, openDatabase, requireMigrated } from './database.js'
import { sizeOf } from './file-size.js'
import { loadKeyring } from './key-material.js'
import { showProgress } from './progress.js'
import { Refused } from './refused.js'

export interface ImportOptions { from: string, pool_id: string, file: string, with_sold: boolean, dry_run: boolean }

const LISTED_MAX = 20

/** Imports a file that another system exported, and compares what it has with what is here then. Resolves to the exit code: 1 where they differ. */
export async function importCommand (config: Config, { from, pool_id, file, with_sold, dry_run }: ImportOptions): Promise<number> {
  const importer = Object.hasOwn(importers, from) ? importers[from] : undefined
  if (importer === undefined) throw new Refused(`--from must be one of ${Object.keys(importers).join(', ')}`)
  const bytes = sizeOf(file)
  const { db, close } = await openDatabase({ ...config, ...COMMAND_TIMEOUTS }, { beside: true, say: console.error })
  try {
    await requireMigrated(db)
    const pool = await db.selectFrom('pools').select('account_id').where('id', '=', pool_id).executeTakeFirst()
    if (pool === undefined) throw new Refused(`there is no pool ${pool_id}`)
    const keyring = await loadKeyring(config, db)
    const stock = async () => (await findPool(db, pool.account_id, pool_id)).stock
    const before = await stock()
    const source = path.basename(file)
    const progress = showProgress(`importing ${source}`, bytes)
    const open = async function * (): AsyncGenerator<Buffer> {
      let read = 0
      for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
        progress.at(read += chunk.length)
        yield chunk
      }
    }
    const report = await importFile({ db, keyring, account_id: pool.account_id, pool_id, importer, open, source, with_sold, dry_run })
    progress.end()
    print(report, dry_run)
    const after = await stock()
    console.log(`pool: loaded ${before.loaded} → ${after.loaded}, available ${before.available} → ${after.available}, withdrawn ${before.withdrawn} → ${after.withdrawn}`)
    const differences = differencesOf(report, { with_sold, added: after.loaded - before.loaded })
    for (const difference of differences) console.log(`DIFFERS  ${difference}`)
    if (differences.length === 0) console.log('the file and the pool agree')
    return differences.length === 0 ? 0 : 1
  } finally {
    await close()
  }
}

/** Counts, line numbers and reasons only: no license is repeated at the terminal. */
function print ({ counts, unsold, sold }: ImportReport, dry_run: boolean): void {
  const statuses = [...counts.statuses].map(([status, count]) => `${count} ${status === '' ? '(no status)' : status}`).join(', ')
  console.log(`in the file: ${counts.entries} entries${statuses === '' ? '' : `: ${statuses}`}${counts.unreadable === 0 ? '' : `; ${counts.unreadable} unreadable`}`)
  const { fates } = counts
  console.log(`that is ${fates.unsold} unsold, ${fates.sold} sold, ${fates.ended} ended, ${fates.unknown} of an unknown status`)
  if (dry_run) console.log('dry run, nothing was changed:')
  printLoad('unsold, into stock', unsold)
  if (sold !== undefined) printLoad('sold, known and withdrawn', sold)
}

function printLoad (what: string, { batch_id, loaded, duplicates, rejected_count, rejected, duplicate_lines }: LoadReport): void {
  console.log(`${what}: loaded ${loaded}, duplicates ${duplicates}, rejected ${rejected_count}${batch_id === null ? '' : ` (batch ${batch_id})`}`)
  for (const { line, reason } of [...rejected, ...duplicate_lines].slice(0, LISTED_MAX)) console.log(`  line ${line}: ${reason}`)
  const more = rejected_count + duplicates - LISTED_MAX
  if (more > 0) console.log(`  and ${more} more`)
}

/** In sentences: what a person has to look at before the old system is switched off. Duplicates are here, so they are no difference. */
function differencesOf ({ counts, unsold, sold }: ImportReport, { with_sold, added }: { with_sold: boolean, added: number }): string[] {
  const loads = sold === undefined ? [unsold] : [unsold, sold]
  const [loaded, duplicates, rejected] = (['loaded', 'duplicates', 'rejected_count'] as const).map((count) => loads.reduce((sum, load) => sum + load[count], 0)) as [number, number, number]
  const wanted = wantedOf(counts, with_sold) + counts.unreadable
  const stored = loads.some(({ batch_id }) => batch_id !== null)
  return [
    ...(counts.fates.unknown > 0 ? [`${counts.fates.unknown} entries have a status that is not known here; they were left out`] : []),
    ...(rejected > 0 ? [`${rejected} entries could not be loaded; the lines are above`] : []),
    ...(wanted !== loaded + duplicates + rejected ? [`the file has ${wanted} entries to load, and ${loaded + duplicates + rejected} came here: it changed while it was read`] : []),
    ...(stored && added !== loaded ? [`the pool has ${added} licenses more than before, and ${loaded} were loaded: something else was loaded into it meanwhile`] : []),
  ]
}

const wantedOf = ({ fates }: FileCounts, with_sold: boolean): number => fates.unsold + (with_sold ? fates.sold : 0)
