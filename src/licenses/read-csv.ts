import { Problem } from '../problems.js'
import { csvRows } from './csv-rows.js'
import { expiryOfLine } from './expiry.js'
import { isBlank, toLoadLine, type LoadLine } from './key-rules.js'

const ROWS_PER_YIELD = 500
const COLUMNS = ['license', 'key']

/**
 * The licenses of a comma-separated file, taken from the column that its header calls `license` or `key`, and until when they are good, from
 * `expires_at` if there is one.
 *
 * @throws Problem validation-failed  no such column, or the rows cannot be told apart
 */
export async function * readCsv (bytes: AsyncIterable<Buffer>): AsyncGenerator<LoadLine[]> {
  const now = new Date()
  let columns: Columns | undefined
  let lines: LoadLine[] = []
  for await (const { line, fields } of csvRows(bytes)) {
    if (columns === undefined) columns = readHeader(fields)
    else lines.push(readRow(line, Buffer.from(fields[columns.license] ?? '', 'latin1'), expiryOfLine(fields[columns.expires_at], now)))
    if (lines.length < ROWS_PER_YIELD) continue
    yield lines
    lines = []
  }
  if (columns === undefined) throw new Problem('validation-failed', 'The file is empty: a header row with a column "license" or "key" is missing.')
  yield lines
}

function readRow (line: number, key: Buffer, expiry: ReturnType<typeof expiryOfLine>): LoadLine {
  return isBlank(key) ? { line, reason: 'its license column is empty' } : toLoadLine(line, key, expiry)
}

/** `expires_at` -1: there is no such column. */
interface Columns { license: number, expires_at: number }

function readHeader (header: string[]): Columns {
  const names = header.map((name) => name.trim().toLowerCase())
  const license = names.findIndex((name) => COLUMNS.includes(name))
  if (license !== -1) return { license, expires_at: names.indexOf('expires_at') }
  // the names are not repeated: in a file without a header they are keys
  throw new Problem('validation-failed', 'The header row has no column "license" or "key". Columns are separated by commas.')
}
