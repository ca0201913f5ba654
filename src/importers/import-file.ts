import type { Kysely } from 'kysely'
import type { Database } from '../database/connect.js'
import { toLoadLine, type LoadLine } from '../licenses/key-rules.js'
import { loadLicenses } from '../licenses/load.js'
import type { LoadReport } from '../licenses/merge.js'
import { readBytes } from '../licenses/read-bytes.js'
import type { Keyring } from '../sealing.js'
import type { Entry, Fate, Importer } from './importer.js'

export interface Import {
  db: Kysely<Database>
  keyring: Keyring
  account_id: string
  pool_id: string
  importer: Importer
  /** opens the file anew, at its start */
  open: () => AsyncIterable<Buffer>
  /** the file's name */
  source: string
  /** sold ones are loaded as withdrawn: known, and never sold again */
  with_sold: boolean
  dry_run: boolean
  onProgress?: (entries: number) => void
}

/** What a file has: entries by the file's own word for their state, and by what becomes of them. `unreadable`: no license could be read. */
export interface FileCounts { entries: number, unreadable: number, statuses: Map<string, number>, fates: Record<Fate, number> }

/** `sold` undefined: they were not asked for, or there are none. */
export interface ImportReport { counts: FileCounts, unsold: LoadReport, sold: LoadReport | undefined }

/**
 * Imports a file of another system: the sold ones first, so that a license that the file has twice is never for sale; then the unsold ones, into
 * stock. Each is a load of its own, whole or not at all. Call {@link wakeWorker} afterwards.
 *
 * @throws Problem  as a load does, and where the file is not of that system
 */
export async function importFile (order: Import): Promise<ImportReport> {
  const counts = await countEntries(order)
  const sold = order.with_sold && counts.fates.sold > 0 ? await load(order, 'sold') : undefined
  return { counts, sold, unsold: await load(order, 'unsold') }
}

/** Reads the whole file once before anything is loaded: one that is cut off or of another system is refused with nothing done. */
async function countEntries ({ importer, open, onProgress }: Import): Promise<FileCounts> {
  const counts: FileCounts = { entries: 0, unreadable: 0, statuses: new Map(), fates: { unsold: 0, sold: 0, ended: 0, unknown: 0 } }
  for await (const entries of importer(readBytes(open()), new Date())) {
    for (const entry of entries) {
      counts.entries += 1
      if ('reason' in entry) {
        counts.unreadable += 1
        continue
      }
      counts.statuses.set(entry.status, (counts.statuses.get(entry.status) ?? 0) + 1)
      counts.fates[entry.fate] += 1
    }
    onProgress?.(counts.entries)
  }
  return counts
}

async function load ({ importer, open, onProgress, ...order }: Import, fate: 'unsold' | 'sold'): Promise<LoadReport> {
  const { db, keyring, account_id, pool_id, source, dry_run } = order
  return loadLicenses({
    db,
    keyring,
    account_id,
    pool_id,
    bytes: open(),
    format: (bytes) => linesOf(importer(bytes, new Date()), fate),
    source: fate === 'sold' ? `${source} (sold)` : source,
    created_by: 'cli',
    dry_run,
    ...(fate === 'sold' ? { withdrawn_for: `sold before it was imported from ${source}` } : {}),
    ...(onProgress === undefined ? {} : { onProgress }),
  })
}

/** The lines of one load: its licenses; and with the unsold ones, what could not be read. */
async function * linesOf (read: AsyncIterable<Entry[]>, fate: 'unsold' | 'sold'): AsyncGenerator<LoadLine[]> {
  for await (const entries of read) {
    const lines: LoadLine[] = []
    for (const entry of entries) {
      if ('reason' in entry) {
        if (fate === 'unsold') lines.push(entry)
      } else if (entry.fate === fate) lines.push(toLoadLine(entry.line, entry.key, { expires_at: entry.expires_at ?? undefined }))
    }
    yield lines
  }
}
