import { readdir, readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Migrator, sql, type Kysely, type Migration, type MigrationProvider } from 'kysely'
import type { Database } from './connect.js'

/** Found from the package's root, so that the sources and dist/ run the same files. */
function migrationsDir (): string {
  let dir = path.dirname(fileURLToPath(import.meta.url))
  while (!existsSync(path.join(dir, 'package.json'))) dir = path.dirname(dir)
  return path.join(dir, 'migrations')
}

const provider: MigrationProvider = {
  async getMigrations () {
    const dir = migrationsDir()
    const migrations: Record<string, Migration> = {}
    for (const file of (await readdir(dir)).filter((name) => name.endsWith('.sql')).sort()) {
      const text = await readFile(path.join(dir, file), 'utf8')
      migrations[file.replace(/\.sql$/, '')] = { up: async (db) => { await sql.raw(text).execute(db) } }
    }
    return migrations
  },
}

const migrator = (db: Kysely<Database>): Migrator => new Migrator({ db, provider })

/** Applies what is new, in one transaction under a lock: many processes may start at once. Returns the names applied. */
export async function migrateToLatest (db: Kysely<Database>): Promise<string[]> {
  const { error, results = [] } = await migrator(db).migrateToLatest()
  if (error !== undefined) throw error
  return results.map((result) => result.migrationName)
}

/** The names of the migrations that the database lacks; none: it is current. */
export async function pendingMigrations (db: Kysely<Database>): Promise<string[]> {
  return (await migrator(db).getMigrations()).filter((migration) => migration.executedAt === undefined).map((migration) => migration.name)
}
