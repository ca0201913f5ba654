import { sql } from 'kysely'
import t from 'tap'
import { idempotencyLock } from '../../src/database/once.js'
import { testApp } from '../support/app.js'

const PRODUCT = { name: 'Pro', mail_template: { subject: 'Yours', text: '{KEY}' } }

// Guarantee: under one key a thing happens once, and a repeat, even in parallel, never makes a second.
t.test('Idempotency-Key', async (t) => {
  const { app, db, vendor, stranger, operator } = await testApp(t)
  const post = (key: string, payload: object, authorization = vendor.authorization, url = '/v1/products') =>
    app.inject({ method: 'POST', url, headers: { authorization, 'idempotency-key': key }, payload })
  const countProducts = async (): Promise<number> => (await db.selectFrom('products').select('id').execute()).length

  await t.test('same key, same body', async (t) => {
    const first = await post('a', PRODUCT)
    t.equal(first.statusCode, 201)
    const again = await post('a', PRODUCT)
    t.equal(again.statusCode, 201)
    t.strictSame(again.json(), first.json())
    t.equal(again.headers['location'], first.headers['location'])
    t.equal(await countProducts(), 1)
  })
  await t.test('same key, another body', async (t) => {
    const other = await post('a', { ...PRODUCT, name: 'Max' })
    t.equal(other.statusCode, 422)
    t.match(other.json(), { error_code: 'IDM_001' })
    t.equal(await countProducts(), 1)
  })
  await t.test('the key belongs to the account and the operation', async (t) => {
    t.equal((await post('a', PRODUCT, stranger.authorization)).statusCode, 201)
    t.equal((await post('a', { name: 'pool' }, vendor.authorization, '/v1/pools')).statusCode, 201)
    t.equal(await countProducts(), 2)
  })
  await t.test('still running', async (t) => {
    const lock = idempotencyLock({ account_id: vendor.account_id, operation: 'createProduct', key: 'b', fingerprint: Buffer.alloc(0) })
    await db.transaction().execute(async (trx) => {
      await sql`select pg_advisory_xact_lock(hashtextextended(${lock}, 0))`.execute(trx)
      const running = await post('b', PRODUCT)
      t.equal(running.statusCode, 409)
      t.match(running.json(), { error_code: 'IDM_002', params: {} })
      t.equal(running.headers['retry-after'], '1')
    })
    t.equal((await post('b', PRODUCT)).statusCode, 201, 'and once it is over, it works')
  })
  await t.test('at the same moment', async (t) => {
    const before = await countProducts()
    const answers = await Promise.all(Array.from({ length: 8 }, () => post('c', PRODUCT)))
    t.ok(answers.every(({ statusCode }) => statusCode === 201 || statusCode === 409))
    t.equal(new Set(answers.filter(({ statusCode }) => statusCode === 201).map((answer) => answer.json().id)).size, 1)
    t.equal(await countProducts(), before + 1)
  })
  await t.test('a refusal is not remembered', async (t) => {
    const bad = { name: 'pool', product_ids: ['PRD-000-000-000'] }
    t.equal((await post('d', bad, vendor.authorization, '/v1/pools')).statusCode, 404)
    t.equal((await db.selectFrom('idempotency_keys').select('key').where('key', '=', 'd').execute()).length, 0)
  })
  await t.test('a secret is answered again, and stored sealed', async (t) => {
    const first = await post('e', { name: 'shop', preset: 'checkout' }, vendor.authorization, '/v1/api-keys')
    const again = await post('e', { name: 'shop', preset: 'checkout' }, vendor.authorization, '/v1/api-keys')
    t.strictSame(again.json(), first.json())
    const secret = first.json().api_key.split(':')[1] as string
    const { rows } = await sql<{ row: string }>`select idempotency_keys::text || encode(sealed, 'escape') as row from idempotency_keys where key = 'e'`.execute(db)
    t.equal(rows.length, 1)
    t.notMatch(rows[0]?.row, secret)
  })
  await t.test('the operator too', async (t) => {
    const first = await post('f', { name: 'Vendor', type: 'vendor' }, operator.authorization, '/v1/accounts')
    t.equal(first.statusCode, 201)
    t.strictSame((await post('f', { name: 'Vendor', type: 'vendor' }, operator.authorization, '/v1/accounts')).json(), first.json())
  })
  t.equal((await post('x'.repeat(256), PRODUCT)).statusCode, 400, 'a key of more than 255 characters')
})
