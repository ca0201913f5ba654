import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { sql } from 'kysely'
import type { Permission } from '../accounts/permissions.js'
import type { Reader } from '../database/connect.js'
import { Problem } from '../problems.js'

export interface Caller { id: string, type: 'operator' | 'vendor' | 'provider', key_id: string, permissions: readonly string[] }

declare module 'fastify' {
  interface FastifyRequest { account: Caller }
  interface FastifyContextConfig {
    /** what the caller's API key must be allowed to do */
    permission?: Permission
    /** the route checks its caller by other means, or needs no check */
    public?: boolean
    /** a caller without a key may give a code in the query instead, which the route checks */
    or_code?: boolean
  }
}

const CREDENTIALS = /^(\S+) +(SU-\d{3}-\d{3}-\d{3}):(\S{1,200}) *$/
const SCHEMES = new Set(['apikey', 'bearer'])

/** How a secret is kept and compared: it is random and long, so a slow hash adds nothing. */
const secretHash = (secret: string): Buffer => createHash('sha256').update(secret).digest()

const unauthorized = (): Problem => new Problem('unauthorized', {
  detail: 'send one header Authorization: ApiKey SU-…:<secret> of an API key that is neither revoked nor expired',
  errors: ['API request is unauthorized.'],
  headers: { 'www-authenticate': 'ApiKey realm="latchkey", Bearer realm="latchkey"' },
})

/** Of two fields node keeps the first, and a proxy before us may have judged the second: then nobody asked. */
function authorizationOf ({ headers, rawHeaders }: IncomingMessage): string | undefined {
  const fields = rawHeaders.filter((text, i) => i % 2 === 0 && text.toLowerCase() === 'authorization')
  return fields.length === 1 ? headers.authorization : undefined
}

/** Looked up on every request, so a revocation acts at once on every replica. */
async function callerOf (db: Reader, authorization: string | undefined): Promise<Caller> {
  const [, scheme = '', key_id = '', secret = ''] = CREDENTIALS.exec(authorization ?? '') ?? []
  if (!SCHEMES.has(scheme.toLowerCase())) throw unauthorized()
  const { rows: [key] } = await sql<{ id: string, type: Caller['type'], permissions: string[], secret_sha256: Buffer }>`
    select a.id, a.type, k.permissions, k.secret_sha256 from api_keys k join accounts a on a.id = k.account_id
    where k.id = ${key_id} and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())`.execute(db)
  if (key === undefined || !timingSafeEqual(key.secret_sha256, secretHash(secret))) throw unauthorized()
  return { id: key.id, type: key.type, key_id, permissions: key.permissions }
}

/** Every route under /v1 says which permission it needs, or that it is public; one that says neither stops the start. */
export const authentication = fp(async (app: FastifyInstance) => {
  app.decorateRequest('account', null as unknown as Caller)
  app.addHook('onRoute', ({ url, method, config }) => {
    if (!url.startsWith('/v1/')) return
    if (config?.permission === undefined && config?.public !== true) throw new Error(`${String(method)} ${url} declares no permission, nor that it is public`)
  })
  app.addHook('onRequest', async (request) => {
    const { permission, or_code } = request.routeOptions.config
    if (permission === undefined || (or_code === true && Object.hasOwn(request.query as object, 'code'))) return
    request.account = await callerOf(app.db, authorizationOf(request.raw))
    if (!request.account.permissions.includes(permission)) {
      throw new Problem('forbidden', { detail: `the API key lacks the permission ${permission}`, params: { permission } })
    }
  })
}, { name: 'authentication' })
