import { isUtf8 } from 'node:buffer'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../problems.js'

const DEPTH_MAX = 64 // Connect's deepest objects have about 10 levels; past some thousands the validator's recursion fails
const NOT_STORABLE = /[\0\p{Surrogate}]/u // with the u flag only a lone surrogate matches; PostgreSQL stores neither

const sentence = (path: string[], fault: string): string => `${path.length === 0 ? 'body' : path.join('.')}: ${fault}`

/** @throws Problem text-not-storable */
export function assertStorable (text: string, path: string[]): void {
  if (NOT_STORABLE.test(text)) throw notStorable(sentence(path, 'holds a NUL character or half of a surrogate pair; remove it'))
}

function check (value: unknown, path: string[]): void {
  if (typeof value === 'string') {
    assertStorable(value, path)
    return
  }
  if (typeof value !== 'object' || value === null) return
  if (path.length >= DEPTH_MAX) throw new Problem('validation-failed', { detail: `the body is nested deeper than ${DEPTH_MAX} levels` })
  for (const name of Object.keys(value)) {
    if (NOT_STORABLE.test(name)) throw notStorable(sentence(path, 'has a field name with a NUL character or half of a surrogate pair; remove it'))
    if (name === '__proto__') throw new Problem('malformed-json', { errors: [sentence([...path, name], 'is not a field here; remove it')] })
    path.push(name)
    check((value as Record<string, unknown>)[name], path)
    path.pop()
  }
}

const notStorable = (fault: string): Problem => new Problem('text-not-storable', { detail: fault, errors: [fault] })

/**
 * Reads JSON bytes. Of duplicate members the last wins (RFC 8259 §4 leaves it open; docs/problems.md says so). Empty: undefined.
 *
 * @throws Problem malformed-json  not JSON, not UTF-8, or it has a `__proto__`
 * @throws Problem text-not-storable  NUL or half of a surrogate pair in a text
 * @throws Problem validation-failed  nested too deep
 */
export function parseJson (bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined
  if (!isUtf8(bytes)) throw new Problem('malformed-json', 'the body has bytes that are not UTF-8')
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new Problem('malformed-json', 'the body is not JSON')
  }
  check(value, [])
  return value
}

/** Replaces Fastify's parsers: JSON as {@link parseJson} reads it, and no other type unless a resource adds a parser for it. */
export const jsonBody = fp(async (app: FastifyInstance) => {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: unknown, bytes: Buffer) => parseJson(bytes))

  app.addHook('preParsing', async (request) => {
    if (request.method === 'GET' || request.method === 'HEAD') return // nothing of theirs is read
    // some clients name a type though they send no body: curl -d '' says it is a form
    const type = request.headers['content-type']
    if (type !== undefined && request.headers['content-length'] === '0' && !request.server.hasContentTypeParser(type)) delete request.headers['content-type']
    const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(request.headers['content-type'] ?? '')?.[1]?.toLowerCase()
    if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8') {
      throw new Problem('unsupported-media-type', 'bodies are read as UTF-8: send charset=utf-8, or none')
    }
    const encoding = request.headers['content-encoding']
    if (encoding !== undefined && encoding !== 'identity') throw new Problem('unsupported-media-type', 'send the body without content-encoding')
  })
}, { name: 'json-body' })
