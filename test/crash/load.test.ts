// kill -9 of the service at chosen moments of a load.
import http from 'node:http'
import { sql } from 'kysely'
import t from 'tap'
import { assertInvariants } from '../support/invariants.js'
import { until } from '../support/until.js'
import { assertStock } from './stream.js'
import { keysOf, openShop, stocked } from './support.js'

// Guarantee (A11): a load whose service is killed leaves nothing in the pool, wherever it was; it is marked abandoned, its staging
// is emptied, and the same file loads whole afterwards.
t.test('the service is killed in a load', { timeout: 110_000 }, async (t) => {
  const shop = await openShop(t, { LOG_LEVEL: 'fatal' })
  const { db } = shop.server
  let running = shop.start('serve')
  let base = await running.url()
  const pool_id = await stocked(shop, base, 'A', [])
  const file = keysOf('A', 40_000)
  const staged = async (): Promise<number> => (await sql<{ n: number }>`select count(*)::int as n from staged_licenses`.execute(db)).rows[0]?.n ?? 0
  const restart = async (): Promise<void> => {
    running.child.kill('SIGKILL')
    await running.ended
    running = shop.start('serve')
    base = await running.url()
  }
  const loaded = async (): Promise<number> => (await shop.made(base, 'GET', `/v1/pools/${pool_id}`))['stock'].loaded as number

  const upload = http.request(`${base}/v1/pools/${pool_id}/licenses`, { method: 'POST', headers: { authorization: shop.authorization, 'content-type': 'text/plain' } })
  upload.on('error', () => {}).write(file.slice(0, 20_000).join('\n'))
  await until('a part to be staged', async () => await staged() > 0)
  await restart()
  t.equal(await loaded(), 0, 'killed while the file comes in: nothing is in the pool')

  const whole = shop.call(base, 'POST', `/v1/pools/${pool_id}/licenses`, file.join('\n')).catch(() => undefined)
  await until('the merge to run', async () => (await sql`
    select from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())`.execute(db)).rows.length > 0)
  await restart()
  t.equal(await whole, undefined, 'the client got no answer')
  t.equal(await loaded(), 0, 'killed while it merges: nothing is in the pool')

  await sql`update batches set touched_at = now() - interval '16 minutes' where status = 'staging'`.execute(db)
  await restart() // the sweep is the first thing that a worker does, then it comes once a minute
  await until('both loads to be abandoned', async () => (await db.selectFrom('batches').select('id').where('status', '=', 'abandoned').execute()).length === 2)
  await until('staging to be empty', async () => await staged() === 0)
  const report = await shop.made(base, 'POST', `/v1/pools/${pool_id}/licenses`, file.join('\n'))
  t.match(report, { loaded: file.length, duplicates: 0, rejected_count: 0 }, 'the same file loads whole')
  await assertStock(t, shop, base, pool_id, { loaded: file.length, available: file.length })
  await assertInvariants(t, db)
})
