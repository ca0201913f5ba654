import { Problem } from '../problems.js'

const BOM = Buffer.from([0xef, 0xbb, 0xbf])
const HEAD_BYTES = 8

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
      if (head.length < HEAD_BYTES) continue
      yield withoutMark(head)
      head = undefined
    }
  }
  if (head !== undefined && head.length > 0) yield withoutMark(head)
}

function withoutMark (head: Buffer): Buffer {
  if (isUtf16(head.subarray(0, HEAD_BYTES))) throw new Problem('validation-failed', 'The file is UTF-16 text. Save it as UTF-8 and load it again.')
  return head.subarray(0, BOM.length).equals(BOM) ? head.subarray(BOM.length) : head
}

/** It starts with a mark of UTF-16, or, as ASCII characters do there, with every other byte NUL. */
function isUtf16 (head: Buffer): boolean {
  const mark = head.subarray(0, 2).toString('hex')
  if (mark === 'fffe' || mark === 'feff') return true
  const alternates = (nul: number): boolean => head.every((byte, i) => i % 2 === nul ? byte === 0 : byte >= 0x20)
  return head.length >= 4 && (alternates(0) || alternates(1))
}
