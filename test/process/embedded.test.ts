import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import path from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { startEmbeddedPostgres } from '../../src/database/embedded.js'
import { dataDir, runLatchkey, startLatchkey, type Started } from '../support/process.js'
import { until } from '../support/until.js'

t.setTimeout(300_000) // each start makes a cluster, and some follow a kill

const AS_ROOT = process.getuid?.() === 0
const NOBODY = 65534
const SECRET = /SU-[\d-]+:lk_[0-9a-f]{46}/

interface Credentials { vendor: { api_key: string } }
const credentialsIn = (dir: string): Credentials => JSON.parse(readFileSync(path.join(dir, 'credentials.json'), 'utf8')) as Credentials

/** Undefined: the service does not answer them now. */
async function productNames (url: string, { vendor }: Credentials): Promise<string[] | undefined> {
  const response = await fetch(`${url}/v1/products`, { headers: { authorization: `ApiKey ${vendor.api_key}` } })
  if (!response.ok) return undefined
  return (await response.json() as Array<{ name: string }>).map(({ name }) => name)
}

async function makeProduct (url: string, { vendor }: Credentials, name: string): Promise<number> {
  const response = await fetch(`${url}/v1/products`, {
    method: 'POST',
    headers: { authorization: `ApiKey ${vendor.api_key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name, mail_template: { subject: 'Your key', text: '{KEY}' } }),
  })
  return response.status
}

/** Processes of a server on this directory: none may stay behind. */
function serversIn (dir: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path.join(dir, 'postgres'))
    } catch {
      return false
    }
  })
}

async function stopped ({ child, ended }: Started): Promise<{ code: number | null, ms: number }> {
  const begun = performance.now()
  child.kill('SIGTERM')
  const code = await ended
  return { code, ms: performance.now() - begun }
}

/** The life of a service on its own database, by one user. */
async function life (t: Test, uid?: number): Promise<void> {
  const dir = dataDir(t, { uid })
  const options = { env: { DATA_DIR: dir }, ...(uid === undefined ? {} : { uid }) }
  const first = startLatchkey(t, ['serve'], options)
  let url = await first.url()
  await until('the banner', () => SECRET.test(first.output()))
  const credentials = credentialsIn(dir)
  t.equal(SECRET.exec(first.output())?.[0], credentials.vendor.api_key, 'the first start prints the vendor key')
  t.match(first.output(), `${url}/docs`, 'and where the API reference is')
  for (const place of ['mail', 'keys', 'postgres', 'credentials.json']) t.match(first.output(), path.join(dir, place), `and where ${place} is`)
  for (const secret of ['keys', 'credentials.json']) t.equal(statSync(path.join(dir, secret)).mode & 0o777, 0o600, `${secret} is private`)
  t.equal(await makeProduct(url, credentials, 'kept'), 201)

  const second = await runLatchkey(t, ['serve'], options)
  t.equal(second.code, 1, 'a second start is refused')
  t.match(second.output, `in use by process ${first.child.pid}`, 'naming the process')

  first.child.kill('SIGKILL')
  await first.ended
  await until('the server to follow its killed parent', () => serversIn(dir).length === 0)
  const again = startLatchkey(t, ['serve'], options)
  url = await again.url()
  t.same(await productNames(url, credentials), ['kept'], 'after kill -9 everything is still there')
  t.notMatch(again.output(), SECRET, 'the key is not printed again')
  t.match(again.output(), path.join(dir, 'credentials.json'), 'but where it is kept')

  await fetch(`${url}/health/live`) // leaves a kept-alive connection behind
  const { code, ms } = await stopped(again)
  t.equal(code, 0, `SIGTERM ends it with 0${code === 0 ? '' : `: ${again.output()}`}`)
  t.ok(ms < 1000, `within a second when idle (${Math.round(ms)} ms)`)
  t.same(serversIn(dir), [], 'and leaves no server behind')
  t.notMatch(first.output() + again.output(), /"level":"(error|fatal)"/)
}

// Guarantee: on a machine with Node and nothing else the service brings its own PostgreSQL, keeps everything over stops and kills,
// prints its key once, and has one owner at a time.
t.test('a service on its own database, as the user of this run', (t) => life(t))
t.test('a service on its own database, as an ordinary user', { skip: AS_ROOT ? false : 'this run is by an ordinary user: see above' }, (t) => life(t, NOBODY))

// Guarantee: of starts at the same instant on one data directory, the first included, one gets it and the others are refused.
t.test('starts at the same instant', async (t) => {
  const dir = dataDir(t)
  const all = [1, 2, 3].map(() => startLatchkey(t, ['serve'], { env: { DATA_DIR: dir } }))
  const codes = await Promise.all(all.map(({ ended, url }) => Promise.race([ended, url().then(() => 'listens', () => ended)])))
  t.same(codes.map(String).sort(), ['1', '1', 'listens'])
  for (const { output, child } of all) if (child.exitCode !== null) t.match(output(), /in use by process \d+/)
})

// Guarantee: the server of a service that lives on comes back by itself when it is killed, with all that was committed.
t.test('kill -9 of the embedded server', async (t) => {
  const dir = dataDir(t)
  const service = startLatchkey(t, ['serve'], { env: { DATA_DIR: dir } })
  const url = await service.url()
  await until('the credentials', () => existsSync(path.join(dir, 'credentials.json')))
  const credentials = credentialsIn(dir)
  t.equal(await makeProduct(url, credentials, 'committed'), 201)
  const postmaster = Number(readFileSync(path.join(dir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0])
  process.kill(postmaster, 'SIGKILL')
  const names = await until('the service to answer again', async () => {
    const response = await fetch(`${url}/health/ready`).catch(() => undefined)
    return response?.ok === true && !existsSync(`/proc/${postmaster}`) ? productNames(url, credentials) : undefined
  })
  t.same(names, ['committed'])
  t.equal((await stopped(service)).code, 0)
})

// Guarantee: the database is durable by default: what power loss needs can only be asserted by its settings.
t.test('the settings of a durable server', async (t) => {
  const dir = dataDir(t)
  const server = await startEmbeddedPostgres({ dataDir: path.join(dir, 'postgres'), database: 'x' })
  t.teardown(() => server.stop())
  const client = new pg.Client({ connectionString: server.url() })
  await client.connect()
  const { rows } = await client.query("select name, setting from pg_settings where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'jit', 'listen_addresses') order by name")
  await client.end()
  t.same(Object.fromEntries(rows.map((row) => [row.name, row.setting])), { fsync: 'on', full_page_writes: 'on', jit: 'off', listen_addresses: '', synchronous_commit: 'on' })
})

// Guarantee: a link or another user's directory in the place of the cluster is refused, not followed or given away.
t.test('a cluster directory that is not ours', async (t) => {
  const dir = dataDir(t)
  const elsewhere = dataDir(t)
  mkdirSync(elsewhere)
  mkdirSync(dir)
  symlinkSync(elsewhere, path.join(dir, 'postgres'))
  const linked = await runLatchkey(t, ['serve'], { env: { DATA_DIR: dir } })
  t.equal(linked.code, 1)
  t.match(linked.output, /latchkey: .* is not a directory of user/)
  t.same(readdirSync(elsewhere), [], 'nothing was made behind the link')
})

// Guarantee: root starts it where its server's user can reach neither the checkout nor the data directory.
t.test('root, below a directory that only root can enter', { skip: AS_ROOT ? false : 'needs root' }, async (t) => {
  const dir = dataDir(t, { mode: 0o700 })
  const service = startLatchkey(t, ['serve'], { env: { DATA_DIR: dir } })
  await service.url()
  const kept = /kept in (\/var\/tmp\/latchkey-0\/data-[0-9a-f]+)/.exec(service.output())?.[1]
  t.ok(kept, 'says where the data is kept instead')
  t.match(service.output(), `embedded PostgreSQL in ${String(kept)}`, 'and so does the banner')
  t.equal(statSync('/var/tmp/latchkey-0').mode & 0o777, 0o711)
  t.equal((await stopped(service)).code, 0)
  if (kept !== undefined) rmSync(kept, { recursive: true, force: true })
})
