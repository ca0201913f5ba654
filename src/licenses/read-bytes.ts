import { Problem } from '../problems.js'

const BOM = Buffer.from([0xef, 0xbb, 0xbf])

/**
 * The bytes of a file without the byte order mark that UTF-8 may start with.
 *
 * @throws Problem validation-failed  the file is UTF-16, as Windows' editors may save it
 */
export async function * readBytes (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0)
  for await (const chunk of source) {
    if (head === undefined) {
      yield chunk
    } else {
      head = Buffer.concat([head, chunk])
      if (head.length < BOM.length) continue
      yield withoutMark(head)
      head = undefined
    }
  }
  if (head !== undefined && head.length > 0) yield withoutMark(head)
}

function withoutMark (head: Buffer): Buffer {
  const [first, second] = head
  const marked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)
  // without a mark, a text that starts with an ASCII character has one NUL in its first two bytes
  if (marked || (second !== undefined && (first === 0) !== (second === 0))) {
    throw new Problem('validation-failed', 'The file is UTF-16 text. Save it as UTF-8 and load it again.')
  }
  return head.subarray(0, BOM.length).equals(BOM) ? head.subarray(BOM.length) : head
}
