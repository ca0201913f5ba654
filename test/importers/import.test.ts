import { writeFileSync } from 'node:fs'
import path from 'node:path'
import t, { type Test } from 'tap'
import { importFile, type ImportReport } from '../../src/importers/import-file.js'
import { importers } from '../../src/importers/importers.js'
import { newKeyMaterial, readKeyring } from '../../src/sealing.js'
import { testDatabase } from '../support/database.js'
import { productOf, poolOf, vendorShop, type Shop } from '../support/fixtures.js'
import { assertInvariants } from '../support/invariants.js'
import { dataDir, runLatchkey } from '../support/process.js'
import { arrivalOf } from '../orders/support.js'
import { inTransaction } from '../../src/database/transaction.js'
import { placeOrder } from '../../src/orders/place.js'
import { keysOf } from '../licenses/support.js'

interface Target { shop: Shop, pool_id: string, product_id: string }

async function target (t: Test): Promise<Target> {
  const { db } = await testDatabase(t)
  const shop = await vendorShop(db)
  const product_id = await productOf(shop)
  return { shop, product_id, pool_id: (await poolOf(shop, product_id, [])).pool_id }
}

/** Imports the bytes, cut into pieces of any size. */
async function importBytes (
  { shop, pool_id }: Target, from: string, file: string | Buffer, { with_sold = false, dry_run = false } = {}
): Promise<ImportReport> {
  const piece = 37
  const bytes = Buffer.from(file)
  const importer = importers[from]
  if (importer === undefined) throw new Error(from)
  return importFile({
    ...shop,
    pool_id,
    importer,
    with_sold,
    dry_run,
    source: 'export',
    open: async function * () { for (let at = 0; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece) },
  })
}
const inStock = async ({ shop, pool_id }: Target): Promise<string[]> => keysOf({ ...shop, vendor: { account_id: shop.account_id } } as never, pool_id)
const counted = ({ counts, unsold, sold }: ImportReport): object =>
  ({ entries: counts.entries, unreadable: counts.unreadable, ...counts.fates, loaded: unsold.loaded, known: sold?.loaded })

// As includes/Export.php of License Manager for WooCommerce writes it: PHP's fputcsv, all columns, labels of statuses.
const LMFWC = `id,order_id,product_id,user_id,license_key,expires_at,valid_for,status,times_activated,times_activated_max,created_at,created_by,updated_at,updated_by
1,,24,,LM-FREE-0001,,365,ACTIVE,,3,"2025-03-01 09:12:44",1,,
2,1017,24,8,LM-SOLD-0002,"2027-03-02 10:00:00",365,SOLD,,3,"2025-03-01 09:12:44",1,"2025-03-02 10:00:00",1
3,1018,24,9,"LM-DELIVERED,0003","2027-03-02 10:00:00",365,DELIVERED,1,3,"2025-03-01 09:12:44",1,"2025-03-02 10:00:00",1
4,1019,24,9,"LM-ACTIVE-""0004""",,,ACTIVE,,,"2025-03-01 09:12:44",1,,
5,,24,,LM-OFF-0005,,,INACTIVE,,,"2025-03-01 09:12:44",1,,
6,,24,,LM-OLD-0006,"2020-01-01 00:00:00",,ACTIVE,,,"2019-03-01 09:12:44",1,,
7,0,24,,LM-FREE-0007,"0000-00-00 00:00:00",,ACTIVE,,,"2025-03-01 09:12:44",1,,
`
// As GET /wp-json/lmfwc/v2/licenses answers.
const LMFWC_JSON = JSON.stringify({
  success: true,
  data: [
    { id: 1, orderId: null, productId: 24, licenseKey: 'LM-FREE-0001', expiresAt: null, source: 2, status: 3, activationData: [] },
    { id: 2, orderId: 1017, productId: 24, licenseKey: 'LM-SOLD-0002', expiresAt: '2027-03-02 10:00:00', source: 2, status: 2, activationData: [{ id: 5, token: 'x{"[' }] },
    { id: 3, orderId: null, productId: 24, licenseKey: 'LM-"UML\u00c4UT\u0022-0003', expiresAt: null, source: 2, status: 3, activationData: [] },
  ],
})
// As the export of WooCommerce Serial Numbers Pro writes it.
const WCSN = `serial_key,product_id,activation_limit,order_id,status,validity,expire_date,order_date,customer_name
Serial-0001,24,0,0,available,,"0000-00-00 00:00:00","0000-00-00 00:00:00",
Serial-0002,24,0,88,sold,365,"0000-00-00 00:00:00","2025-06-21 18:44:54","Ada Lovelace"
Serial-0003,24,0,89,pending,365,"0000-00-00 00:00:00","2025-06-21 18:44:54","Ada Lovelace"
Serial-0004,24,0,90,cancelled,365,"0000-00-00 00:00:00","2025-06-21 18:44:54","Ada Lovelace"
Serial-0005,24,0,0,expired,365,"2020-06-21 18:44:54","0000-00-00 00:00:00",
Serial-0006,24,0,0,mystery,,"0000-00-00 00:00:00","0000-00-00 00:00:00",
`
const keygenLicense = (key: string, status: string): object => ({
  id: `id-${key}`, type: 'licenses', attributes: { name: null, key, expiry: '2027-01-01T00:00:00.000Z', status, uses: 0, suspended: status === 'SUSPENDED', metadata: { data: [{ key: 'no' }] } }, relationships: { policy: { data: { type: 'policies', id: 'p' } } },
})
const page = (...data: object[]): string => JSON.stringify({ data, links: { next: null }, meta: { pages: 2 } })
const KEYGEN = [
  page({ id: 'a', type: 'keys', attributes: { key: 'KG-POOL-0001', created: '2025-01-01T00:00:00.000Z' }, relationships: {} }),
  page(keygenLicense('KG-ISSUED-0002', 'ACTIVE'), keygenLicense('KG-ISSUED-0003', 'INACTIVE'), keygenLicense('KG-OVER-0004', 'SUSPENDED')),
].join('\n')

