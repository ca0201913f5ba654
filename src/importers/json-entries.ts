import { Problem } from '../problems.js'
import { ENTRIES_PER_YIELD, type Entry, type Standing } from './importer.js'
import { jsonItems } from './json-items.js'

/** One license as its system's API writes it. `key` undefined: the object is no license of that system. */
export type ReadItem = (item: Record<string, unknown>) => { key: unknown } & Standing | undefined

// Half of a surrogate pair, which JSON can write as \ud800: made into UTF-8 two such keys would become one.
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * The licenses of JSON that a system's API answered; the place in the list, from 1, is the line.
 *
 * @throws Problem validation-failed
 */
export async function * jsonEntries (bytes: AsyncIterable<Buffer>, system: string, read: ReadItem): AsyncGenerator<Entry[]> {
  let line = 0
  let found = 0
  let entries: Entry[] = []
  for await (const item of jsonItems(bytes)) {
    line += 1
    const license = typeof item === 'object' && item !== null ? read(item as Record<string, unknown>) : undefined
    entries.push(license === undefined ? { line, reason: `it is no license of ${system}` } : toEntry(line, license))
    if (license !== undefined) found += 1
    if (entries.length < ENTRIES_PER_YIELD) continue
    if (found === 0) break
    yield entries
    entries = []
  }
  if (found === 0) throw new Problem('validation-failed', `This is not JSON of ${system}: it has no list "data" with licenses.`)
  yield entries
}

function toEntry (line: number, { key, ...standing }: { key: unknown } & Standing): Entry {
  if (typeof key !== 'string' || key.trim() === '') return { line, reason: 'its license is empty' }
  if (LONE_SURROGATE.test(key)) return { line, reason: 'it holds half of a surrogate pair' }
  return { line, key: Buffer.from(key), ...standing }
}
