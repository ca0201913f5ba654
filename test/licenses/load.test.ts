import { request as httpRequest } from 'node:http'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import t from 'tap'
import type { LoadReport } from '../../src/licenses/merge.js'
import { inTransaction } from '../../src/database/transaction.js'
import { loadLicenses, type Load, type LoadFormat } from '../../src/licenses/load.js'
import { sweepStaging } from '../../src/licenses/sweep-staging.js'
import { testApp, type TestApp } from '../support/app.js'
import { vendorShop } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { until } from '../support/until.js'
import { addPool, keysOf, load, traces } from './support.js'

// Guarantee: a key comes back byte for byte as loaded, in the order of the file; nothing is trimmed, normalised or calculated.
t.test('exotic keys round-trip through load and reveal', async (t) => {
  const service = await testApp(t)
  const pool_id = await addPool(service)
  const keys = ['ABCD-EFGH-IJKL-0001', 'caf\u00e9-nfc', 'cafe\u0301-nfd', '  leading', 'trailing  ', 'in  ner', '\ttab\t', '000123', '=1+1', '"quoted"', 'a,b;c',
    '\ufeffmark inside', '🔑'.repeat(8), 'x'.repeat(4096), 'é'.repeat(2048), 'https://example.com/d?a=1&b=2', '{KEY}', '\\N', '\\x41', "'; drop table stock --", '$&$1']
  const { statusCode, body } = await load(service, pool_id, keys.join('\n'))
  t.equal(statusCode, 201)
  t.match(body, { loaded: keys.length, duplicates: 0, rejected_count: 0, rejected: [], duplicate_lines: [] })
  t.strictSame(await keysOf(service, pool_id), keys)
  await assertInvariants(t, service.db)
})

// Guarantee: the same for any lines that are valid, however the bytes are cut up on their way; CSV and JSON included.
t.test('any valid lines round-trip, in chunks of any size', async (t) => {
  const service = await testApp(t)
  const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => !/[\p{Cc}\p{Surrogate}]/u.test(text) && /[^ \t]/.test(text))
  const asText = (keys: string[], end: string): string => keys.map((one) => one + end).join('')
  const formats: Record<LoadFormat, (keys: string[], end: string) => string> = {
    text: asText,
    csv: (keys, end) => asText(['note,license', ...keys.map((one) => `n,"${one.replaceAll('"', '""')}"`)], end),
    json: (keys) => JSON.stringify({ licenses: keys }),
  }
  const property = fc.asyncProperty(
    fc.uniqueArray(key, { minLength: 1, maxLength: 30, comparator: (a, b) => Buffer.from(a).equals(Buffer.from(b)) }),
    fc.constantFrom('\n', '\r\n'), fc.boolean(), fc.integer({ min: 1, max: 50 }), fc.constantFrom<LoadFormat>('text', 'csv', 'json'),
    async (keys, end, marked, size, format) => {
      const { account_id } = await vendorShop(service.db)
      const pool_id = await addPool(service, { account_id })
      const bytes = Buffer.from((marked ? '\ufeff' : '') + formats[format](keys, end))
      // a text that starts with U+FEFF cannot be told from one with a mark
      if (!marked && format === 'text' && keys[0]?.startsWith('\ufeff')) return
      await loadBytes(service, { account_id, pool_id, format, bytes: chunksOf(bytes, size) })
      t.strictSame(await keysOf(service, pool_id, account_id), keys)
    })
  await fc.assert(property, { numRuns: 60 })
})

