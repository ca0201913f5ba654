// What the benchmarks share: a durable server of their own, a vendor with stock, processor time by /proc, and figures.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql, type Kysely } from 'kysely'
import { readConfig } from '../src/config.js'
import { analyzeGrown } from '../src/database/analyze-grown.js'
import { connectDatabase, type Database } from '../src/database/connect.js'
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../src/database/embedded.js'
import { migrateToLatest } from '../src/database/migrate.js'
import { newKeyMaterial, readKeyring, type Keyring } from '../src/sealing.js'

export const ACCOUNT = 'VA-000-001'
export const POOL = 'PL-bench'
export const SKU = 'sku-bench'
const TICK_MS = 1000 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

export interface Stage { server: EmbeddedPostgres, db: Kysely<Database>, keyring: Keyring, material: string, close: () => Promise<void> }

/** A durable embedded server with one vendor, one product and one empty pool. */
export async function stage (): Promise<Stage> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'latchkey-bench-'))
  fs.chmodSync(dir, 0o755)
  const server = await startEmbeddedPostgres({ dataDir: path.join(dir, 'postgres'), database: 'bench' })
  const db = connectDatabase(server.url(), { ...readConfig({}), statement_timeout_ms: 600_000, database_connections_max: 4 })
  await migrateToLatest(db)
  await sql.raw(`
    insert into accounts (id, type, name) values ('${ACCOUNT}', 'vendor', 'bench');
    insert into products (account_id, id, name, mail_template) values ('${ACCOUNT}', 'PRD-bench', 'Bench', '{"subject": "Key", "text": "{KEY}"}');
    insert into mail_words (account_id, product_id, version, words)
      select account_id, id, 1, jsonb_build_object('name', name, 'mail_template', mail_template, 'locales', locales) from products;
    update products set words_version = 1;
    insert into product_refs (account_id, ref, product_id) values ('${ACCOUNT}', 'PRD-bench', 'PRD-bench'), ('${ACCOUNT}', '${SKU}', 'PRD-bench');
    insert into pools (account_id, id, name, product_ids, mode, quantity_rule, on_shortage) values ('${ACCOUNT}', '${POOL}', 'bench', '{PRD-bench}', 'live', 'unit', 'backorder');
    insert into pool_routes (account_id, mode, product_id, currency, rank, pool_id) values ('${ACCOUNT}', 'live', 'PRD-bench', '', 1, '${POOL}');
  `).execute(db)
  const material = newKeyMaterial()
  return {
    server,
    db,
    keyring: readKeyring(material),
    material,
    async close () {
      await db.destroy()
      await server.stop()
      fs.rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Puts licenses in stock by SQL, with a stand-in for the sealed key: the benchmarks of taking never open one. */
export async function stock (db: Kysely<Database>, count: number): Promise<void> {
  await sql`
    with base as (update pools set next_position = next_position + ${count}::int where id = ${POOL} returning next_position - ${count}::int as position),
    added as (
      insert into licenses (account_id, id, pool_id, batch_id, line, mode, fingerprint, sealed)
      select ${ACCOUNT}, new_id('LI'), ${POOL}, 'BA-bench', n, 'live', sha256(convert_to(gen_random_uuid()::text, 'UTF8')), ${Buffer.alloc(64)}::bytea
      from generate_series(1, ${count}::int) n returning id, line)
    insert into stock (account_id, pool_id, position, license_id)
    select ${ACCOUNT}, ${POOL}, base.position + added.line - 1, added.id from added cross join base order by added.line`.execute(db)
  // these two only: of a table analyzed while empty PostgreSQL believes that it is, until autovacuum comes by
  await sql`analyze licenses, stock`.execute(db)
}

/** Waits until the worker's job `analyze grown tables` has seen the first orders, as it does within seconds in a service. */
export async function settle (db: Kysely<Database>): Promise<void> {
  const analyzed = new Set<string>()
  for (let tries = 0; tries < 100 && !['orders', 'line_items', 'slots'].every((table) => analyzed.has(table)); tries++) {
    for (const table of await analyzeGrown(db)) analyzed.add(table)
    await sleep(100)
  }
}

interface Stat { pid: number, parent: number, own_ms: number, children_ms: number }

function stats (): Stat[] {
  return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
      const ms = (i: number): number => Number(fields[i]) * TICK_MS
      return [{ pid: Number(pid), parent: Number(fields[1]), own_ms: ms(11) + ms(12), children_ms: ms(13) + ms(14) }]
    } catch { return [] } // it ended meanwhile
  })
}

/** Processor time of a process and all below it, those that ended included, in milliseconds. Linux only. */
export function treeCpuMs (root: number): number {
  const all = stats()
  const below = new Set([root])
  for (let grown = true; grown;) {
    grown = false
    for (const { pid, parent } of all) if (below.has(parent) && !below.has(pid)) grown = below.add(pid).size > 0
  }
  return all.filter(({ pid }) => below.has(pid)).reduce((sum, { own_ms, children_ms }) => sum + own_ms + children_ms, 0)
}

/** Processor time that the whole machine spent working, in milliseconds. */
export function machineCpuMs (): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (fs.readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').trim().split(/ +/).slice(1).map(Number)
  return (user + nice + system + irq + softirq + steal) * TICK_MS
}

/** Above this share of foreign work a run says little: it is printed with a warning. */
export const FOREIGN_MAX = 0.15

/** The share of the machine that others used while `work` ran. */
export async function foreignShare (work: () => Promise<void>): Promise<number> {
  const [machine, own, began_at] = [machineCpuMs(), treeCpuMs(process.pid), performance.now()]
  await work()
  const foreign = machineCpuMs() - machine - (treeCpuMs(process.pid) - own)
  return Math.max(0, foreign / ((performance.now() - began_at) * os.cpus().length))
}

export function figures (values: readonly number[]): { min: number, median: number, max: number } {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.round((sorted.length - 1) * share)] ?? NaN
  return { min: at(0), median: at(0.5), max: at(1) }
}

export function print (name: string, values: readonly number[], digits = 0): void {
  const { min, median, max } = figures(values)
  console.log(`${name.padEnd(44)} ${[median, min, max].map((value) => value.toFixed(digits).padStart(10)).join('')}`)
}

export function printHead (what: string): void {
  console.log(`${what}\n${'Node'.padEnd(12)} ${process.version}, ${os.cpus().length} cores, ${os.cpus()[0]?.model ?? ''}\n`)
  console.log(`${''.padEnd(44)} ${['median', 'min', 'max'].map((name) => name.padStart(10)).join('')}`)
}

/** A program of PostgreSQL that the embedded server lacks: from the directory PG_PROGRAMS, else from the PATH. Undefined: there is none. */
export function postgresProgram (name: string): string | undefined {
  const candidates = [process.env['PG_PROGRAMS'], ...(process.env['PATH'] ?? '').split(path.delimiter)].filter((dir) => dir !== undefined && dir !== '')
  return candidates.map((dir) => path.join(dir as string, name)).find((file) => fs.existsSync(file))
}
