import { Problem } from '../problems.js'
import { csvRows } from './csv-rows.js'
import { isBlank, toLoadLine, type LoadLine } from './key-rules.js'

const ROWS_PER_YIELD = 500
const COLUMNS = ['license', 'key']

/**
 * The licenses of a comma-separated file, taken from the column that its header calls `license` or `key`.
 *
 * @throws Problem validation-failed  no such column, or the rows cannot be told apart
 */
export async function * readCsv (bytes: AsyncIterable<Buffer>): AsyncGenerator<LoadLine[]> {
  let column: number | undefined
  let lines: LoadLine[] = []
  for await (const { line, fields } of csvRows(bytes)) {
    if (column === undefined) column = licenseColumn(fields)
    else lines.push(readRow(line, Buffer.from(fields[column] ?? '', 'latin1')))
    if (lines.length < ROWS_PER_YIELD) continue
    yield lines
    lines = []
  }
  if (column === undefined) throw new Problem('validation-failed', 'The file is empty: a header row with a column "license" or "key" is missing.')
  yield lines
}

function readRow (line: number, key: Buffer): LoadLine {
  return isBlank(key) ? { line, reason: 'its license column is empty' } : toLoadLine(line, key)
}

function licenseColumn (header: string[]): number {
  const names = header.map((name) => name.trim().toLowerCase())
  const column = names.findIndex((name) => COLUMNS.includes(name))
  if (column !== -1) return column
  // the names are not repeated: in a file without a header they are keys
  throw new Problem('validation-failed', 'The header row has no column "license" or "key". Columns are separated by commas.')
}