// Guarantee: of each system's export the unsold licenses come into stock, byte for byte and in their order; the sold ones are counted, the ended ones left out.
t.test('each format', async (t) => {
  const cases: Array<[from: string, file: string, stock: string[], counts: object]> = [
    ['lmfwc', LMFWC, ['LM-FREE-0001', 'LM-FREE-0007'], { entries: 7, unsold: 2, sold: 3, ended: 2, unknown: 0, loaded: 2 }],
    ['lmfwc', LMFWC_JSON, ['LM-FREE-0001', 'LM-"UML\u00c4UT"-0003'], { entries: 3, unsold: 2, sold: 1, ended: 0, unknown: 0, loaded: 2 }],
    ['lmfwc', JSON.stringify([JSON.parse(LMFWC_JSON)]), ['LM-FREE-0001', 'LM-"UML\u00c4UT"-0003'], { entries: 3, unsold: 2, sold: 1 }],
    ['wcsn', WCSN, ['Serial-0001'], { entries: 6, unsold: 1, sold: 2, ended: 2, unknown: 1, loaded: 1 }],
    ['keygen', KEYGEN, ['KG-POOL-0001'], { entries: 4, unsold: 1, sold: 2, ended: 1, unknown: 0, loaded: 1 }],
    ['keygen', `[${KEYGEN.replace('\n', ',')}]`, ['KG-POOL-0001'], { entries: 4, unsold: 1, sold: 2, ended: 1 }],
    ['txt', 'TXT-1\nTXT-2 \n\nTXT,3\n', ['TXT-1', 'TXT-2 ', 'TXT,3'], { entries: 3, unsold: 3, loaded: 3 }],
  ]
  for (const [from, file, stock, counts] of cases) {
    for (const [as, bytes] of [['as it is', file], ['with a mark and CRLF', `\ufeff${file.replaceAll('\n', '\r\n')}`]] as const) {
      const to = await target(t)
      t.match(counted(await importBytes(to, from, bytes)), counts, `${from} ${as}`)
      t.strictSame(await inStock(to), stock)
      await assertInvariants(t, to.shop.db)
    }
  }
})

// Guarantee: columns may come in any order, under names as people write them, separated by semicolons, and more of them than are known.
t.test('another order of columns', async (t) => {
  const to = await target(t)
  const file = 'Status;note;License Key;Order ID\nactive;x;"SEMI;0001";\nsold;x;SEMI-0002;77\n'
  t.match(counted(await importBytes(to, 'lmfwc', file)), { entries: 2, unsold: 1, sold: 1 })
  t.strictSame(await inStock(to), ['SEMI;0001'])
})

// Guarantee: with the sold ones, these are known from then on and never sold: not when they are loaded again, not to who waits, not where the file has them
// twice. A dry run changes nothing; a second import finds everything there.
t.test('sold ones', async (t) => {
  const to = await target(t)
  const { shop, pool_id, product_id } = to
  await inTransaction(shop.db, (trx) => placeOrder(trx, arrivalOf(shop, [[product_id, 4]])))
  const twice = `${LMFWC}8,,24,,LM-SOLD-0002,,,ACTIVE,,,"2025-03-01 09:12:44",1,,\n`
  t.match(counted(await importBytes(to, 'lmfwc', twice, { with_sold: true, dry_run: true })), { loaded: 3, known: 3 })
  t.strictSame(await shop.db.selectFrom('licenses').select('id').execute(), [])
  t.match(await importBytes(to, 'lmfwc', twice, { with_sold: true }), { unsold: { loaded: 2, duplicates: 1 }, sold: { loaded: 3, duplicates: 0 } })
  t.match(await importBytes(to, 'txt', 'LM-SOLD-0002\nLM-DELIVERED,0003\n'), { unsold: { loaded: 0, duplicates: 2 } })
  t.strictSame((await inStock(to)).sort(), ['LM-FREE-0001', 'LM-FREE-0007'], 'who waits for four gets none of the sold ones')
  t.equal((await shop.db.selectFrom('withdrawals').select('license_id').where('pool_id', '=', pool_id).execute()).length, 3)
  t.match(await importBytes(to, 'lmfwc', twice, { with_sold: true }), { unsold: { loaded: 0, duplicates: 3 }, sold: { loaded: 0, duplicates: 3 } })
  await assertInvariants(t, shop.db)
})