// Guarantee: what cannot be a license is refused with its line and the reason, never repaired; the rest is loaded.
t.test('bad lines are rejected with line and reason, blank ones skipped', async (t) => {
  const service = await testApp(t)
  const pool_id = await addPool(service)
  const lines = [Buffer.from('good-1'), Buffer.from([0x41, 0xff]), Buffer.from('a\0b'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('x'.repeat(4097)), Buffer.from(''),
    Buffer.from(' \t'), Buffer.from('a\rb'), Buffer.from('\u0085'), Buffer.from('\x7f'), Buffer.from('y'.repeat(200_000)), Buffer.from('good-2'), Buffer.from([0xc3])]
  const { statusCode, body } = await load(service, pool_id, Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])))
  t.equal(statusCode, 201)
  t.strictSame(body.rejected, [
    { line: 2, reason: 'it is not valid UTF-8' },
    { line: 3, reason: 'it holds a NUL character' },
    { line: 4, reason: 'it is not valid UTF-8' },
    { line: 5, reason: 'it is longer than 4096 bytes' },
    { line: 8, reason: 'it holds the control character U+000D' },
    { line: 9, reason: 'it holds the control character U+0085' },
    { line: 10, reason: 'it holds the control character U+007F' },
    { line: 11, reason: 'it is longer than 4096 bytes' },
    { line: 13, reason: 'it is not valid UTF-8' },
  ])
  t.equal(body.rejected_count, 9)
  t.strictSame(await keysOf(service, pool_id), ['good-1', 'good-2'])
  const many = await load(service, pool_id, '\0\n'.repeat(1200))
  t.match({ count: many.body.rejected_count, listed: many.body.rejected.length }, { count: 1200, listed: 1000 })
})

// Guarantee: files that are not what they are called get one clear sentence that repeats nothing of them, and leave nothing.
t.test('unreadable files are refused whole', async (t) => {
  const service = await testApp(t)
  const pool_id = await addPool(service)
  const secret = 'SECRET-KEY-0001'
  const cases: Array<[string, string, Buffer | string, number, RegExp]> = [
    ['UTF-16 with a mark', 'text/plain', Buffer.from(`\ufeff${secret}\n`, 'utf16le'), 400, /UTF-16.*Save it as UTF-8/],
    ['UTF-16 without', 'text/plain', Buffer.from(`${secret}\n`, 'utf16le'), 400, /UTF-16/],
    ['CSV without header', 'text/csv', `${secret},1\n`, 400, /no column .*license.* or .*key/],
    ['empty CSV', 'text/csv', '', 400, /header row/],
    ['CSV with an open quote', 'text/csv', `license\n"${secret}\n`, 400, /line \d: a quoted field is never closed/],
    ['CSV with a stray quote', 'text/csv', `license\nok\n${secret}"x\n`, 400, /line 3: a quote stands/],
    ['CSV with an endless row', 'text/csv', `license\n${`${secret},`.repeat(20_000)}`, 400, /line 2: a row is longer than/],
    ['not JSON', 'application/json', `{"licenses":["${secret}"`, 400, /not valid JSON/],
    ['JSON of another shape', 'application/json', `["${secret}"]`, 400, /licenses/],
    ['JSON with another field', 'application/json', `{"licenses":["${secret}"],"pool":1}`, 400, /body.pool/],
    ['another type', 'application/xml', secret, 415, /media type|not read here/],
    ['another charset', 'text/plain; charset=utf-16', secret, 415, /UTF-8/],
  ]
  for (const [name, type, bytes, status, pattern] of cases) {
    const { statusCode, text } = await load(service, pool_id, bytes, { type })
    t.equal(statusCode, status, name)
    t.match(text, pattern, name)
    t.notMatch(text, /SECRET/, `${name}: the answer repeats nothing`)
  }
  const large = await load(service, pool_id, `{"licenses":["${'x'.repeat(17 * 1024 * 1024)}"]}`, { type: 'application/json' })
  t.equal(large.statusCode, 413)
  t.strictSame(await traces(service), { licenses: 0, stock: 0, staged: 0, batches: 0 })
})

// Guarantee: CSV takes the named column by its header; JSON finds half a surrogate pair before it is repaired into another key.
t.test('CSV and JSON', async (t) => {
  const service = await testApp(t)
  const pool_id = await addPool(service)
  const csv = await load(service, pool_id, '\ufeffNote, Key \r\n"two\r\nlines",A-1\r\nx,"A ""2"", b"\r\n\r\nx\r\nx, A-3 \n', { type: 'text/csv; charset=utf-8' })
  t.match(csv.body, { loaded: 3, rejected: [{ line: 6, reason: 'its license column is empty' }] })
  t.strictSame(await keysOf(service, pool_id), ['A-1', 'A "2", b', ' A-3 '])

  const json_pool_id = await addPool(service)
  const json = await load(service, json_pool_id, '{"licenses":["J-1","K\\ud800A","K\\udbffA",7,"","J\\u00002","\\ud83d\\udd11"]}', { type: 'application/json' })
  t.match(json.body, { loaded: 2, rejected_count: 5 })
  t.strictSame(json.body.rejected.map(({ line }) => line), [2, 3, 4, 5, 6])
  t.match(json.body.rejected[0], { reason: 'it holds half of a surrogate pair' })
  t.strictSame(await keysOf(service, json_pool_id), ['J-1', '🔑'])
})

