import { Kysely, PostgresDialect, type Transaction } from 'kysely'
import pg from 'pg'
import type { Config } from '../config.js'
import { namedStatements } from './named-statements.js'
import type { DB } from './types.js'

export type Database = DB
/** Either: the caller may have begun a transaction or not. Only reading verbs take it. */
export type Reader = Kysely<Database> | Transaction<Database>
type Settings = Pick<Config, 'database_connections_max' | 'prepared_statements' | 'statement_timeout_ms' | 'lock_timeout_ms' |
  'idle_in_transaction_session_timeout_ms' | 'connection_timeout_ms'>

/** Estimates of statements on JSON and arrays run high, and compiling them costs a hundred times what they do. */
const OPTIONS = '-c jit=off'

/**
 * A pool whose every wait is bounded, and whose lost connections never end the process. `options`: server settings of its connections.
 * A pooler that keeps no prepared statements refuses all such settings, so there the limits belong to the role (docs/operations.md).
 */
export function connectPool (url: string, settings: Settings, options = OPTIONS): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: settings.database_connections_max,
    connectionTimeoutMillis: settings.connection_timeout_ms,
    // a frozen server sends nothing at all, so the client gives up by itself, after the server would have
    query_timeout: settings.statement_timeout_ms + 500,
    keepAlive: true,
    ...(settings.prepared_statements
      ? {
          options,
          statement_timeout: settings.statement_timeout_ms,
          lock_timeout: settings.lock_timeout_ms,
          idle_in_transaction_session_timeout: settings.idle_in_transaction_session_timeout_ms,
        }
      : {}),
  })
  // Without the first listener a lost idle connection ends the process; without the second, one lost inside a transaction does.
  // Nothing to log: the query that meets the loss rejects, and the pool makes a new connection.
  pool.on('error', () => {})
  pool.on('connect', (client) => { client.on('error', () => {}) })
  return pool
}

/** The database as Kysely sees it. End it with `destroy()`. */
export function connectDatabase (url: string, settings: Settings): Kysely<Database> {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool: namedStatements(connectPool(url, settings), settings.prepared_statements) }) })
}
