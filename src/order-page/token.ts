import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import type { Keyring } from '../sealing.js'

/** What a token says: whose order it opens, until when, and which of the order's links it belongs to. */
export interface Ticket { account_id: string, order_id: string, generation: number, expires_at: Date }

const PREFIX = 'OP_' // so that who scans logs and repositories for secrets can know it
const FORM = /^OP_[A-Za-z0-9_-]{40,400}$/
const SIGNATURE_BYTES = 20 // 160 bits of HMAC-SHA-256 (RFC 2104 §5 allows half of its 256)
const HEAD_BYTES = 10 // key version (1), end in Unix seconds (4), generation (4), length of the account's id (1)

const keys = new WeakMap<Buffer, Buffer>() // by the material they are derived from: each mail has a link

/** Signed with a key of its own: what seals licenses signs nothing. */
function keyOf (material: Buffer): Buffer {
  const known = keys.get(material)
  if (known !== undefined) return known
  const key = Buffer.from(hkdfSync('sha256', material, '', 'latchkey order page', 32))
  keys.set(material, key)
  return key
}

/** Undefined: the key material lacks the version. */
function signature (keyring: Keyring, version: number, body: Buffer): Buffer | undefined {
  const material = keyring.versions.get(version)
  if (material === undefined) return undefined
  const key = keyOf(material)
  return createHmac('sha256', key).update(body).digest().subarray(0, SIGNATURE_BYTES)
}

/** The token of a ticket, signed with the newest key: the same ticket has the same token, so that it need not be kept. */
export function signToken (keyring: Keyring, { account_id, order_id, generation, expires_at }: Ticket): string {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUInt8(keyring.newest, 0)
  head.writeUInt32BE(Math.floor(expires_at.getTime() / 1000), 1)
  head.writeUInt32BE(generation, 5)
  head.writeUInt8(Buffer.byteLength(account_id), 9)
  const body = Buffer.concat([head, Buffer.from(account_id), Buffer.from(order_id)])
  return PREFIX + Buffer.concat([body, signature(keyring, keyring.newest, body) as Buffer]).toString('base64url')
}

/** What a token says, if we signed it and it has not expired. Whether it was revoked, the order knows (open-page.ts). */
export function readToken (keyring: Keyring, token: string, now: Date): Ticket | undefined {
  if (!FORM.test(token)) return undefined
  const text = token.slice(PREFIX.length)
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) return undefined // bits that decoding drops: one ticket has one spelling
  const body = bytes.subarray(0, -SIGNATURE_BYTES)
  const expected = signature(keyring, bytes.readUInt8(0), body)
  if (expected === undefined || !timingSafeEqual(expected, bytes.subarray(-SIGNATURE_BYTES))) return undefined
  const expires_at = new Date(body.readUInt32BE(1) * 1000)
  if (expires_at <= now) return undefined
  const account_end = HEAD_BYTES + body.readUInt8(9)
  return {
    account_id: body.toString('utf8', HEAD_BYTES, account_end),
    order_id: body.toString('utf8', account_end),
    generation: body.readUInt32BE(5),
    expires_at,
  }
}