// Guarantee: a license is in an account once per mode, whatever pool or load it comes by; each duplicate is told by its line.
t.test('duplicates within the file, across pools and across loads', async (t) => {
  const service = await testApp(t)
  const [first, second, test] = [await addPool(service), await addPool(service), await addPool(service, { mode: 'test' })]
  const within = await load(service, first, 'A\nB\nA\n\nB\nC\n')
  t.match(within.body, { loaded: 3, duplicates: 2, duplicate_lines: [{ line: 3, reason: 'it repeats line 1' }, { line: 5, reason: 'it repeats line 2' }] })
  const across = await load(service, second, 'D\nA\nD\n')
  t.strictSame(across.body.duplicate_lines, [{ line: 2, reason: 'the account has it already' }, { line: 3, reason: 'it repeats line 1' }])
  t.match((await load(service, test, 'A\nB\n')).body, { loaded: 2, duplicates: 0 }, 'live and test are apart')
  const other = { ...service, vendor: service.stranger }
  t.match((await load(other, await addPool(other), 'A\n')).body, { loaded: 1, duplicates: 0 }, 'accounts are apart')
  t.match((await load(service, first, 'a\nA \n\u0041\u030a\n\u00c5\n')).body, { loaded: 4 }, 'only equal bytes are equal keys')
  const many = await load(service, first, 'A\n'.repeat(1200))
  t.match({ count: many.body.duplicates, listed: many.body.duplicate_lines.length }, { count: 1200, listed: 1000 })
  t.strictSame(await keysOf(service, first), ['A', 'B', 'C', 'a', 'A ', '\u0041\u030a', '\u00c5'])
  await assertInvariants(t, service.db)
})

// Guarantee: a dry run answers what a load would and changes nothing; strict is all or nothing.
t.test('dry run and strict', async (t) => {
  const service = await testApp(t)
  const pool_id = await addPool(service)
  const nothing = await traces(service)
  const dry = await load(service, pool_id, 'A\nA\n\0\n', { query: '?dry_run=true' })
  t.equal(dry.statusCode, 200)
  t.match(dry.body, { batch_id: null, loaded: 1, duplicates: 1, rejected_count: 1, rejected: [{ line: 3 }], duplicate_lines: [{ line: 2 }] })
  t.strictSame(await traces(service), nothing)

  for (const bad of ['A\nA\n', 'A\n\0\n']) {
    const { statusCode, text } = await load(service, pool_id, bad, { query: '?strict=true' })
    t.equal(statusCode, 400)
    t.match(JSON.parse(text), { type: /load-refused/, params: { batch_id: null, loaded: 0 } })
    t.strictSame(await traces(service), nothing)
  }
  const good = await load(service, pool_id, 'A\nB\n', { query: '?strict=true&source=supplier.txt' })
  t.match(good, { statusCode: 201, body: { loaded: 2 } })
  t.equal((await load(service, pool_id, 'B\n', { query: '?strict=true' })).statusCode, 400, 'an older license counts as well')
  t.strictSame(await keysOf(service, pool_id), ['A', 'B'])
})

