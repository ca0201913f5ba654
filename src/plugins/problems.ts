import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem, problems, type ProblemType } from '../problems.js'
import { problemUri } from './schema.js'
import { validationSentences } from './validation.js'

const RETRY_AFTER_SECONDS = '1'

/** What PostgreSQL says when a value cannot be stored: the client's text, not our failure. */
const VALUE_STATES = new Set(['22021', '22P05', '22P02', '22003', '22001', '22007', '22008', '22009'])
/** …and when it cannot serve now: lost or refused connections, resources, cancelled by a limit, locks, read-only. */
const UNAVAILABLE_STATES = /^(08...|53...|57P..|57014|55P03|40P01|40001|25P0[34]|25006)$/
const UNAVAILABLE_CODES = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'])
/** pg and Kysely throw these without a code. */
const UNAVAILABLE_MESSAGES = /^(timeout exceeded when trying to connect|Connection terminated|Query read timeout|Client has encountered a connection error|Client was closed|Cannot use a pool after calling end|driver has already been destroyed)/

const FRAMEWORK_PROBLEMS: Record<string, ProblemType> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload-too-large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported-media-type',
  FST_ERR_MAX_PARAM_LENGTH: 'route-not-found',
  FST_ERR_NOT_FOUND: 'route-not-found',
}
const STATUS_PROBLEMS: Record<number, ProblemType> = { 404: 'route-not-found', 408: 'request-timeout', 413: 'payload-too-large', 415: 'unsupported-media-type' }

/** Whatever was thrown, as a refusal. What is not known here is an error of ours: 500, and only the log says which. */
function toProblem (error: unknown): Problem {
  if (error instanceof Problem) return error
  const { code = '', validation, validationContext = 'body', statusCode, severity, syscall, message = '' } = error as Partial<FastifyError & { severity: string, syscall: string }>
  if (validation !== undefined) {
    const errors = validationSentences(validation, validationContext === 'querystring' ? 'query' : validationContext)
    return new Problem('validation-failed', { detail: errors.join('; '), errors })
  }
  if (severity !== undefined && VALUE_STATES.has(code)) return new Problem('text-not-storable', 'a value cannot be stored: it is out of range or holds a character that text cannot have')
  if ((severity !== undefined && UNAVAILABLE_STATES.test(code)) || UNAVAILABLE_CODES.has(code) || syscall === 'connect' || UNAVAILABLE_MESSAGES.test(message)) {
    return new Problem('unavailable', { headers: { 'retry-after': RETRY_AFTER_SECONDS } })
  }
  const known = FRAMEWORK_PROBLEMS[code]
  if (known !== undefined) return new Problem(known)
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new Problem(STATUS_PROBLEMS[statusCode] ?? 'malformed-request')
  return new Problem('internal-error')
}

/** The body of a refusal, ready to send. */
function problemBody (problem: Problem, request_id: string): Buffer {
  const { title, status, error_code } = problems[problem.type]
  const { detail = title, errors = [detail], params = {} } = problem.details
  return Buffer.from(JSON.stringify({ type: problemUri(problem.type), title, status, detail, error_code, errors, params, request_id }))
}

/**
 * Answers with a refusal. The body goes out as bytes, because Fastify adds a charset to JSON and Connect's clients
 * compare the header with `application/json`.
 */
export function sendProblem (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = toProblem(error)
  if (problem.status >= 500) request.log[problem.type === 'unavailable' ? 'warn' : 'error']({ err: error }, 'request failed')
  const accepts = request.headers.accept ?? ''
  // a body still on its way is not waited for
  if (!request.raw.complete) reply.header('connection', 'close')
  return reply.code(problem.status).headers(problem.details.headers ?? {})
    .header('x-request-id', request.id)
    .header('content-type', accepts.includes('application/problem+json') ? 'application/problem+json' : 'application/json')
    .send(problemBody(problem, request.id))
}

/** Answers what never became a request: node calls it with the socket. */
export function clientErrorHandler (error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const type = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers-too-large' : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request-timeout' : 'malformed-request'
  const request_id = randomUUID()
  const body = problemBody(new Problem(type), request_id)
  const { status } = problems[type]
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\nx-request-id: ${request_id}\r\n` +
    `content-length: ${body.length}\r\nconnection: close\r\n\r\n`)
  socket.end(body)
  socket.destroySoon()
}

/** Which methods a URL would take, from the routes' patterns: for 405 instead of 404. */
function methodTable (app: FastifyInstance): (path: string) => string[] {
  const routes: Array<{ pattern: RegExp, method: string }> = []
  app.addHook('onRoute', ({ url, method }) => {
    if (url.includes('*')) return
    const pattern = new RegExp(`^${url.replace(/[.+?^$()|[\]\\]/g, '\\$&').replace(/:[^/]+/g, '[^/]+')}/?$`)
    for (const one of [method].flat()) routes.push({ pattern, method: one })
  })
  return (path) => [...new Set(routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))].sort()
}

/** The one place that renders refusals. */
export const problemReplies = fp(async (app: FastifyInstance) => {
  const methodsOf = methodTable(app)
  app.setErrorHandler(sendProblem)
  app.setNotFoundHandler(async (request, reply) => {
    const methods = methodsOf(request.url.replace(/\?.*$/s, ''))
    if (methods.length === 0) return sendProblem(new Problem('route-not-found'), request, reply)
    return sendProblem(new Problem('method-not-allowed', { detail: `use ${methods.join(', ')}`, headers: { allow: methods.join(', ') } }), request, reply)
  })
}, { name: 'problems' })
