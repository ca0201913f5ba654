import { pino, type DestinationStream, type Logger } from 'pino'
import type { Config } from './config.js'

export type { Logger }

/** Fields that may hold what no log may show. Nothing of ours logs them; this catches what somebody forgets. */
const SECRET_FIELDS = ['authorization', 'secret', 'api_key', 'key', 'keys', 'license', 'licenses', 'password', 'token', 'body', 'cookie', 'sealed', 'headers']

/** How a failure is logged: a driver's or parser's sentence may quote what was sent, so only its place is kept. */
export function loggedError (error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error }
  const { code, constraint, table, routine, severity } = error as unknown as Record<string, unknown>
  const quotes = severity !== undefined || error instanceof SyntaxError
  const stack = quotes ? error.stack?.split('\n').filter((line) => /^\s+at /.test(line)).join('\n') : error.stack
  return { type: error.name, ...(quotes ? {} : { message: error.message }), code, constraint, table, routine, stack }
}

/** The log of a process: one JSON object a line, on standard output unless `stream` is given. */
export function buildLogger (config: Pick<Config, 'log_level'>, stream?: DestinationStream): Logger {
  const options = {
    level: config.log_level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (level: string) => ({ level }) },
    serializers: { err: loggedError, req: () => undefined, res: () => undefined },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[redacted]' },
  }
  return stream === undefined ? pino(options) : pino(options, stream)
}