// Guarantee: one batch per load says where it came from, who loaded it, its checksum and its report.
t.test('a load leaves one batch and one event', async (t) => {
  const service = await testApp(t)
  const pool_id = await addPool(service)
  const answer = await load(service, pool_id, 'A\nA\n\0\n', { query: '?source=supplier.txt' })
  t.equal(answer.headers['location'], `/v1/batches/${answer.body.batch_id}`)
  const headers = { authorization: service.vendor.authorization }
  const batch = await service.app.inject({ url: `/v1/batches/${answer.body.batch_id}`, headers })
  const { created_at, loaded_at, ...rest } = batch.json()
  const { batch_id: id, rejected, duplicate_lines, ...counts } = answer.body
  const summary = { id, pool_id, source: 'supplier.txt', status: 'loaded', sha256: '7573f97b0eeb57a1eed0ca64ee20f00a1486ca1b0ee03f4c6e8d7e9aba27b8cb', ...counts, created_by: service.vendor.key_id }
  t.strictSame({ ...rest, sha256: summary.sha256 }, { ...summary, rejected, duplicate_lines })
  t.match(rest.sha256, /^[0-9a-f]{64}$/)
  t.ok(created_at <= loaded_at)
  const listed = await service.app.inject({ url: '/v1/batches?status=loaded', headers })
  t.equal(listed.headers['content-range'], 'items 0-0/1')
  t.strictSame(listed.json(), [{ ...summary, sha256: rest.sha256, created_at, loaded_at }])
  const events = await service.db.selectFrom('events').select(['subject_id', 'actor', 'data']).where('type', '=', 'batch.loaded').execute()
  t.strictSame(events, [{ subject_id: id, actor: service.vendor.key_id, data: { pool_id, loaded: 1, duplicates: 1, rejected_count: 1 } }])
})

// Guarantee: the same key and file again get the first answer and load nothing; another file under the key is refused.
t.test('Idempotency-Key: the checksum stands for the stream', async (t) => {
  const service = await testApp(t)
  const pool_id = await addPool(service)
  const key = { 'idempotency-key': 'load-1' }
  const first = await load(service, pool_id, 'A\nB\nB\n', { headers: key })
  const repeat = await load(service, pool_id, 'A\nB\nB\n', { headers: key })
  t.strictSame([repeat.statusCode, repeat.body], [201, first.body])
  t.equal((await load(service, pool_id, 'A\nC\n', { headers: key })).statusCode, 422)
  t.strictSame(await traces(service), { licenses: 2, stock: 2, staged: 0, batches: 1 })
})

// Guarantee: a load that breaks off leaves nothing in the pool and nothing in staging.
t.test('a client that goes away', async (t) => {
  const service = await testApp(t)
  const pool_id = await addPool(service)
  const url = new URL(await service.app.listen({ port: 0 }))
  const request = httpRequest(new URL(`/v1/pools/${pool_id}/licenses`, url), {
    method: 'POST', headers: { authorization: service.vendor.authorization, 'content-type': 'text/plain' },
  })
  request.on('error', () => {})
  request.write(Array.from({ length: 12_000 }, (_, i) => `broken-${i}\n`).join(''))
  await until('a chunk is staged', async () => (await traces(service)).staged > 0)
  request.destroy()
  await until('the load is given up', async () => (await statuses(service)).join() === 'abandoned')
  await until('staging is empty', async () => (await traces(service)).staged === 0)
  t.strictSame(await traces(service), { licenses: 0, stock: 0, staged: 0, batches: 1 })
  t.match((await load(service, pool_id, 'broken-1\n')).body, { loaded: 1, duplicates: 0 })
})

// Guarantee: the load of a process that died is swept, and its merge, should it live on, loads nothing; others are left alone.
t.test('the sweeper abandons what shows no life', async (t) => {
  const service = await testApp(t)
  const pool_id = await addPool(service)
  const [dead, alive] = [new Gate(), new Gate()]
  const loads = [dead, alive].map((gate, i) => settled(loadBytes(service, { pool_id, bytes: gate.after(Array.from({ length: 6000 }, (_, n) => `${i}-${n}\n`).join('')) })))
  await until('both have staged a chunk', async () => (await traces(service)).staged === 10_000)
  await service.db.updateTable('batches').set({ touched_at: new Date(Date.now() - 3_600_000) })
    .where('id', '=', (eb) => eb.selectFrom('batches').select((s) => s.fn.min('id').as('id'))).execute()
  const swept = await inTransaction(service.db, (trx) => sweepStaging(trx, 600_000))
  t.strictSame(swept, { abandoned: 1, dropped: 5000 })
  dead.open()
  alive.open()
  const outcomes = await Promise.all(loads)
  t.strictSame(outcomes.map((outcome) => outcome instanceof Error ? (outcome as { type?: string }).type : outcome.loaded).sort(), [6000, 'load-interrupted'])
  t.strictSame(await traces(service), { licenses: 6000, stock: 6000, staged: 0, batches: 2 })
})

