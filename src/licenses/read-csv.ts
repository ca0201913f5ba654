import { Readable } from 'node:stream'
import { CsvError, parse, type Options } from 'csv-parse'
import { Problem } from '../problems.js'
import { isBlank, toLoadLine, type LoadLine } from './key-rules.js'

/** One row with all its columns. Past it a quote was probably never closed. */
const ROW_BYTES_MAX = 65_536
const ROWS_PER_YIELD = 500
const COLUMNS = ['license', 'key']

// Latin-1 gives each byte one character and back: the parser neither sees nor repairs UTF-8. (Its own bytes mode does not bound a row.)
const OPTIONS: Options = {
  encoding: 'latin1', info: true, record_delimiter: ['\r\n', '\n'], skip_empty_lines: true, relax_column_count: true, max_record_size: ROW_BYTES_MAX,
}

interface Row { record: string[], info: { lines: number } }

/**
 * The licenses of a comma-separated file (RFC 4180), taken from the column that its header calls `license` or `key`.
 * A row that spans lines counts as its last one.
 *
 * @throws Problem validation-failed  no such column, or the rows cannot be told apart
 */
export async function * readCsv (bytes: AsyncIterable<Buffer>): AsyncGenerator<LoadLine[]> {
  const parser = parse(OPTIONS)
  const source = Readable.from(bytes, { objectMode: false })
  source.on('error', (error) => parser.destroy(error))
  source.pipe(parser)
  try {
    yield * readRows(parser as AsyncIterable<Row>)
  } catch (error) {
    throw error instanceof CsvError ? unreadable(error) : error
  } finally {
    source.destroy()
  }
}

async function * readRows (rows: AsyncIterable<Row>): AsyncGenerator<LoadLine[]> {
  let column: number | undefined
  let counted_twice = 0 // the parser counts a CRLF within quotes as two lines
  let lines: LoadLine[] = []
  for await (const { record, info } of rows) {
    counted_twice += record.reduce((sum, field) => sum + field.split('\r\n').length - 1, 0)
    if (column === undefined) column = licenseColumn(record)
    else lines.push(readRow(info.lines - counted_twice, Buffer.from(record[column] ?? '', 'latin1')))
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

/** The parser's own message quotes the text it stumbled over: it stays here. */
function unreadable (error: CsvError): Problem {
  const reason = {
    CSV_QUOTE_NOT_CLOSED: 'a quoted field is never closed',
    CSV_MAX_RECORD_SIZE: `a row is longer than ${ROW_BYTES_MAX} bytes; perhaps a quoted field is never closed`,
    INVALID_OPENING_QUOTE: 'a quote stands in a field that is not quoted; quote the field and double the quote',
    CSV_INVALID_CLOSING_QUOTE: 'text follows the closing quote of a field',
  }[error.code as string] ?? 'it is not comma-separated text'
  return new Problem('validation-failed', `line ${String(error['lines'])}: ${reason}`)
}
