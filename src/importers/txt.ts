import { readText } from '../licenses/read-text.js'
import { Problem } from '../problems.js'
import type { Importer } from './importer.js'
import { peek } from './peek.js'

const EXPORTED = /^[^\n]*\b(license_key|serial_key|product_id|order_id)\b[^\n]*[,;\t]|^[^\n]*[,;\t][^\n]*\b(license_key|serial_key|product_id|order_id)\b/i

/** One license per line, all of them unsold. What is plainly another format is refused: its lines are no licenses. */
export const readTxt: Importer = async function * (bytes) {
  const { isJson, head, whole } = await peek(bytes)
  if (isJson && /^(\{\s*"|\[\s*[{"\]])/.test(head)) throw new Problem('validation-failed', 'The file is JSON, not one license per line. Name its system with --from.')
  if (EXPORTED.test(head)) throw new Problem('validation-failed', 'The first line is the header of a table, not a license. Name its system with --from.')
  for await (const lines of readText(whole)) {
    yield lines.map((line) => 'key' in line ? { ...line, status: 'line', fate: 'unsold' as const } : line)
  }
}
