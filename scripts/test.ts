// One PostgreSQL server for the whole run, the schema migrated once into a template, then tap on the files given (none: all).
// Sources and tests are compiled once, before: a process that loads the service through tsx takes 1.8 s of processor, from JavaScript 0.7,
// and a run starts some hundreds of them.
import { spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { build } from 'esbuild'
import { Parser, type Result } from 'tap-parser'
import { readConfig } from '../src/config.js'
import { connectDatabase } from '../src/database/connect.js'
import { startEmbeddedPostgres } from '../src/database/embedded.js'
import { migrateToLatest } from '../src/database/migrate.js'
import { TEMPLATE } from '../test/support/database.js'

const JOBS = 3 // files at a time: more than two processors, since many wait for processes and timeouts
const CONNECTIONS_MAX = 100 * JOBS // each with a few databases and their pools
const MEMORY_DIR = '/dev/shm'
const MEMORY_BYTES_MIN = 6 * 2 ** 30 // a run takes up to two
const FOLDERS = ['src', 'test', 'scripts']
const BUILDS = 'dist/tests'

/**
 * Where a run keeps its databases and files: in memory, where there is plenty. Each of its thousand databases is some 450 files, made and removed, and ext4
 * passes over what was removed within seconds whenever it makes a file: 350 ms of processor for a database, against 20.
 */
function placeOfRun (): string {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_DIR)
    if (Math.min(bavail * bsize, os.freemem()) >= MEMORY_BYTES_MIN) return MEMORY_DIR
  } catch { /* there is no such place */ }
  return os.tmpdir()
}

/** Compiles sources and tests, types unchecked, into a directory of this run's own below the checkout, where its modules and migrations are found. */
async function compile (): Promise<string> {
  mkdirSync(BUILDS, { recursive: true })
  const outdir = mkdtempSync(path.join(BUILDS, 'run-'))
  chmodSync(outdir, 0o755) // tests run programs as another user
  await build({ entryPoints: FOLDERS.map((folder) => `${folder}/**/*.ts`), outdir, outbase: '.', format: 'esm', platform: 'node', target: 'node20', sourcemap: 'inline' })
  for (const folder of FOLDERS) cpSync(folder, path.join(outdir, folder), { recursive: true, filter: (file) => !file.endsWith('.ts') })
  return outdir
}

/** The compiled forms of the test files given; none given: of all. */
function compiled (outdir: string, given: readonly string[]): string[] {
  const files = given.length > 0 ? given : readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts')).map((file) => path.join('test', file))
  return files.map((file) => path.join(outdir, file.replace(/\.ts$/, '.js')))
}

type Diagnostics = { at?: { fileName: string, lineNumber: number }, diff?: string, stack?: string, source?: string }
type Outcome = { code: number, pass: number, skip: number, failures: Result[] }

/** Runs tap and passes its output on; the numbers are counted from it. */
async function runTap (url: string, outdir: string, files: readonly string[]): Promise<Outcome> {
  const tap = fileURLToPath(new URL('../node_modules/.bin/tap', import.meta.url))
  const child = spawn(tap, ['run', `--jobs=${JOBS}`, ...files], { stdio: ['inherit', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --enable-source-maps`, TEST_POSTGRES_URL: url } })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => { child.kill(signal) })
  const outcome: Outcome = { code: 1, pass: 0, skip: 0, failures: [] }
  const parser = new Parser()
  parser.on('pass', () => { outcome.pass += 1 })
  for (const event of ['skip', 'todo']) parser.on(event, () => { outcome.skip += 1 })
  parser.on('fail', (result: Result) => { outcome.failures.push(result) })
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const text = chunk.replaceAll(`${outdir}/`, '')
    process.stdout.write(text)
    parser.write(text)
  })
  outcome.code = await new Promise<number>((resolve) => {
    child.on('close', (code) => { resolve(code ?? 1) })
    child.on('error', () => { resolve(1) })
  })
  parser.end()
  return outcome
}

/** Prints what failed once more, as it is far above by now, then `N passed, N failed`; says what the exit code is. */
function report ({ code, pass, skip, failures }: Outcome): number {
  for (const { fullname, diag } of failures) {
    const { at, diff, stack: _stack, source: _source, ...others } = (diag ?? {}) as Diagnostics
    const place = at === undefined ? '' : ` (${at.fileName}:${at.lineNumber})`
    console.log(`\n# failed: ${fullname}${place}\n${diff ?? inspect(others, { depth: 4, breakLength: 160 })}`)
  }
  const none = pass + failures.length === 0
  if (none) console.log('# no test ran')
  console.log(`\n${pass} passed, ${failures.length} failed${skip > 0 ? `, ${skip} skipped` : ''}`)
  return none || failures.length > 0 ? code || 1 : code
}

const outdir = await compile()
const dir = mkdtempSync(path.join(placeOfRun(), 'latchkey-test-'))
chmodSync(dir, 0o711) // root's server runs as another user
process.env['TMPDIR'] = dir
const server = await startEmbeddedPostgres({ dataDir: path.join(dir, 'data'), database: TEMPLATE, ephemeral: true, maxConnections: CONNECTIONS_MAX })
try {
  const db = connectDatabase(server.url(), readConfig({}))
  await migrateToLatest(db)
  await db.destroy() // a template can be cloned only while nobody is connected to it
  process.exitCode = report(await runTap(server.url('postgres'), outdir, compiled(outdir, process.argv.slice(2))))
} finally {
  await server.stop()
  for (const made of [dir, outdir]) rmSync(made, { recursive: true, force: true })
}
