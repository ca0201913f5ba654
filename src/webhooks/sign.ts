import { createHmac, randomBytes } from 'node:crypto'
import { SignJWT } from 'jose'

const SECRET_BYTES = 32
const TOKEN_LIFETIME = '5 minutes' // as old as receivers of Standard Webhooks let a message be

export const newSigningSecret = (): string => `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`

/**
 * The headers of Standard Webhooks 1.0.0 for these bytes: signed are `id.timestamp.body`, once with each secret.
 * The id is the same on every try; the timestamp is of this one.
 */
export function standardHeaders (secrets: readonly string[], id: string, body: string, now = new Date()): Record<string, string> {
  const timestamp = String(Math.floor(now.getTime() / 1000))
  const signatures = secrets.map((secret) => 'v1,' + createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64')).update(`${id}.${timestamp}.${body}`).digest('base64'))
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}

/** The value of `Authorization` in Connect's calls: a JWT, HS256, with iat, exp (five minutes), iss (our public URL) and webhook_id. */
export async function bearerToken (jwt_secret: string, webhook_id: string, issuer: string): Promise<string> {
  const token = await new SignJWT({ webhook_id }).setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt().setIssuer(issuer).setExpirationTime(TOKEN_LIFETIME).sign(Buffer.from(jwt_secret))
  return `Bearer ${token}`
}
