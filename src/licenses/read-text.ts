import { isBlank, KEY_BYTES_MAX, toLoadLine, TOO_LONG, type LoadLine } from './key-rules.js'

const LF = 0x0a
const CR = 0x0d

/** Splits text into lines, LF or CRLF; blank ones count but are skipped. Holds no more than the longest license of an unfinished line. */
export async function * readText (bytes: AsyncIterable<Buffer>): AsyncGenerator<LoadLine[]> {
  let line = 0
  let rest: Buffer = Buffer.alloc(0)
  let too_long = false // the line under way: its bytes are dropped as they come
  for await (const chunk of bytes) {
    const lines: LoadLine[] = []
    const text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let start = 0
    for (let end = text.indexOf(LF); end !== -1; end = text.indexOf(LF, start)) {
      line += 1
      addLine(lines, line, text.subarray(start, end), too_long)
      too_long = false
      start = end + 1
    }
    rest = text.subarray(start)
    if (too_long || rest.length > KEY_BYTES_MAX + 1) { // and a CR
      too_long = true
      rest = Buffer.alloc(0)
    }
    yield lines
  }
  const last: LoadLine[] = []
  addLine(last, line + 1, rest, too_long)
  yield last
}

function addLine (lines: LoadLine[], line: number, bytes: Buffer, too_long: boolean): void {
  const key = bytes.at(-1) === CR ? bytes.subarray(0, -1) : bytes
  if (too_long) lines.push({ line, reason: TOO_LONG })
  else if (!isBlank(key)) lines.push(toLoadLine(line, key))
}
