// Durable orders per second through HTTP (signature checked, validated, one license each, delivery planned) against pgbench running
// the same statement on the same server, in turn. npx tsx bench/allocate.ts [rounds] [seconds] [connections]
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { inTransaction } from '../src/database/transaction.js'
import { TAKE_IN, TAKE_IN_OPTIONS } from '../src/orders/take-in.js'
import { createSource } from '../src/payments/create-source.js'
import { drive, signedOrder, startService } from './service.js'
import { ACCOUNT, figures, foreignShare, FOREIGN_MAX, postgresProgram, print, printHead, settle, SKU, stage, stock, treeCpuMs, type Stage } from './support.js'

const [ROUNDS = 5, SECONDS = 6, CONNECTIONS = 32] = process.argv.slice(2).map(Number)
const PGBENCH_CLIENTS = 8
const PLANNING_PAIRS = 5 // a round
const PLANNING_SECONDS = 2
const ORDERS_PER_SECOND_MAX = 12_000 // how many requests are signed before each round

async function httpRound (port: number, source_id: string, secret: Buffer): Promise<number> {
  const requests = Array.from({ length: ORDERS_PER_SECOND_MAX * SECONDS }, () => signedOrder(source_id, secret))
  const statuses = new Map<string, number>()
  const began_at = performance.now()
  const deadline = began_at + SECONDS * 1000
  const next = (): Buffer | undefined => performance.now() < deadline ? requests.pop() : undefined
  await Promise.all(Array.from({ length: CONNECTIONS }, () => drive(port, next, (status) => { statuses.set(status, (statuses.get(status) ?? 0) + 1) })))
  if (statuses.size !== 1 || !statuses.has('200')) throw new Error(`not every order was placed: ${JSON.stringify([...statuses])}`)
  return (statuses.get('200') ?? 0) / ((performance.now() - began_at) / 1000)
}

/** Transactions a second, and PostgreSQL's processor time for one. */
interface Statement { tps: number, us: number }

