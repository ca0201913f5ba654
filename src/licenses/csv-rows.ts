import { Readable } from 'node:stream'
import { CsvError, parse, type Options } from 'csv-parse'
import { Problem } from '../problems.js'

/** One row with all its columns. Past it a quote was probably never closed. */
const ROW_BYTES_MAX = 65_536

// Latin-1 gives each byte one character and back: the parser neither sees nor repairs UTF-8. (Its own bytes mode does not bound a row.)
const OPTIONS: Options = {
  encoding: 'latin1', info: true, record_delimiter: ['\r\n', '\n'], skip_empty_lines: true, relax_column_count: true, max_record_size: ROW_BYTES_MAX,
}

/** A row of a comma-separated file; each character of a field stands for one byte. One that spans lines counts as its last one. */
export interface CsvRow { line: number, fields: string[] }

/**
 * The rows of a comma-separated file (RFC 4180), the header among them.
 *
 * @throws Problem validation-failed  the rows cannot be told apart
 */
export async function * csvRows (bytes: AsyncIterable<Buffer>, delimiter = ','): AsyncGenerator<CsvRow> {
  const parser = parse({ ...OPTIONS, delimiter })
  const source = Readable.from(bytes, { objectMode: false })
  source.on('error', (error) => parser.destroy(error))
  source.pipe(parser)
  let counted_twice = 0 // the parser counts a CRLF within quotes as two lines
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[], info: { lines: number } }>) {
      counted_twice += record.reduce((sum, field) => sum + field.split('\r\n').length - 1, 0)
      yield { line: info.lines - counted_twice, fields: record }
    }
  } catch (error) {
    throw error instanceof CsvError ? unreadable(error) : error
  } finally {
    source.destroy()
  }
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
