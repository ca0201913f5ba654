// 200,000 licenses through the HTTP load against raw binary COPY of the same rows into the same tables, in turn, on one server.
// npx tsx bench/load.ts [licenses] [rounds]. Prints seconds per round, the ratio of the speeds (min, median, max) and the peak memory.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { createAccount } from '../src/accounts/create-account.js'
import { createApiKey } from '../src/accounts/create-api-key.js'
import { buildApp } from '../src/app.js'
import { readConfig } from '../src/config.js'
import { connectDatabase } from '../src/database/connect.js'
import { startEmbeddedPostgres } from '../src/database/embedded.js'
import { migrateToLatest } from '../src/database/migrate.js'
import { inTransaction } from '../src/database/transaction.js'
import { newId } from '../src/ids.js'
import { openIntake } from '../src/orders/intake.js'
import { newKeyMaterial, readKeyring } from '../src/sealing.js'

const LICENSES = Number(process.argv[2] ?? 200_000)
const ROUNDS = Number(process.argv[3] ?? 5)
const LINES_PER_WRITE = 1000

/** The service, alone in its process so that its memory is its own. Prints its address. */
async function serve (): Promise<void> {
  const config = readConfig({ ...process.env, LOG_LEVEL: 'warn' })
  const url = config.database_url as string
  const db = connectDatabase(url, config)
  const keyring = readKeyring(newKeyMaterial())
  const app = await buildApp({ config, db, keyring, intake: openIntake(url, config, db, keyring) })
  console.log(await app.listen({ port: 0 }))
}

async function startService (url: string): Promise<{ child: ChildProcess, address: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(import.meta.url)], {
    env: { ...process.env, BENCH_CHILD: '1', DATABASE_URL: url }, stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = await once(child.stdout as Readable, 'data') as [Buffer]
  return { child, address: line.toString().trim() }
}

function * lines (round: number): Generator<Buffer> {
  for (let i = 0; i < LICENSES; i += LINES_PER_WRITE) {
    yield Buffer.from(Array.from({ length: Math.min(LINES_PER_WRITE, LICENSES - i) }, (_, n) => `ROUND-${round}-KEY-${i + n}-ABCDEF\n`).join(''))
  }
}

async function seconds (work: () => Promise<void>): Promise<number> {
  const began_at = performance.now()
  await work()
  return (performance.now() - began_at) / 1000
}

async function loadOverHttp (address: string, pool_id: string, api_key: string, round: number): Promise<void> {
  const response = await fetch(`${address}/v1/pools/${pool_id}/licenses`, {
    method: 'POST', headers: { authorization: `ApiKey ${api_key}`, 'content-type': 'text/plain' }, body: Readable.toWeb(Readable.from(lines(round))) as never, duplex: 'half',
  } as RequestInit)
  const { loaded } = await response.json() as { loaded: number }
  if (loaded !== LICENSES) throw new Error(`${response.status}: ${loaded} of ${LICENSES} loaded`)
}

/** What COPY gets: the rows that the load has just made, sealed and ready, for tables of the same columns and indexes. */
async function copyOut (client: pg.Client, table: string, where: string): Promise<Buffer[]> {
  const chunks: Buffer[] = []
  for await (const chunk of client.query(copyTo(`copy (select * from ${table} where ${where}) to stdout (format binary)`))) chunks.push(chunk as Buffer)
  return chunks
}

async function copyIn (client: pg.Client, table: string, chunks: Buffer[]): Promise<void> {
  await pipeline(Readable.from(chunks), client.query(copyFrom(`copy ${table} from stdin (format binary)`)))
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
const range = (values: number[], digits: number): string => [Math.min(...values), median(values), Math.max(...values)].map((value) => value.toFixed(digits)).join(' / ')

async function bench (url: string): Promise<void> {
  const config = readConfig({ DATABASE_URL: url })
  const db = connectDatabase(url, config)
  await migrateToLatest(db)
  const { account_id, api_key } = await inTransaction(db, async (trx) => {
    const account_id = await createAccount(trx, { type: 'vendor', name: 'bench' }, null)
    const { id, secret } = await createApiKey(trx, { account_id, name: 'bench', permissions: ['licenses:load'] }, null)
    return { account_id, api_key: `${id}:${secret}` }
  })
  const pool_id = newId('PL')
  await db.insertInto('pools').values({ account_id, id: pool_id, name: 'bench', mode: 'live', quantity_rule: 'unit', on_shortage: 'backorder' }).execute()
  await db.destroy()
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query('create table copied_licenses (like licenses including all); create table copied_stock (like stock including all)')
  const { child, address } = await startService(url)
  const [loads, copies]: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    loads.push(await seconds(() => loadOverHttp(address, pool_id, api_key, round)))
    const { rows: [batch] } = await client.query<{ id: string, base: string }>(
      'select b.id, p.next_position - $1 as base from batches b join pools p on p.id = b.pool_id order by b.id desc limit 1', [LICENSES])
    const licenses = await copyOut(client, 'licenses', `batch_id = ${client.escapeLiteral(batch?.id ?? '')}`)
    const stock = await copyOut(client, 'stock', `position >= ${client.escapeLiteral(batch?.base ?? '')}`)
    copies.push(await seconds(async () => {
      await copyIn(client, 'copied_licenses', licenses)
      await copyIn(client, 'copied_stock', stock)
    }))
    console.log(`round ${round + 1}: load ${loads.at(-1)?.toFixed(2)} s, copy ${copies.at(-1)?.toFixed(2)} s`)
  }
  const peak_kb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1])
  child.kill()
  await client.end()
  console.log(`licenses/s through HTTP, min / median / max: ${range(loads.map((s) => LICENSES / s), 0)}`)
  console.log(`rows/s by COPY, min / median / max: ${range(copies.map((s) => LICENSES / s), 0)}`)
  console.log(`ratio to COPY, min / median / max: ${range(loads.map((s, i) => (copies[i] as number) / s), 2)}`)
  console.log(`peak memory of the service: ${Math.round(peak_kb / 1024)} MiB; load average ${os.loadavg()[0]?.toFixed(1)} on ${os.cpus().length} cores`)
}

if (process.env['BENCH_CHILD'] === '1') {
  await serve()
} else {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'latchkey-bench-'))
  const server = await startEmbeddedPostgres({ dataDir: path.join(dir, 'data'), database: 'latchkey' })
  try {
    await bench(server.url())
  } finally {
    await server.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}
