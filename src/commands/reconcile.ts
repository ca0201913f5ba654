import { readFileSync } from 'node:fs'
import type { Config } from '../config.js'
import { reconcile } from '../payments/reconcile.js'
import { openDatabase, requireMigrated } from './database.js'
import { Refused } from './refused.js'
import { accountOfSource } from './source-account.js'

export interface ReconcileOptions { source_id: string, file: string }

const CHUNK = 10_000

/**
 * Compares a file of a checkout's order ids, one per line or the first column of a CSV, with what is here of the source, and prints those that
 * are not orders. Resolves to the exit code: 1 when there are some.
 */
export async function reconcileCommand (config: Config, { source_id, file }: ReconcileOptions): Promise<number> {
  const external_ids = idsOf(file)
  const { db, close } = await openDatabase(config, { beside: true, say: console.error })
  try {
    await requireMigrated(db)
    const source = { account_id: await accountOfSource(db, source_id), id: source_id }
    let [known, missing] = [0, 0]
    for (let at = 0; at < external_ids.length; at += CHUNK) {
      const compared = await reconcile(db, source, { external_ids: external_ids.slice(at, at + CHUNK) })
      for (const id of compared.unknown) console.log(`${id}\tunknown`)
      for (const { external_id, status, event_id, reason } of compared.kept) console.log(`${external_id}\t${status}\t${event_id}\t${reason}`)
      known += compared.known
      missing += compared.unknown.length + compared.kept.length
    }
    console.error(`${external_ids.length} ids: ${known} are orders here, ${missing} are not`)
    return missing > 0 ? 1 : 0
  } finally {
    await close()
  }
}

/** The first column of each line, each once; a heading is one id too many, and is seen as unknown. */
function idsOf (file: string): string[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    throw new Refused(`${file} is not a file that can be read`)
  }
  const ids = text.replace(/^\uFEFF/, '').split(/\r?\n/).map((line) => /^\s*(?:"((?:[^"]|"")*)"|([^,;\t]*))/.exec(line) ?? [])
    .map(([, quoted, plain]) => (quoted?.replaceAll('""', '"') ?? plain ?? '').trim()).filter((id) => id !== '')
  if (ids.length === 0) throw new Refused(`${file} has no ids`)
  return [...new Set(ids)]
}
