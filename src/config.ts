import { isIP } from 'node:net'
import path from 'node:path'

/** The settings of one process. Durations are milliseconds, sizes bytes; docs/configuration.md explains each. */
export interface Config {
  host: string
  port: number
  /** undefined: the embedded PostgreSQL under data_dir */
  database_url: string | undefined
  /** for tests: a server that may lose what it acknowledged is taken all the same */
  allow_unsafe_database: boolean
  database_connections_max: number
  /** false behind a pooler that cannot keep prepared statements */
  prepared_statements: boolean
  statement_timeout_ms: number
  lock_timeout_ms: number
  idle_in_transaction_session_timeout_ms: number
  connection_timeout_ms: number
  /** undefined: mails are kept as .eml files under data_dir */
  smtp_url: string | undefined
  mail_from: string
  /** opportunistic: where the server offers it */
  smtp_tls: SmtpTls
  /** certificates that are believed in place of the system's */
  smtp_tls_ca_file: string | undefined
  smtp_connections_max: number
  /** all mails of this process; undefined: as fast as the server takes them */
  mail_rate_per_second: number | undefined
  /** signs mails from mail_from's domain; undefined: they are not signed */
  dkim: { domain: string, selector: string, private_key_file: string } | undefined
  /** where mail servers report to, tagged with the delivery; undefined: to who the mail is from */
  bounce_address: string | undefined
  data_dir: string
  /** where clients reach the service, without a slash at the end */
  public_url: string
  log_level: string
  /** undefined: made once and kept under data_dir, on the embedded default only */
  latchkey_keys: string | undefined
  /** CIDR networks of proxies in front, whose X-Forwarded-For is believed */
  trusted_proxies: readonly string[]
  request_timeout_ms: number
  /** a vendor that lists requests by nothing is answered the pending ones */
  requests_default_pending: boolean
  /** how long a claimed delivery belongs to its worker without a sign of life */
  delivery_lease_ms: number
  worker_poll_ms: number
  worker_concurrency: number
  /** for all of a call, to the end of the answer */
  webhook_timeout_ms: number
  webhook_concurrency: number
  /** calls to supplies that a worker has under way at a time */
  supply_concurrency: number
  /** CIDR networks that webhooks may call though they are not public */
  webhook_allowed_networks: readonly string[]
}

const TLS_MODES = ['opportunistic', 'required', 'none'] as const
export type SmtpTls = typeof TLS_MODES[number]

export class ConfigError extends Error {}

function integer (env: NodeJS.ProcessEnv, name: string, otherwise: number, min: number, max: number): number {
  const text = env[name]
  if (text === undefined || text === '') return otherwise
  const value = Number(text)
  if (!Number.isInteger(value) || value < min || value > max) throw new ConfigError(`${name} must be a whole number from ${min} to ${max}, not "${text}"`)
  return value
}

function url (env: NodeJS.ProcessEnv, name: string, protocols: string[]): string | undefined {
  const text = env[name]
  if (text === undefined || text === '') return undefined
  // the value may hold a password: it is not repeated in the message
  const scheme = /^([a-z]+):\/\//.exec(text)?.[1]
  if (scheme === undefined || !protocols.includes(scheme)) throw new ConfigError(`${name} must be a URL that starts with ${protocols.map((p) => `${p}://`).join(' or ')}`)
  return text
}

/** `network/bits`, separated by commas. */
function networks (env: NodeJS.ProcessEnv, name: string, otherwise: readonly string[]): readonly string[] {
  const text = env[name]
  if (text === undefined || text === '') return otherwise
  return text.split(',').map((part) => {
    const [, address = '', bits = ''] = /^\s*([^/\s]+)\/(\d{1,3})\s*$/.exec(part) ?? []
    const family = isIP(address)
    if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) throw new ConfigError(`${name} must be networks like 10.0.0.0/8,fd00::/8, not "${text}"`)
    return `${address}/${bits}`
  })
}

/** How connections to the mail server are secured. */
function smtpTls (env: NodeJS.ProcessEnv): SmtpTls {
  const text = env['SMTP_TLS'] || 'opportunistic'
  const mode = TLS_MODES.find((known) => known === text)
  if (mode === undefined) throw new ConfigError(`SMTP_TLS must be one of ${TLS_MODES.join(', ')}, not "${text}"`)
  if (mode === 'none' && env['SMTP_URL']?.startsWith('smtps:') === true) throw new ConfigError('SMTP_TLS=none contradicts SMTP_URL, which starts with smtps://')
  return mode
}