/** pgbench, 8 clients, prepared: the statement of take-in.ts with the same values, a new order each time. Not mailed: its customer has no address. */
async function pgbenchRound (program: string, { server }: Stage, script: string, source_id: string, seconds = SECONDS, is_mailed = true): Promise<Statement> {
  const arrival = [{
    order_id: 'OR-@',
    source_id,
    external_id: 'pgbench-@',
    mode: 'live',
    currency: 'EUR',
    locale: 'de_DE',
    customer: { ...(is_mailed ? { email: 'ada@example.com' } : {}), first_name: 'Ada', last_name: 'Lovelace' },
    paid_at: new Date().toISOString(),
    actor: source_id,
    line_items: [{ number: 1, external_id: '1', product: SKU, quantity: 1, unit_amount: 4900 }],
    event_id: 'PE-@',
    event_key: 'pgbench-@',
    event_type: 'order.paid',
    occurred_at: new Date().toISOString(),
    event_body: 'x'.repeat(330),
    event_context: {},
  }]
  const url = new URL(server.url())
  const before = treeCpuMs(server.pid())
  const child = spawn(program, [
    '-n', '-M', 'prepared', '-c', String(PGBENCH_CLIENTS), '-j', '1', '-T', String(seconds), '-f', script,
    '-D', `account=${ACCOUNT}`, '-D', `arrival=${JSON.stringify(arrival)}`, '-h', url.searchParams.get('host') ?? '', '-U', 'postgres', url.pathname.slice(1),
  ], { env: { ...process.env, PGOPTIONS: TAKE_IN_OPTIONS }, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => { out += data.toString() })
  await new Promise((resolve) => { child.once('close', resolve) })
  const tps = /tps = ([\d.]+) \(without/.exec(out)?.[1]
  if (tps === undefined || !out.includes('number of failed transactions: 0 ')) throw new Error(`pgbench failed:\n${out}`)
  return { tps: Number(tps), us: (treeCpuMs(server.pid()) - before) * 1000 / (Number(tps) * seconds) }
}

async function main (): Promise<void> {
  const program = postgresProgram('pgbench')
  if (program === undefined) {
    console.log('SKIPPED: there is no pgbench; install PostgreSQL\'s client programs, or name their directory in PG_PROGRAMS')
    return
  }
  const at = await stage()
  await stock(at.db, 600_000)
  const { id, secret } = await inTransaction(at.db, (trx) => createSource(trx, at.keyring, { account_id: ACCOUNT, kind: 'standard-webhooks', name: 'bench', mode: 'live', settings: {} }, 'bench'))
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const script = path.join(os.tmpdir(), `latchkey-take-in-${process.pid}.sql`)
  fs.writeFileSync(script, `\\set n random(1, 9000000000000000000)\n${TAKE_IN.trim().replaceAll('$1', ':account').replaceAll('$2::json', "replace(:arrival, '@', :n::text)::json")};\n`)
  const { child, port } = await startService(at)
  const rounds: Array<{ http: number, pgbench: number, ratio: number, foreign: number, node_us: number, postgres_us: number }> = []
  const planning: Array<{ mailed: number, unmailed: number, added: number }> = []
  try {
    printHead(`orders per second, ${CONNECTIONS} connections against pgbench with ${PGBENCH_CLIENTS} clients, ${ROUNDS} rounds of ${SECONDS} s each, in turn`)
    await httpRound(port, id, key) // warms up both: plans, caches, compiled code
    await pgbenchRound(program, at, script, id)
    await settle(at.db)
    for (let round = 0; round < ROUNDS; round++) {
      let [http, pgbench, node_us, postgres_us] = [0, 0, 0, 0]
      const foreign = await foreignShare(async () => {
        const [node, postgres] = [treeCpuMs(child.pid as number), treeCpuMs(at.server.pid())]
        http = await httpRound(port, id, key)
        node_us = (treeCpuMs(child.pid as number) - node) * 1000 / (http * SECONDS)
        postgres_us = (treeCpuMs(at.server.pid()) - postgres) * 1000 / (http * SECONDS)
        pgbench = (await pgbenchRound(program, at, script, id)).tps
      })
      rounds.push({ http, pgbench, ratio: http / pgbench, foreign, node_us, postgres_us })
    }
    for (let pair = 0; pair < ROUNDS * PLANNING_PAIRS; pair++) {
      const mailed = await pgbenchRound(program, at, script, id, PLANNING_SECONDS)
      const unmailed = await pgbenchRound(program, at, script, id, PLANNING_SECONDS, false)
      planning.push({ mailed: mailed.us, unmailed: unmailed.us, added: mailed.us - unmailed.us })
    }
  } finally {
    child.kill()
    fs.rmSync(script)
    await at.close()
  }
  print('orders/s through HTTP', rounds.map((round) => round.http))
  print('transactions/s by pgbench', rounds.map((round) => round.pgbench))
  print('ratio, per round', rounds.map((round) => round.ratio), 2)
  print('processor µs per order, service', rounds.map((round) => round.node_us))
  print('processor µs per order, PostgreSQL', rounds.map((round) => round.postgres_us))
  print('share of the machine used by others', rounds.map((round) => round.foreign), 2)
  // no webhook comes without an address, so this is asked of the statement alone, in short slices in turn
  const [added, whole] = [figures(planning.map((pair) => pair.added)).median, figures(rounds.map((round) => round.node_us + round.postgres_us)).median]
  print('µs of PostgreSQL, statement of one who is mailed', planning.map((pair) => pair.mailed))
  print('… of one without an address', planning.map((pair) => pair.unmailed))
  print('… difference, per pair', planning.map((pair) => pair.added))
  console.log(`\nplanning the mail adds ${(added / (whole - added) * 100).toFixed(1)} % to what an order through HTTP takes of the processors, target 10 %`)
  if (rounds.some((round) => round.foreign > FOREIGN_MAX)) console.log('\nINCONCLUSIVE: others used more than 15 % of the machine, which slows one process more than eight')
}

await main()
