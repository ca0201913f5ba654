import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import t from 'tap'
import { readConfig } from '../../src/config.js'
import { connectPool, type Database } from '../../src/database/connect.js'
import { pickDated, type Pick } from '../../src/licenses/pick-dated.js'
import { testDatabase } from '../support/database.js'
import { vendorShop, type Shop } from '../support/fixtures.js'
import { datedPool, tend } from './expiry-support.js'

const LICENSES = 20_000
const SOLD = 6000
/** Of the index and the table, down from their roots, and what was sold since the mark moved; a walk reads thousands. */
const BLOCKS_MAX = 40
const EXPLAIN = '-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_analyze=on -c auto_explain.log_buffers=on ' +
  '-c auto_explain.log_format=json -c client_min_messages=log'

type Node = Record<string, unknown> & { Plans?: Node[] }
interface Reading { scans: string[], rows: number, blocks: number }

/** How a pick of one license reads stock: by what, how many rows, passed over or not, and how many blocks, which dead rows cost too. */
async function readingOf (url: string, { account_id }: Shop, pool_id: string, pick: Pick): Promise<Reading> {
  const pool = connectPool(url, { ...readConfig({}), database_connections_max: 1 }, EXPLAIN)
  const plans: string[] = []
  pool.on('connect', (client) => { client.on('notice', (notice) => { if (String(notice.message).includes('"Plan"')) plans.push(String(notice.message)) }) })
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  const picked = await db.transaction().execute((trx) => pickDated(trx, { account_id, pool_id, pick, wanted: 1 }))
  await db.destroy()
  if (picked.length !== 1) throw new Error('nothing was picked')
  const flat = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(flat)]
  const scans = plans.flatMap((plan) => flat((JSON.parse(plan.slice(plan.indexOf('{'))) as { Plan: Node }).Plan)).filter((node) => node['Relation Name'] === 'stock' && Number(node['Actual Loops']) > 0)
  const sum = (...names: string[]): number => scans.reduce((total, node) => total + names.reduce((of, name) => of + Number(node[name] ?? 0), 0), 0)
  return {
    scans: scans.map((node) => `${String(node['Node Type'])} ${String(node['Index Name'])}`),
    rows: sum('Actual Rows', 'Rows Removed by Filter'),
    blocks: sum('Shared Hit Blocks', 'Shared Read Blocks'),
  }
}

/** Stock by SQL, with 300 dates in turn, of which those of the first 100 days are less than the pool demands; those are the first 5,000 by position too. */
async function stockUp (shop: Shop, pick: Pick): Promise<string> {
  const { db, account_id } = shop
  const { pool_id } = await datedPool(shop, [], { pick, min_remaining_days: 100 })
  await sql`update pools set dated_from = 1, next_position = ${LICENSES}::int + 1 where id = ${pool_id}`.execute(db)
  await sql`
    insert into stock (account_id, pool_id, position, license_id, expires_at)
    select ${account_id}, ${pool_id}, n, ${pool_id} || n, now() + (1 + case when n <= 5000 then n % 100 else 100 + n % 200 end) * interval '1 day'
    from generate_series(1, ${LICENSES}::int) n`.execute(db)
  return pool_id
}

const next = (pick: Pick) => pick === 'first' ? sql`position` : sql`expires_at, position`

// Guarantee: a take from stock with expiries reads a handful of rows by the right index: planned before the table was ever analyzed, and after; with thousands
// of unfit licenses before the first fit one; and with thousands sold under an old snapshot, a running backup's say, which keeps them all in the index.
for (const pick of ['soonest', 'first'] as const) {
  t.test(`${pick}: no take walks`, async (t) => {
    const { db, url } = await testDatabase(t)
    const shop = await vendorShop(db)
    const pool_id = await stockUp(shop, pick)
    const by = pick === 'first' ? 'Index Scan stock_pkey' : 'Index Scan stock_soonest'
    const check = async (phase: string): Promise<void> => {
      const { scans, rows, blocks } = await readingOf(url, shop, pool_id, pick)
      t.same(scans, [by], `${phase}: one scan by ${by}`)
      t.ok(rows <= 2 && blocks <= BLOCKS_MAX, `${phase}: ${rows} rows, ${blocks} blocks`)
    }
    await tend(db)
    await check('young')
    await sql`analyze`.execute(db)
    await check('analyzed')

    const backup = new pg.Client({ connectionString: url })
    await backup.connect()
    await backup.query('begin isolation level repeatable read')
    await backup.query('select count(*) from stock')
    await sql`
      delete from stock where pool_id = ${pool_id} and position = any(array(
        select position from stock where pool_id = ${pool_id} and expires_at > now() + interval '100 days' order by ${next(pick)} limit ${SOLD}))`.execute(db)
    const unmarked = await readingOf(url, shop, pool_id, pick)
    t.ok(unmarked.blocks > 2 * BLOCKS_MAX, `before the mark moves ${unmarked.blocks} blocks are read: the measure sees a walk`)
    await tend(db)
    await check('under an old snapshot')
    await backup.query('rollback')
    await backup.end()
  })
}