/** The key that signs, or undefined; two thirds of it are a mistake. */
function dkim (env: NodeJS.ProcessEnv): Config['dkim'] {
  const [domain, selector, private_key_file] = [env['DKIM_DOMAIN'] ?? '', env['DKIM_SELECTOR'] ?? '', env['DKIM_PRIVATE_KEY_FILE'] ?? '']
  if (domain + selector + private_key_file === '') return undefined
  if (domain === '' || selector === '' || private_key_file === '') throw new ConfigError('DKIM_DOMAIN, DKIM_SELECTOR and DKIM_PRIVATE_KEY_FILE are needed together')
  return { domain, selector, private_key_file }
}

/** The trial is tried from the machine it runs on. */
const LOOPBACK = ['127.0.0.0/8', '::1/128']

/**
 * Reads the environment: the only place that does.
 *
 * @throws ConfigError with a sentence that names the variable
 */
export function readConfig (env: NodeJS.ProcessEnv = process.env): Config {
  const host = env['HOST'] || '127.0.0.1'
  const port = integer(env, 'PORT', 3000, 0, 65535)
  const log_level = env['LOG_LEVEL'] || 'info'
  const worker_concurrency = integer(env, 'WORKER_CONCURRENCY', 4, 1, 100)
  if (!['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].includes(log_level)) throw new ConfigError(`LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent, not "${log_level}"`)
  return {
    host,
    port,
    database_url: url(env, 'DATABASE_URL', ['postgres', 'postgresql']),
    allow_unsafe_database: env['ALLOW_UNSAFE_DATABASE'] === '1',
    database_connections_max: integer(env, 'DATABASE_CONNECTIONS_MAX', 8, 1, 1000), // 4 to 16 was best on 2 cores
    prepared_statements: env['PREPARED_STATEMENTS'] !== 'off',
    statement_timeout_ms: integer(env, 'STATEMENT_TIMEOUT_MS', 5000, 100, 3_600_000),
    lock_timeout_ms: integer(env, 'LOCK_TIMEOUT_MS', 3000, 100, 3_600_000),
    idle_in_transaction_session_timeout_ms: integer(env, 'IDLE_IN_TRANSACTION_SESSION_TIMEOUT_MS', 10_000, 100, 3_600_000),
    connection_timeout_ms: integer(env, 'CONNECTION_TIMEOUT_MS', 3000, 100, 600_000),
    smtp_url: url(env, 'SMTP_URL', ['smtp', 'smtps']),
    smtp_tls: smtpTls(env),
    smtp_tls_ca_file: env['SMTP_TLS_CA_FILE'] || undefined,
    smtp_connections_max: integer(env, 'SMTP_CONNECTIONS_MAX', worker_concurrency, 1, 100),
    mail_rate_per_second: integer(env, 'MAIL_RATE_PER_SECOND', 0, 1, 10_000) || undefined,
    dkim: dkim(env),
    bounce_address: env['BOUNCE_ADDRESS'] || undefined,
    mail_from: env['MAIL_FROM'] || 'Latchkey <latchkey@localhost>',
    data_dir: path.resolve(env['DATA_DIR'] || './data'),
    public_url: (url(env, 'PUBLIC_URL', ['http', 'https']) ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`).replace(/\/+$/, ''),
    log_level,
    latchkey_keys: env['LATCHKEY_KEYS'] || undefined,
    trusted_proxies: networks(env, 'TRUSTED_PROXIES', []),
    request_timeout_ms: integer(env, 'REQUEST_TIMEOUT_MS', 15_000, 100, 600_000),
    requests_default_pending: env['REQUESTS_DEFAULT_PENDING'] !== 'off',
    delivery_lease_ms: integer(env, 'DELIVERY_LEASE_MS', 20_000, 1000, 600_000),
    worker_poll_ms: integer(env, 'WORKER_POLL_MS', 250, 10, 60_000),
    worker_concurrency,
    webhook_timeout_ms: integer(env, 'WEBHOOK_TIMEOUT_MS', 15_000, 100, 60_000),
    webhook_concurrency: integer(env, 'WEBHOOK_CONCURRENCY', 32, 2, 1000), // they mostly wait: for the other side
    supply_concurrency: integer(env, 'SUPPLY_CONCURRENCY', 16, 1, 1000), // likewise
    webhook_allowed_networks: networks(env, 'WEBHOOK_ALLOWED_NETWORKS', (env['DATABASE_URL'] ?? '') === '' ? LOOPBACK : []),
  }
}
