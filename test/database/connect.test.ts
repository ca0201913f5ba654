import { sql } from 'kysely'
import t from 'tap'
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { migrateToLatest, pendingMigrations } from '../../src/database/migrate.js'
import { inTransaction } from '../../src/database/transaction.js'
import { emptyDatabase, testDatabase } from '../support/database.js'

const config = readConfig({})
const one = { ...config, database_connections_max: 1 }
const pidOf = sql<{ pid: number }>`select pg_backend_pid() as pid`

// Guarantee: a connection that the server ends, idle in the pool or inside a transaction, ends its query and not the process.
t.test('lost connections', async (t) => {
  const { db: other, url } = await testDatabase(t)
  const db = connectDatabase(url, one)
  t.teardown(() => db.destroy())
  const { rows: [idle] } = await pidOf.execute(db)
  await sql`select pg_terminate_backend(${idle?.pid}::int)`.execute(other)
  await t.resolves(untilWorks(() => sql`select 1`.execute(db)), 'an idle one is replaced')
  await t.rejects(db.transaction().execute(async (trx) => {
    const { rows: [open] } = await pidOf.execute(trx)
    await sql`select pg_terminate_backend(${open?.pid}::int)`.execute(other)
    await sql`select 1`.execute(trx)
  }), 'its transaction rejects')
  await t.resolves(untilWorks(() => sql`select 1`.execute(db)), 'and the pool goes on')
})

// Guarantee: a server that is frozen holds a caller for a bounded time, and the connection that hangs is not used again.
t.test('a frozen backend', async (t) => {
  const { url } = await testDatabase(t)
  const db = connectDatabase(url, { ...one, statement_timeout_ms: 300 })
  t.teardown(() => db.destroy())
  const { rows: [frozen] } = await pidOf.execute(db)
  process.kill(frozen?.pid as number, 'SIGSTOP')
  t.teardown(() => { process.kill(frozen?.pid as number, 'SIGCONT') })
  const began_at = performance.now()
  await t.rejects(sql`select 1`.execute(db), /timeout/)
  t.ok(performance.now() - began_at < 3000, 'in bounded time')
  const { rows: [next] } = await pidOf.execute(db)
  t.not(next?.pid, frozen?.pid, 'another connection serves the next one')
})

// Guarantee: a deadlock is run again, so its caller does not see it.
t.test('a deadlock is retried', async (t) => {
  const { db } = await testDatabase(t)
  await sql`create table rows_of_test (id int primary key, n int not null)`.execute(db)
  await sql`insert into rows_of_test values (1, 0), (2, 0)`.execute(db)
  let runs = 0
  const bothHold = new Map<number, () => void>()
  const held = [1, 2].map((id) => new Promise<void>((resolve) => { bothHold.set(id, resolve) }))
  const cross = async (first: number, second: number): Promise<void> => inTransaction(db, async (trx) => {
    runs += 1
    await sql`update rows_of_test set n = n + 1 where id = ${first}`.execute(trx)
    bothHold.get(first)?.()
    await Promise.all(held)
    await sql`update rows_of_test set n = n + 1 where id = ${second}`.execute(trx)
  })
  await Promise.all([cross(1, 2), cross(2, 1)])
  t.equal(runs, 3, 'one of the two ran twice')
  t.same((await sql`select n from rows_of_test order by id`.execute(db)).rows, [{ n: 2 }, { n: 2 }])
})

// Guarantee: any number of processes may start on an empty database at once.
t.test('migrations from empty, by four at once', async (t) => {
  const { url } = await emptyDatabase(t)
  const databases = [1, 2, 3, 4].map(() => connectDatabase(url, one))
  t.teardown(() => Promise.all(databases.map((db) => db.destroy())))
  const [db] = databases as [typeof databases[0] & object]
  t.ok((await pendingMigrations(db)).length > 0)
  const applied = await Promise.all(databases.map((each) => migrateToLatest(each)))
  t.equal(applied.filter((names) => names.length > 0).length, 1, 'one applied them all')
  t.same(await pendingMigrations(db), [])
})

/** The pool notices a lost connection when its socket closes, a moment after the server ended it. */
async function untilWorks<T> (query: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await query()
    } catch (error) {
      if (tries === 10) throw error
    }
  }
}
