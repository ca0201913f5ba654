import type { Call } from './call.js'
import type { Target } from './find-target.js'

const LENGTH_MAX = 500
const SECRET_LENGTH_MIN = 4 // what is shorter hides nothing, and would blot out words

/**
 * What may be kept of an answer: at most 500 characters, on one line. An endpoint may repeat what it was sent: the token, the signatures and
 * the values of the owner's own headers are blotted out.
 */
export function keptAnswer (answer: string, { headers }: Call, target: Pick<Target, 'headers' | 'jwt_secret'>): string {
  const secrets = [headers['authorization'], headers['authorization']?.replace(/^Bearer /, ''), headers['webhook-signature'], headers['signature'], target.jwt_secret, ...Object.values(target.headers)]
    .filter((secret): secret is string => (secret?.trim().length ?? 0) >= SECRET_LENGTH_MIN).sort((a, b) => b.length - a.length)
  const clean = secrets.reduce((text, secret) => text.replaceAll(secret, '[secret]'), answer)
  return [...clean.replace(/[\p{Cc}\p{Cs}\u2028\u2029]+/gu, ' ').trim()].slice(0, LENGTH_MAX).join('')
}
