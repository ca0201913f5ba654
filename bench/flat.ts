// PostgreSQL's processor time per allocation at 10 thousand and at 1 million licenses already allocated, without and with an old
// snapshot held open (a running dump, say). npx tsx bench/flat.ts [allocated] [rounds]
import pg from 'pg'
import { readConfig } from '../src/config.js'
import { connectPool } from '../src/database/connect.js'
import { newId } from '../src/ids.js'
import { TAKE_IN_OPTIONS, takeIn, type Arrival } from '../src/orders/take-in.js'
import { ACCOUNT, print, printHead, settle, SKU, stage, stock, treeCpuMs, type Stage } from './support.js'

const [LATE = 1_000_000, ROUNDS = 5] = process.argv.slice(2).map(Number)
const EARLY = 10_000
const MEASURED = 2000
const CLIENTS = 4
const DRAINED_AT_ONCE = 200

function arrivalOf (quantity: number): Arrival {
  const id = newId('OR')
  return {
    account_id: ACCOUNT,
    order_id: id,
    actor: 'bench',
    order: {
      source_id: 'api-live',
      external_id: id,
      mode: 'live',
      currency: 'EUR',
      locale: null,
      customer: { email: 'ada@example.com' },
      paid_at: new Date().toISOString(),
      line_items: [{ external_id: '1', product: SKU, quantity, unit_amount: null }],
    },
  }
}

async function take (pool: pg.Pool, orders: number, quantity: number): Promise<void> {
  let left = orders
  await Promise.all(Array.from({ length: CLIENTS }, async () => {
    while (left-- > 0) {
      if ((await takeIn(pool, true, ACCOUNT, [arrivalOf(quantity)])).size !== 1) throw new Error('an order was declined')
    }
  }))
}

/** Microseconds of PostgreSQL's processor time per order of one license, once per round. */
async function measure ({ server }: Stage, pool: pg.Pool): Promise<number[]> {
  const per_order: number[] = []
  await take(pool, 200, 1)
  for (let round = 0; round < ROUNDS; round++) {
    const before = treeCpuMs(server.pid())
    await take(pool, MEASURED, 1)
    per_order.push((treeCpuMs(server.pid()) - before) * 1000 / MEASURED)
  }
  return per_order
}

/** Allocates to EARLY, measures, on to LATE, measures again. */
async function drain (with_snapshot: boolean): Promise<{ early: number[], late: number[] }> {
  const at = await stage()
  const pool = connectPool(at.server.url(), { ...readConfig({}), database_connections_max: CLIENTS }, TAKE_IN_OPTIONS)
  const snapshot = new pg.Client({ connectionString: at.server.url() })
  try {
    await stock(at.db, LATE + 200_000)
    await take(pool, 2000, 1)
    await settle(at.db)
    await take(pool, EARLY / DRAINED_AT_ONCE, DRAINED_AT_ONCE)
    const early = await measure(at, pool)
    if (with_snapshot) {
      await snapshot.connect()
      await snapshot.query('begin isolation level repeatable read')
      await snapshot.query('select count(*) from pools')
    }
    await take(pool, LATE / DRAINED_AT_ONCE, DRAINED_AT_ONCE)
    return { early, late: await measure(at, pool) }
  } finally {
    await snapshot.end().catch(() => {})
    await pool.end()
    await at.close()
  }
}

printHead(`PostgreSQL's processor µs per order of one license, ${ROUNDS} rounds of ${MEASURED} orders`)
for (const with_snapshot of [false, true]) {
  const { early, late } = await drain(with_snapshot)
  const what = with_snapshot ? 'old snapshot open' : 'no old snapshot'
  print(`${EARLY} allocated, ${what}`, early)
  print(`${LATE} allocated, ${what}`, late)
  print('ratio, round by round', late.map((value, i) => value / (early[i] ?? NaN)), 2)
}
