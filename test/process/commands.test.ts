import { writeFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { sql } from 'kysely'
import t, { type Test } from 'tap'
import { newKeyMaterial, readKeyring } from '../../src/sealing.js'
import { testDatabase } from '../support/database.js'
import { poolOf, productOf, vendorShop } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { dataDir, runLatchkey, startLatchkey } from '../support/process.js'
import { until } from '../support/until.js'

t.setTimeout(300_000) // each of some forty processes takes a second or two to start

const KEYS = newKeyMaterial()

/** A given database: the server of the test run has fsync off, which has to be allowed. */
async function given (t: Test): Promise<Awaited<ReturnType<typeof testDatabase>> & { env: Record<string, string>, dir: string }> {
  const database = await testDatabase(t)
  const dir = dataDir(t)
  return { ...database, dir, env: { DATABASE_URL: database.url, ALLOW_UNSAFE_DATABASE: '1', LATCHKEY_KEYS: KEYS, DATA_DIR: dir } }
}

// Guarantee: what is typed wrong is answered with the usage and exit code 2; what is set wrong with one sentence and 1.
t.test('mistakes at the terminal', async (t) => {
  await Promise.all([['nope'], ['load', 'PL-1'], ['serve', '--fast'], ['fsck', 'x'], ['constructor']].map(async (args) => {
    const { code, output } = await runLatchkey(t, args)
    t.equal(code, 2, args.join(' '))
    t.match(output, /^latchkey: .*\n\nusage: latchkey <command>/)
  }))
  const sentences: Array<[string[], Record<string, string>, RegExp]> = [
    [['serve'], { PORT: 'http' }, /PORT must be a whole number/],
    [['api'], {}, /DATABASE_URL is not set/],
    [['bootstrap'], {}, /DATABASE_URL is not set/],
    [['serve'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }, /the database of DATABASE_URL does not answer \(ECONNREFUSED\)/],
  ]
  await Promise.all(sentences.map(async ([args, env, sentence]) => {
    const { code, output } = await runLatchkey(t, args, { env: { DATA_DIR: dataDir(t), ...env } })
    t.equal(code, 1, `${args.join(' ')} ${JSON.stringify(env)}`)
    t.match(output, sentence)
    t.match(output, /^latchkey: [^\n]*\n$/, 'one sentence')
  }))
  t.match((await runLatchkey(t, ['--help'])).output, /usage: latchkey/)
  t.match((await runLatchkey(t, ['--version'])).output, /^\d+\.\d+\.\d+\n$/)
  t.equal(readKeyring((await runLatchkey(t, ['keys'])).output).newest, 1, 'keys prints key material')
})

// Guarantee: a database that may forget what it acknowledged, or key material that is not the stored licenses', is refused.
t.test('an unsafe start is refused', async (t) => {
  const { db, env } = await given(t)
  const unsafe = await runLatchkey(t, ['serve'], { env: { ...env, ALLOW_UNSAFE_DATABASE: '' } })
  t.equal(unsafe.code, 1)
  t.match(unsafe.output, /may lose what was acknowledged: fsync is off, full_page_writes is off, synchronous_commit is off/)

  const keyless = await runLatchkey(t, ['serve'], { env: { ...env, LATCHKEY_KEYS: '' } })
  t.equal(keyless.code, 1)
  t.match(keyless.output, /LATCHKEY_KEYS is not set.*latchkey keys/)

  const shop = await vendorShop(db, readKeyring(KEYS))
  await poolOf(shop, await productOf(shop), ['A-1'])
  const other = await runLatchkey(t, ['api'], { env: { ...env, LATCHKEY_KEYS: newKeyMaterial() } })
  t.equal(other.code, 1)
  t.match(other.output, /LATCHKEY_KEYS is not the key material that the stored licenses were sealed with/)
  const renewed = `${String(newKeyMaterial().split(',')[0])},${String(KEYS.split(',')[1])}`
  const fingerprint = await runLatchkey(t, ['api'], { env: { ...env, LATCHKEY_KEYS: renewed } })
  t.equal(fingerprint.code, 1)
  t.match(fingerprint.output, /another fingerprint key/)
})

// Guarantee: api and worker never touch the schema: behind it they say what to run.
t.test('pending migrations', async (t) => {
  const { db, env } = await given(t)
  await sql`drop schema public cascade`.execute(db)
  await sql`create schema public`.execute(db)
  for (const role of ['api', 'worker', 'bootstrap']) {
    const { code, output } = await runLatchkey(t, [role], { env })
    t.equal(code, 1, role)
    t.match(output, /lacks \d+ migrations .*run latchkey migrate first/)
  }
  const both = await Promise.all([1, 2].map(() => runLatchkey(t, ['migrate'], { env })))
  t.same(both.map(({ code }) => code), [0, 0], 'two at once')
  t.same(both.map(({ output }) => output.startsWith('applied 0001')).sort(), [false, true], 'one of them does it')
})

// Guarantee: the first accounts of a given database are made once, and their keys work.
t.test('bootstrap', async (t) => {
  const { env } = await given(t)
  const runs = await Promise.all([1, 2].map(() => runLatchkey(t, ['bootstrap', '--json'], { env })))
  const done = runs.find(({ code }) => code === 0)
  t.same(runs.map(({ code }) => code).sort(), [0, 1], 'of two at once, one makes them')
  t.match(runs.find(({ code }) => code === 1)?.output, /has accounts already/)
  const credentials = JSON.parse(done?.output ?? '') as Record<string, { account_id: string, api_key: string }>
  t.same(Object.keys(credentials), ['operator', 'vendor'])

  const api = startLatchkey(t, ['api'], { env })
  const url = await api.url()
  const response = await fetch(`${url}/v1/pools`, { headers: { authorization: `ApiKey ${String(credentials['vendor']?.api_key)}` } })
  t.equal(response.status, 200)
})

// Guarantee: with DATABASE_URL nothing embedded is started, no key made or printed; a port in use is one sentence.
t.test('a given database', async (t) => {
  const { env, dir } = await given(t)
  const service = startLatchkey(t, ['serve'], { env })
  const url = await service.url()
  t.equal((await fetch(`${url}/health/ready`)).status, 200)
  t.notOk(existsSync(path.join(dir, 'postgres')), 'no cluster')
  t.notOk(existsSync(path.join(dir, 'keys')), 'no key material')
  t.notMatch(service.output(), /API key|lk_/)
  t.match(service.output(), 'the one of DATABASE_URL')

  const taken = await runLatchkey(t, ['api'], { env: { ...env, PORT: new URL(url).port } })
  t.equal(taken.code, 1)
  t.match(taken.output, /cannot listen on port \d+ of 127.0.0.1: another program listens there/)
  service.child.kill('SIGINT')
  t.equal(await service.ended, 0, 'SIGINT ends it with 0')
})

// Guarantee: closing answers what is under way, however slowly it comes, and ends in time; a second signal does not cut it short.
t.test('a request under way while closing', async (t) => {
  const { env } = await given(t)
  const api = startLatchkey(t, ['api'], { env })
  const { port } = new URL(await api.url())
  const socket = net.connect(Number(port), '127.0.0.1')
  let answer = ''
  socket.on('data', (data) => { answer += data.toString() })
  const over = new Promise((resolve) => socket.once('close', resolve))
  socket.write('POST /v1/payments/PS-none HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{')
  await until('the request to be under way', async () => (await fetch(`http://127.0.0.1:${port}/health/live`)).ok)
  api.child.kill('SIGINT')
  api.child.kill('SIGINT')
  await until('the service to close', () => api.output().includes('"closing"'))
  socket.write('}')
  await over
  t.match(answer, /^HTTP\/1.1 40[14] /, 'is answered')
  t.equal(await api.ended, 0)
})

// Guarantee: the load command takes a file into a pool and tells line numbers, never keys; fsck passes what it made.
t.test('load and fsck', async (t) => {
  const { db, env, dir } = await given(t)
  const shop = await vendorShop(db, readKeyring(KEYS))
  const { pool_id } = await poolOf(shop, await productOf(shop), ['KNOWN-1'])
  mkdirSync(dir, { recursive: true })
  const file = path.join(dir, 'licenses.txt')
  const lines = Array.from({ length: 30_000 }, (_, i) => `MARKED-${i}`)
  writeFileSync(file, [...lines, 'KNOWN-1', 'bad\u0000one'].join('\r\n'))

  const dry = await runLatchkey(t, ['load', pool_id, file, '--dry-run'], { env })
  t.equal(dry.code, 0)
  t.match(dry.output, 'dry run, nothing was changed: loaded 30000, duplicates 1, rejected 1')
  const strict = await runLatchkey(t, ['load', pool_id, file, '--strict'], { env })
  t.equal(strict.code, 1, 'strict refuses the file')

  t.match((await runLatchkey(t, ['load', pool_id, file, '--expires-at', '2020-01-01'], { env })).output, 'expires_at: has passed')
  const loaded = await runLatchkey(t, ['load', pool_id, file, '--expires-at', '2099-12-31'], { env })
  t.equal(loaded.code, 0)
  t.match(loaded.output, /loaded 30000, duplicates 1, rejected 1 \(batch BA-/)
  const dates = await db.selectFrom('licenses').select(['expires_at', sql<string>`count(*)`.as('n')]).groupBy('expires_at').orderBy('n').execute()
  t.same(dates, [{ expires_at: null, n: '1' }, { expires_at: new Date('2099-12-31T23:59:59.999Z'), n: '30000' }])
  t.match(loaded.output, 'line 30002: it holds a NUL character')
  t.match(loaded.output, /^loading licenses.txt: 100 %, \d+ lines$/m, 'progress in plain lines where there is no terminal')
  t.notMatch(loaded.output, /MARKED|KNOWN/)
  t.equal((await runLatchkey(t, ['load', 'PL-none', file], { env })).code, 1)
  t.match((await runLatchkey(t, ['load', pool_id, dir], { env })).output, 'is not a file that can be read')

  const sound = await runLatchkey(t, ['fsck', '--open'], { env })
  t.equal(sound.code, 0, sound.output)
  t.match(sound.output, /ok {7}every license opens .* \(30001 rows\)/)
  await assertInvariants(t, db)
  await sql`delete from stock where license_id = (select min(license_id) from stock)`.execute(db)
  const broken = await runLatchkey(t, ['fsck'], { env })
  t.equal(broken.code, 1)
  t.match(broken.output, /BROKEN {3}every license is in exactly one state.*\n +1 broken, namely: LI-/)
})

// Guarantee: on the embedded default commands work beside the running service, on its server, and without it, on their own.
t.test('commands on the embedded database', async (t) => {
  const dir = dataDir(t)
  const env = { DATA_DIR: dir }
  const service = startLatchkey(t, ['serve'], { env })
  const url = await service.url()
  await until('the credentials', () => existsSync(path.join(dir, 'credentials.json')))
  const { vendor } = JSON.parse(readFileSync(path.join(dir, 'credentials.json'), 'utf8')) as { vendor: { api_key: string } }
  const response = await fetch(`${url}/v1/pools`, {
    method: 'POST', headers: { authorization: `ApiKey ${vendor.api_key}`, 'content-type': 'application/json' }, body: JSON.stringify({ name: 'common' }),
  })
  const { id } = await response.json() as { id: string }
  const file = path.join(dir, 'two.txt')
  writeFileSync(file, 'ONE\nTWO\n')
  t.match((await runLatchkey(t, ['load', id, file], { env })).output, 'loaded 2, duplicates 0', 'beside the service')
  service.child.kill('SIGTERM')
  t.equal(await service.ended, 0)
  t.match((await runLatchkey(t, ['load', id, file], { env })).output, 'loaded 0, duplicates 2', 'without it')
  const { code, output } = await runLatchkey(t, ['fsck', '--open'], { env })
  t.equal(code, 0, output)
})

// Guarantee: a supervisor that changes its mind while the service starts is obeyed in order as well: what has begun to start is closed, and the exit code is 0.
t.test('SIGTERM during the start', async (t) => {
  const { db, env } = await given(t)
  const service = startLatchkey(t, ['api'], { env })
  await db.transaction().execute(async (trx) => {
    await sql`lock table kysely_migration`.execute(trx)
    await until('the start to wait for the lock', async () => (await sql`select from pg_locks where not granted and relation = 'kysely_migration'::regclass`.execute(trx)).rows.length > 0)
    service.child.kill('SIGTERM')
    await until('the signal to arrive', () => service.output().includes('"closing"'))
  })
  t.equal(await service.ended, 0, service.output())
  t.match(service.output(), /"closed"/)
})
