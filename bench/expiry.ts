// Durable orders per second from a pool of a million licenses that expire, soonest first, against a pool of licenses that do not, in turn; then the same
// beside an old snapshot (a running backup, say). Without HTTP. npx tsx bench/expiry.ts [licenses] [rounds] [orders]
import { sql } from 'kysely'
import pg from 'pg'
import { readConfig } from '../src/config.js'
import { inTransaction } from '../src/database/transaction.js'
import { newId } from '../src/ids.js'
import { tendDated, untendedPools } from '../src/licenses/expire.js'
import { openIntake } from '../src/orders/intake.js'
import { ACCOUNT, print, printHead, settle, SKU, stage, stock, treeCpuMs, type Stage } from './support.js'

const [LICENSES = 1_000_000, ROUNDS = 5, ORDERS = 1000] = process.argv.slice(2).map(Number)
const CLIENTS = 8
const DATED = { sku: 'sku-dated', pool_id: 'PL-dated' }

/** A second product and pool; each license expires on one of a thousand days, in turn. */
async function stockDated ({ db }: Stage): Promise<void> {
  await sql.raw(`
    insert into products (account_id, id, name, mail_template) values ('${ACCOUNT}', 'PRD-dated', 'Dated', '{"subject": "Key", "text": "{KEY}"}');
    insert into product_refs (account_id, ref, product_id) values ('${ACCOUNT}', '${DATED.sku}', 'PRD-dated');
    insert into pools (account_id, id, name, product_ids, mode, quantity_rule, on_shortage, pick, dated_from, next_position)
    values ('${ACCOUNT}', '${DATED.pool_id}', 'dated', '{PRD-dated}', 'live', 'unit', 'backorder', 'soonest', 1, ${LICENSES + 1});
    insert into pool_routes (account_id, mode, product_id, currency, rank, pool_id) values ('${ACCOUNT}', 'live', 'PRD-dated', '', 1, '${DATED.pool_id}');
    with added as (
      insert into licenses (account_id, id, pool_id, batch_id, line, mode, fingerprint, sealed, expires_at)
      select '${ACCOUNT}', new_id('LI'), '${DATED.pool_id}', 'BA-dated', n, 'live', sha256(convert_to(gen_random_uuid()::text, 'UTF8')), '\\x00', now() + (1 + n % 1000) * interval '1 day'
      from generate_series(1, ${LICENSES}) n returning id, line, expires_at)
    insert into stock (account_id, pool_id, position, license_id, expires_at) select '${ACCOUNT}', '${DATED.pool_id}', line, id, expires_at from added order by line;
    analyze licenses, stock;`).execute(db)
}

/** The worker's job, as often as a worker does it. */
function tending ({ db }: Stage): { stop: () => Promise<void> } {
  let running: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    running = running.then(async () => { for (const pool of await untendedPools(db)) await inTransaction(db, (trx) => tendDated(trx, pool)) })
  }, 5000)
  return { stop: async () => { clearInterval(timer); await running } }
}

async function main (): Promise<void> {
  const at = await stage()
  const intake = openIntake(at.server.url(), readConfig({}), at.db, at.keyring)
  const worker = tending(at)
  const place = async (product: string): Promise<{ per_second: number, cpu_us: number }> => {
    let left = ORDERS
    const [began_at, cpu] = [performance.now(), treeCpuMs(at.server.pid())]
    await Promise.all(Array.from({ length: CLIENTS }, async () => {
      while (left-- > 0) {
        await intake.place({
          account_id: ACCOUNT,
          order_id: newId('OR'),
          actor: 'bench',
          order: {
            source_id: 'api-live',
            external_id: newId('OR'),
            mode: 'live',
            currency: 'EUR',
            locale: null,
            customer: { email: 'ada@example.com' },
            paid_at: new Date().toISOString(),
            line_items: [{ external_id: '1', product, quantity: 1, unit_amount: null }],
          },
        })
      }
    }))
    return { per_second: ORDERS / ((performance.now() - began_at) / 1000), cpu_us: (treeCpuMs(at.server.pid()) - cpu) * 1000 / ORDERS }
  }
  const compare = async (when: string): Promise<void> => {
    const rounds: Array<Record<'plain' | 'dated', Awaited<ReturnType<typeof place>>>> = []
    for (let round = 0; round < ROUNDS; round++) rounds.push({ plain: await place(SKU), dated: await place(DATED.sku) })
    print(`${when}: orders/s, none expires`, rounds.map(({ plain }) => plain.per_second))
    print(`${when}: orders/s, soonest first`, rounds.map(({ dated }) => dated.per_second))
    print(`${when}: µs of PostgreSQL, none expires`, rounds.map(({ plain }) => plain.cpu_us))
    print(`${when}: µs of PostgreSQL, soonest first`, rounds.map(({ dated }) => dated.cpu_us))
  }
  await stock(at.db, ORDERS * (2 * ROUNDS + 2))
  await stockDated(at)
  await place(SKU)
  await place(DATED.sku)
  await settle(at.db)
  printHead(`${LICENSES} licenses that expire, ${ORDERS} orders a round by ${CLIENTS} at once, ${ROUNDS} rounds in turn`)
  await compare('')
  const snapshot = new pg.Client({ connectionString: at.server.url() })
  await snapshot.connect()
  await snapshot.query('begin isolation level repeatable read; select count(*) from pools')
  await compare('old snapshot')
  await snapshot.end()
  await worker.stop()
  await intake.close()
  await at.close()
}

await main()
