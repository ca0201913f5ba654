import { csvRows, type CsvRow } from '../licenses/csv-rows.js'
import { isBlank } from '../licenses/key-rules.js'
import { Problem } from '../problems.js'
import { ENTRIES_PER_YIELD, type Entry, type Standing } from './importer.js'
import { peek } from './peek.js'

/** One system's columns: the name of the key's and its other names. `classify` gets the fields of a row by their column's name. */
export interface CsvFormat {
  system: string
  key: readonly string[]
  /** key columns of other systems: whose file this is, then */
  others: Readonly<Record<string, string>>
  /** columns of which the state is read; without all of them nothing says what is sold */
  needs: readonly string[]
  classify: (row: ReadonlyMap<string, string>) => Standing
}

const DELIMITERS = [',', ';', '\t']

/** `License Key`, `license-key` and `licenseKey` are all `license_key`. */
const normal = (name: string): string => name.trim().replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase().replace(/[\s-]+/g, '_')

/**
 * The licenses of an exported file with a header: columns in any order, separated by commas, semicolons or tabs.
 *
 * @throws Problem validation-failed
 */
export async function * csvEntries (bytes: AsyncIterable<Buffer>, format: CsvFormat): AsyncGenerator<Entry[]> {
  const { delimiter, isJson, whole } = await findDelimiter(bytes)
  if (isJson) throw new Problem('validation-failed', `The file is JSON, and exports of ${format.system} are read as CSV.`)
  let columns: string[] | undefined
  let entries: Entry[] = []
  for await (const row of csvRows(whole, delimiter)) {
    if (columns === undefined) columns = readHeader(row.fields, format)
    else entries.push(readRow(row, columns, format))
    if (entries.length < ENTRIES_PER_YIELD) continue
    yield entries
    entries = []
  }
  if (columns === undefined) throw new Problem('validation-failed', 'The file is empty.')
  yield entries
}

/** What separates most columns in the first line: a spreadsheet may have saved the file anew. */
async function findDelimiter (bytes: AsyncIterable<Buffer>): Promise<{ delimiter: string, isJson: boolean, whole: AsyncIterable<Buffer> }> {
  const { isJson, head, whole } = await peek(bytes)
  const header = head.split('\n', 1)[0] ?? ''
  const count = (delimiter: string): number => header.split(delimiter).length
  const [delimiter = ','] = DELIMITERS.toSorted((a, b) => count(b) - count(a))
  return { delimiter, isJson, whole }
}

function readHeader (fields: readonly string[], { system, key, others, needs }: CsvFormat): string[] {
  const columns = fields.map(normal)
  const foreign = Object.keys(others).find((name) => columns.includes(name))
  if (!key.some((name) => columns.includes(name))) {
    const hint = foreign === undefined ? '' : ` A column ${foreign} is there: this may be a file of --from ${others[foreign] ?? ''}.`
    throw new Problem('validation-failed', `This is not an export of ${system}: its header has no column ${key[0] ?? ''}.${hint}`)
  }
  const missing = needs.filter((name) => !columns.includes(name))
  if (missing.length === 0) return columns.map((name) => key.includes(name) ? 'key' : name)
  throw new Problem('validation-failed', `The header has no column ${missing.join(', ')}: without it nothing says which licenses are sold. Export it too.`)
}

function readRow ({ line, fields }: CsvRow, columns: readonly string[], { classify }: CsvFormat): Entry {
  if (fields.length !== columns.length) return { line, reason: `it has ${fields.length} columns, and the header ${columns.length}; perhaps the file was cut off` }
  const row = new Map(columns.map((name, i) => [name, fields[i] ?? '']))
  const key = Buffer.from(row.get('key') ?? '', 'latin1')
  return isBlank(key) ? { line, reason: 'its license is empty' } : { line, key, ...classify(row) }
}
