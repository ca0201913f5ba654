// Writes src/database/types.ts from a freshly migrated database; with --check it only says whether the file is current.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { readConfig } from '../src/config.js'
import { connectDatabase } from '../src/database/connect.js'
import { startEmbeddedPostgres } from '../src/database/embedded.js'
import { migrateToLatest } from '../src/database/migrate.js'

const target = 'src/database/types.ts'
const dir = mkdtempSync(path.join(os.tmpdir(), 'types-'))
const server = await startEmbeddedPostgres({ dataDir: path.join(dir, 'data'), database: 'types', ephemeral: true })
try {
  const db = connectDatabase(server.url(), readConfig({}))
  await migrateToLatest(db)
  await db.destroy()
  const out = path.join(dir, 'types.ts')
  const run = spawnSync('node_modules/.bin/kysely-codegen', ['--dialect', 'postgres', '--url', server.url(), '--out-file', out, '--exclude-pattern', 'kysely_*'], { encoding: 'utf8' })
  if (run.status !== 0) throw new Error(run.stdout + run.stderr)
  const made = readFileSync(out, 'utf8')
  if (!process.argv.includes('--check')) writeFileSync(target, made)
  else if (readFileSync(target, 'utf8') !== made) {
    console.error(`${target} is not current: run npm run database-types`)
    process.exitCode = 1
  }
} finally {
  await server.stop()
  rmSync(dir, { recursive: true, force: true })
}
