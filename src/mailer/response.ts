const LENGTH_MAX = 500
const WINDOW = 6 // letters and digits in a row that a server's answer and a key may not share
const KEYS_LENGTH_MAX = 256_000 // above it comparing would hold up the process; then only the code is kept

const bare = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '')

/** Whether a text repeats a key or a part of one, however it is spaced, wrapped or cased. */
function repeats (text: string, keys: readonly string[]): boolean {
  if (keys.reduce((length, key) => length + key.length, 0) > KEYS_LENGTH_MAX) return true
  const said = bare(text)
  const windows = new Set(Array.from({ length: Math.max(said.length - WINDOW + 1, 0) }, (_, i) => said.slice(i, i + WINDOW)))
  return keys.some((key) => {
    const secret = bare(key)
    if (text.includes(key) || (secret !== '' && secret.length < WINDOW && said.includes(secret))) return true
    for (let i = 0; i + WINDOW <= secret.length; i++) if (windows.has(secret.slice(i, i + WINDOW))) return true
    return false
  })
}

/**
 * What may be kept of a mail server's answer: one line of at most 500 characters. Servers may repeat the mail they refuse;
 * where the answer has any part of a key in it, only its codes are kept (`554 5.7.1`, RFC 3463).
 */
export function keptResponse (answer: string, keys: readonly string[]): string {
  const line = answer.slice(0, 10_000).replace(/[^\x20-\x7e]+/g, ' ').trim()
  if (!repeats(line, keys)) return line.slice(0, LENGTH_MAX)
  return /^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?\b/.exec(line)?.[0] ?? 'the answer is not kept'
}
