import path from 'node:path'
import { sql, type Kysely } from 'kysely'
import type { Config } from '../config.js'
import { connectDatabase, type Database } from '../database/connect.js'
import { runningEmbeddedUrl, startEmbeddedPostgres } from '../database/embedded.js'
import { migrateToLatest, pendingMigrations } from '../database/migrate.js'
import { Refused } from './refused.js'

export interface OpenDatabase {
  url: string
  db: Kysely<Database>
  /** where the embedded cluster is; undefined: the server is not this process's */
  cluster: string | undefined
  close: () => Promise<void>
}

/** Limits of a command at the terminal, whose statements may read whole tables: an hour. */
export const COMMAND_TIMEOUTS = { statement_timeout_ms: 3_600_000, idle_in_transaction_session_timeout_ms: 3_600_000 }

const EMBEDDED = { directory: 'postgres', database: 'latchkey' }

const embeddedDir = (config: Config): string => path.join(config.data_dir, EMBEDDED.directory)

/**
 * Opens the database of DATABASE_URL or, when that is unset, the embedded one. `beside`: where a service runs the embedded
 * server already, its server is used; otherwise that is a refusal.
 *
 * @throws Refused
 */
export async function openDatabase (
  config: Config, { beside, say }: { beside: boolean, say: (line: string) => void }
): Promise<OpenDatabase> {
  const given = config.database_url ?? (beside ? runningEmbeddedUrl(embeddedDir(config), EMBEDDED.database) : undefined)
  const server = given === undefined ? await startEmbedded(config, say) : undefined
  const url = given ?? server?.url() ?? ''
  const db = connectDatabase(url, config)
  const close = async (): Promise<void> => {
    await db.destroy()
    await server?.stop()
  }
  try {
    await checkServer(db, config)
    return { url, db, cluster: server?.dataDir, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function startEmbedded (config: Config, say: (line: string) => void): ReturnType<typeof startEmbeddedPostgres> {
  try {
    return await startEmbeddedPostgres({ dataDir: embeddedDir(config), database: EMBEDDED.database, log: say })
  } catch (error) {
    throw new Refused((error as Error).message)
  }
}

/** A 2xx says that what was sent is durable. A server that may forget it after a crash is refused. */
async function checkServer (db: Kysely<Database>, config: Config): Promise<void> {
  let settings: Array<{ name: string, setting: string }>
  try {
    settings = (await sql<{ name: string, setting: string }>`
      select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' order by name`.execute(db)).rows
  } catch (error) {
    const { code, message } = error as { code?: string, message: string }
    throw new Refused(`the database of DATABASE_URL does not answer (${code ?? message})`)
  }
  if (settings.length === 0 || config.allow_unsafe_database) return
  throw new Refused(`the database may lose what was acknowledged: ${settings.map(({ name }) => `${name} is off`).join(', ')}; turn it on`)
}

/**
 * Brings the schema up to date, in a connection without the service's short limits.
 * Any number of processes may do it at once.
 */
export async function migrate (url: string, config: Config): Promise<string[]> {
  const db = connectDatabase(url, { ...config, ...COMMAND_TIMEOUTS, lock_timeout_ms: 60_000, database_connections_max: 1 })
  try {
    return await migrateToLatest(db)
  } finally {
    await db.destroy()
  }
}

/** @throws Refused when the schema is not the one this version works with */
export async function requireMigrated (db: Kysely<Database>): Promise<void> {
  const pending = await pendingMigrations(db)
  if (pending.length > 0) throw new Refused(`the database lacks ${pending.length === 1 ? 'a migration' : `${pending.length} migrations`} (${pending.join(', ')}): run latchkey migrate first`)
}
