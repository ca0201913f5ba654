import { isUtf8 } from 'node:buffer'
import { Problem } from '../problems.js'
import { assertStorable } from './json-body.js'

/**
 * Reads the bytes of a form of a browser, application/x-www-form-urlencoded: the values of each name in their order.
 *
 * @throws Problem malformed-request  not UTF-8
 * @throws Problem text-not-storable  NUL in a text
 */
export function parseForm (bytes: Buffer): Map<string, string[]> {
  if (!isUtf8(bytes)) throw new Problem('malformed-request', 'the body has bytes that are not UTF-8')
  const fields = new Map<string, string[]>()
  for (const [name, value] of new URLSearchParams(bytes.toString('utf8'))) {
    assertStorable(name, [])
    assertStorable(value, [name])
    const values = fields.get(name)
    if (values === undefined) fields.set(name, [value])
    else values.push(value)
  }
  return fields
}
