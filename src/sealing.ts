import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/** The key material of the service. Seals with the newest version and opens with any; see docs/operations.md for rotation. */
export interface Keyring {
  newest: number
  versions: ReadonlyMap<number, Buffer>
  fingerprint: Buffer
}

const NONCE_BYTES = 12 // NIST SP 800-38D §8.2.2: random 96-bit nonces, far below 2^32 uses of one key
const TAG_BYTES = 16

/**
 * Reads key material written as `fingerprint=<base64>,1=<base64>,2=<base64>`: 32 bytes each, sealing keys by version.
 *
 * @throws Error with a sentence that does not repeat the material
 */
export function readKeyring (text: string): Keyring {
  const versions = new Map<number, Buffer>()
  let fingerprint: Buffer | undefined
  for (const part of text.trim().split(/[,\n]+/)) {
    const [name = '', value = ''] = part.trim().split(/=(.*)/s)
    const key = Buffer.from(value, 'base64')
    if (key.length !== 32) throw new Error(`key material: "${name}" must be 32 bytes in base64`)
    const version = Number(name)
    if (name === 'fingerprint') fingerprint = key
    else if (Number.isInteger(version) && version >= 1 && version <= 255) versions.set(version, key)
    else throw new Error('key material: every part is fingerprint=<base64> or <version from 1 to 255>=<base64>')
  }
  if (fingerprint === undefined) throw new Error('key material: the part fingerprint=<base64> is missing')
  if (versions.size === 0) throw new Error('key material: there is no sealing key, for example 1=<base64>')
  return { newest: Math.max(...versions.keys()), versions, fingerprint: Buffer.from(hkdfSync('sha256', fingerprint, '', 'latchkey fingerprint', 32)) }
}

/** New random key material in the form that {@link readKeyring} reads. */
export function newKeyMaterial (): string {
  return `fingerprint=${randomBytes(32).toString('base64')},1=${randomBytes(32).toString('base64')}`
}

/**
 * Seals bytes with AES-256-GCM, bound to `context`: opening needs the same one, so a ciphertext moved to another
 * row or account does not open. Envelope: key version (1 byte), nonce (12), ciphertext, tag (16).
 */
export function seal (keyring: Keyring, context: readonly string[], clear: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', keyring.versions.get(keyring.newest) as Buffer, nonce)
  cipher.setAAD(Buffer.from(context.join('\0')))
  return Buffer.concat([Buffer.of(keyring.newest), nonce, cipher.update(clear), cipher.final(), cipher.getAuthTag()])
}

/**
 * Opens what {@link seal} made.
 *
 * @throws Error when the key version is unknown, the context is another or a byte was changed
 */
export function open (keyring: Keyring, context: readonly string[], sealed: Buffer): Buffer {
  const key = keyring.versions.get(sealed[0] ?? 0)
  if (key === undefined) throw new Error(`sealed with key version ${sealed[0]}, which the key material lacks`)
  const body = sealed.length - TAG_BYTES
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + NONCE_BYTES))
  decipher.setAAD(Buffer.from(context.join('\0')))
  decipher.setAuthTag(sealed.subarray(body))
  return Buffer.concat([decipher.update(sealed.subarray(1 + NONCE_BYTES, body)), decipher.final()])
}

/** HMAC-SHA-256 that finds a duplicate license of the account and mode without reading any; equal keys of two accounts differ. */
export function fingerprint (keyring: Keyring, account_id: string, mode: string, key: Buffer): Buffer {
  return createHmac('sha256', keyring.fingerprint).update(`${account_id}\0${mode}\0`).update(key).digest()
}
