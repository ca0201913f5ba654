import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { IdempotencyKey } from '../database/once.js'

export { once } from '../database/once.js'

/**
 * Reads the header (draft-ietf-httpapi-idempotency-key-header). The fingerprint covers method, URL and body, so that
 * the same key with anything else is noticed. `body`: what stands for the body where it is not a parsed one, for example
 * the checksum of a stream.
 */
export function idempotencyKeyOf (request: FastifyRequest, body: unknown = request.body): IdempotencyKey | undefined {
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string') return undefined
  const fingerprint = createHash('sha256').update(`${request.method} ${request.url}\n${JSON.stringify(body) ?? ''}`).digest()
  return { account_id: request.account.id, operation: request.routeOptions.schema?.operationId ?? request.routeOptions.url ?? '', key, fingerprint }
}
