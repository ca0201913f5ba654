import { isUtf8 } from 'node:buffer'

/** The longest license, in bytes of UTF-8. */
export const KEY_BYTES_MAX = 4096

/** One line of a file on its way in: a key, byte for byte, or why there is none. Lines count from 1. No `expires_at`: that of its load. */
export type LoadLine = { line: number, key: Buffer, expires_at?: Date | undefined } | { line: number, reason: string }

export const TOO_LONG = `it is longer than ${KEY_BYTES_MAX} bytes`

/** The line, kept or refused. Nothing is ever repaired: a key comes back byte for byte, or was never taken. */
export function toLoadLine (line: number, key: Buffer, expiry: { expires_at?: Date | undefined, reason?: string } = {}): LoadLine {
  const reason = whyNoKey(key) ?? expiry.reason
  return reason === undefined ? { line, key, expires_at: expiry.expires_at } : { line, reason }
}

/** Spaces and tabs alone: no license. */
export function isBlank (bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 0x20 && byte !== 0x09) return false
  return true
}

function whyNoKey (key: Buffer): string | undefined {
  if (key.length > KEY_BYTES_MAX) return TOO_LONG
  let ascii = true
  let control: number | undefined
  for (let i = 0; i < key.length; i++) {
    const byte = key[i] as number
    if (byte >= 0x80) {
      ascii = false
      if (byte === 0xc2 && (key[i + 1] ?? 0xff) < 0xa0) control ??= key[i + 1] // U+0080 to U+009F
    } else if ((byte < 0x20 && byte !== 0x09) || byte === 0x7f) control ??= byte
  }
  if (!ascii && !isUtf8(key)) return 'it is not valid UTF-8'
  if (control === undefined) return undefined
  return control === 0 ? 'it holds a NUL character' : `it holds the control character U+${control.toString(16).toUpperCase().padStart(4, '0')}`
}
