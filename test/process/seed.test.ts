import t from 'tap'
import { newKeyMaterial } from '../../src/sealing.js'
import type { Seeded } from '../../src/seed.js'
import { assertInvariants } from '../support/invariants.js'
import { testDatabase } from '../support/database.js'
import { dataDir, runLatchkey, startLatchkey } from '../support/process.js'

t.setTimeout(180_000) // each process takes a second or two to start

// Guarantee: a newcomer gets, by one command, a vendor and a provider that can read its products, with stock; as often as wanted.
t.test('latchkey seed', async (t) => {
  const { db, url } = await testDatabase(t)
  const KEYS = newKeyMaterial()
  const env = { DATABASE_URL: url, ALLOW_UNSAFE_DATABASE: '1', LATCHKEY_KEYS: KEYS, DATA_DIR: dataDir(t) }
  const early = await runLatchkey(t, ['seed'], { env })
  t.equal(early.code, 1)
  t.match(early.output, /^latchkey: the database has no accounts yet: .*run latchkey bootstrap\n$/, 'it would keep bootstrap from making the operator')
  t.equal((await runLatchkey(t, ['bootstrap', '--json'], { env })).code, 0)

  const first = await runLatchkey(t, ['seed', '--json'], { env })
  t.equal(first.code, 0, first.output)
  const seeded = JSON.parse(first.output) as Seeded
  const second = await runLatchkey(t, ['seed'], { env })
  t.equal(second.code, 0, second.output)
  t.match(second.output, /^vendor VA-.*\n {2}API key SU-.*\nprovider PA-/, 'for people')
  t.notMatch(second.output, seeded.vendor.account_id, 'a new set each time')

  const base = await startLatchkey(t, ['api'], { env }).url()
  const read = async (path: string, { api_key }: { api_key: string }): Promise<unknown> =>
    (await fetch(`${base}/v1${path}`, { headers: { authorization: `ApiKey ${api_key}` } })).json()
  const [filled, manual] = seeded.products
  t.match(await read('/products?ordering(name)', seeded.provider), [{ id: filled?.id, name: 'Harbour Backup' }, { id: manual?.id, name: 'Harbour Vault' }])
  t.match(await read(`/products/${filled?.id ?? ''}/parameters`, seeded.provider), [{ name: 'admin_email' }, { name: 'seats_note' }, { name: 'license_key', secret: true }])
  t.match(await read(`/products/${filled?.id ?? ''}/connections?type=test`, seeded.provider), [{ id: filled?.test_connection_id }])
  t.match(await read(`/products/${filled?.id ?? ''}/items`, seeded.vendor), filled?.item_ids.map((id) => ({ id })))
  for (const pool_id of [filled?.pool_id, filled?.test_pool_id]) t.match(await read(`/pools/${pool_id ?? ''}`, seeded.vendor), { stock: { loaded: 20, available: 20 } })
  t.equal(manual?.pool_id, undefined)
  await assertInvariants(t, db)
})