// Guarantee: a file of another system, one that was cut off, one in UTF-16, one that does not say what is sold, is refused in a sentence, with nothing done.
t.test('what is refused', async (t) => {
  const to = await target(t)
  const cases: Array<[from: string, file: string | Buffer, reason: RegExp]> = [
    ['lmfwc', WCSN, /may be a file of --from wcsn/],
    ['wcsn', LMFWC, /may be a file of --from lmfwc/],
    ['wcsn', LMFWC_JSON, /is JSON, and exports of WooCommerce Serial Numbers/],
    ['keygen', LMFWC_JSON, /not JSON of Keygen/],
    ['lmfwc', KEYGEN, /not JSON of License Manager/],
    ['keygen', LMFWC, /is not JSON/],
    ['txt', LMFWC, /header of a table/],
    ['txt', LMFWC_JSON, /is JSON/],
    ['lmfwc', 'license_key,expires_at\nA-1,\n', /no column status, order_id/],
    ['lmfwc', LMFWC_JSON.slice(0, -40), /was cut off/],
    ['keygen', KEYGEN.slice(0, 300), /was cut off/],
    ['lmfwc', `${LMFWC}8,,24,,"LM-CUT`, /never closed/],
    ['wcsn', Buffer.from(`\ufeff${WCSN}`, 'utf16le'), /UTF-16/],
    ['wcsn', '', /empty/],
  ]
  for (const [from, file, reason] of cases) await t.rejects(importBytes(to, from, file), { message: reason }, `${from}: ${String(reason)}`)
  t.strictSame(await to.shop.db.selectFrom('batches').select('id').where('source', '=', 'export').execute(), [], 'nothing was begun')
})

// Guarantee: `latchkey import` compares both ends: it ends with 1, and says in a sentence what differs; no license is shown.
t.test('the command', async (t) => {
  const { url, db } = await testDatabase(t)
  const material = newKeyMaterial()
  const shop = await vendorShop(db, readKeyring(material))
  const { pool_id } = await poolOf(shop, await productOf(shop), [])
  const dir = dataDir(t)
  const env = { DATABASE_URL: url, LATCHKEY_KEYS: material, DATA_DIR: dir, ALLOW_UNSAFE_DATABASE: '1' }
  const run = async (from: string, content: string, ...flags: string[]): Promise<{ code: number | null, output: string }> => {
    const file = path.join(path.dirname(dir), 'export.csv')
    writeFileSync(file, content)
    return runLatchkey(t, ['import', file, '--from', from, '--pool', pool_id, ...flags], { env })
  }
  const cut = await run('lmfwc', `${LMFWC}8,,24,,LM-CUT`, '--dry-run')
  t.match(cut, { code: 1, output: /DIFFERS {2}1 entries could not be loaded/ })
  const good = await run('lmfwc', LMFWC, '--with-sold')
  t.match(good, { code: 0, output: /loaded 0 → 5, available 0 → 2, withdrawn 0 → 3\n.*agree/ })
  t.match(await run('wcsn', WCSN), { code: 1, output: /DIFFERS {2}1 entries have a status that is not known here/ })
  t.match(await run('nonsense', WCSN), { code: 1, output: /--from must be one of lmfwc, wcsn, keygen, txt/ })
  t.notMatch(cut.output + good.output, /LM-(?:FREE|SOLD|CUT)/)
  await assertInvariants(t, db)
})

// Guarantee: 100,000 licenses of one JSON document are imported in bounded memory.
t.test('a large file', { timeout: 120_000 }, async (t) => {
  const to = await target(t)
  const LICENSES = 100_000
  const open = async function * (): AsyncGenerator<Buffer> {
    yield Buffer.from('{"success":true,"data":[')
    for (let n = 0; n < LICENSES; n += 500) {
      yield Buffer.from(Array.from({ length: 500 }, (_, i) => JSON.stringify({ licenseKey: `BIG-${n + i}`, status: 3, orderId: null, note: 'x'.repeat(300) })).join(',') + (n + 500 < LICENSES ? ',' : ''))
    }
    yield Buffer.from(']}')
  }
  let peak = 0
  const watch = setInterval(() => { peak = Math.max(peak, process.memoryUsage().heapUsed + process.memoryUsage().external) }, 50)
  const before = process.memoryUsage().heapUsed + process.memoryUsage().external
  const report = await importFile({ ...to.shop, pool_id: to.pool_id, importer: importers['lmfwc']!, with_sold: false, dry_run: false, source: 'big', open })
  clearInterval(watch)
  t.match(report, { unsold: { loaded: LICENSES } })
  const megabytes = Math.round((peak - before) / 1e6)
  t.comment(`${megabytes} MB above the start, of a document of ${Math.round(LICENSES * 350 / 1e6)} MB`)
  t.ok(megabytes < 200, 'most of it garbage that was not collected yet')
})