// Guarantee: staged lines that the server lost in a crash (the table is unlogged) refuse the load instead of shrinking it.
t.test('lost staged lines are noticed', async (t) => {
  const service = await testApp(t)
  const pool_id = await addPool(service)
  const gate = new Gate()
  const outcome = settled(loadBytes(service, { pool_id, bytes: gate.after('A\n'.repeat(1) + Array.from({ length: 6000 }, (_, n) => `${n}\n`).join('')) }))
  await until('a chunk is staged', async () => (await traces(service)).staged === 5000)
  await service.db.deleteFrom('staged_licenses').execute()
  gate.open()
  t.match(await outcome, { type: 'load-interrupted' })
  t.match(await traces(service), { licenses: 0, stock: 0, staged: 0 })
})

// Guarantee: loads with common keys, in any order and at once, neither fail nor duplicate, and keep each file's order.
t.test('parallel loads of overlapping files', async (t) => {
  const service = await testApp(t)
  const pools = [await addPool(service), await addPool(service)]
  const keys = Array.from({ length: 3000 }, (_, i) => `parallel-${i}`)
  const reports = await Promise.all([0, 1, 2, 3, 4, 5].map((i) => loadBytes(service, {
    pool_id: pools[i % 2] as string,
    bytes: Readable.from([Buffer.from((i < 3 ? keys : [...keys].reverse()).slice(i * 100).join('\n'))]),
  })))
  t.equal(reports.reduce((sum, report) => sum + report.loaded, 0), keys.length)
  const loaded = (await Promise.all(pools.map((pool_id) => keysOf(service, pool_id)))).flat()
  t.strictSame([...loaded].sort(), [...keys].sort())
  await assertInvariants(t, service.db)
})

// Guarantee: a load is held in constant memory, also when a line never ends. (bench/load shows it for 200,000 lines.)
t.test('memory stays bounded', async (t) => {
  const service = await testApp(t)
  const pool_id = await addPool(service)
  const endless = Buffer.alloc(65_536, 0x78) // the same each time, so that what is measured is the service's
  async function * lines (): AsyncGenerator<Buffer> {
    for (let i = 0; i < 60_000; i += 1000) yield Buffer.from(Array.from({ length: 1000 }, (_, n) => `${'k'.repeat(100)}-${i + n}\n`).join(''))
    for (let i = 0; i < 6000; i++) yield endless
  }
  global.gc?.()
  const before = process.memoryUsage.rss()
  let peak = before
  const report = await loadBytes(service, { pool_id, bytes: lines(), onProgress: () => { peak = Math.max(peak, process.memoryUsage.rss()) } })
  t.match(report, { loaded: 60_000, rejected: [{ line: 60_001, reason: /longer/ }] })
  t.comment(`peak memory ${Math.round((peak - before) / 1e6)} MB above the start`)
  t.ok(peak - before < 200e6, 'half of the 400 MB that came in, at most')
})

interface Loading { account_id?: string, pool_id: string, bytes: Load['bytes'], format?: LoadFormat, onProgress?: NonNullable<Load['onProgress']> }

async function loadBytes ({ db, keyring, vendor }: TestApp, { account_id = vendor.account_id, format = 'text', ...rest }: Loading): Promise<LoadReport> {
  return loadLicenses({ db, keyring, account_id, format, created_by: 'cli', ...rest })
}

async function * chunksOf (bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

/** Bytes that come at once, and an end that comes when it is opened. */
class Gate {
  open!: () => void
  readonly opened = new Promise<void>((resolve) => { this.open = resolve })
  async * after (text: string): AsyncGenerator<Buffer> {
    yield Buffer.from(text)
    await this.opened
  }
}

const settled = <T>(work: Promise<T>): Promise<T | Error> => work.catch((error: Error) => error)

async function statuses ({ db }: TestApp): Promise<string[]> {
  return (await db.selectFrom('batches').select('status').execute()).map(({ status }) => status)
}
