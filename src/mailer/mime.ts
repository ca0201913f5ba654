// The bytes of a composed mail. nodemailer's own way there is six streams for a text and its HTML, which is half of what a mail costs the worker:
// docs/decisions/0021-mail-connections.md.
import * as base64 from 'nodemailer/lib/base64'
import type MimeNode from 'nodemailer/lib/mime-node'
import * as qp from 'nodemailer/lib/qp'

function encoded (text: string, encoding: string | false): string {
  if (encoding === 'quoted-printable') return qp.wrap(qp.encode(text))
  return encoding === 'base64' ? base64.wrap(base64.encode(text)) : text
}

function written (node: MimeNode): string {
  const encoding = node.getTransferEncoding()
  const head = `${node.buildHeaders()}\r\n\r\n` // which sets the boundary
  if (!node.boundary) {
    if (typeof node.content !== 'string') throw new Error('a part of the mail is not a text')
    return head + encoded(node.content, encoding)
  }
  return `${head}${node.childNodes.map((part) => `--${String(node.boundary)}\r\n${written(part)}\r\n`).join('')}--${node.boundary}--\r\n`
}

/** What `node.build()` resolves to, for a mail of which all parts are strings: with CRLF, the same but for where long lines of quoted-printable are broken. */
export function bytesOf (node: MimeNode): Buffer {
  const text = written(node).replace(/(?<!\r)\n/g, '\r\n')
  return Buffer.from(text.endsWith('\n') ? text : `${text}\r\n`)
}
