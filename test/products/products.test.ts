import t from 'tap'
import { testApp } from '../support/app.js'

const WORDS = { subject: 'Your key', text: 'Here: {KEY}' }

// Guarantee: a product has words that hold its keys, and names that no other product of the account has.
t.test('products', async (t) => {
  const { app, db, vendor, stranger } = await testApp(t)
  const call = (method: 'GET' | 'POST' | 'PUT', url: string, payload?: object, { authorization } = vendor) =>
    app.inject({ method, url, headers: { authorization }, ...(payload === undefined ? {} : { payload }) })

  const made = await call('POST', '/v1/products', {
    name: 'Pro', external_ids: ['sku-pro', 'Ｓ-1'], mail_template: { ...WORDS, tracking: 'x' }, locales: { de: { name: 'Pro (de)', mail_template: { text: 'Hier: {KEY}' } } }, icon: 'ignored',
  })
  t.equal(made.statusCode, 201)
  const product = made.json()
  t.match(product, { id: /^PRD-\d{3}-\d{3}-\d{3}$/, name: 'Pro', external_ids: ['sku-pro', 'Ｓ-1'], created_at: /\+00:00$/ })
  t.strictSame(product.mail_template, WORDS, 'unknown fields are ignored, not stored')
  t.strictSame(product.locales, { de: { name: 'Pro (de)', mail_template: { text: 'Hier: {KEY}' } } })
  t.equal(made.headers['location'], `/v1/products/${product.id}`)
  t.strictSame((await call('GET', `/v1/products/${product.id}`)).json(), product)
  const refs = await db.selectFrom('product_refs').select('ref').where('product_id', '=', product.id).execute()
  t.strictSame(new Set(refs.map(({ ref }) => ref)), new Set([product.id, 'sku-pro', 'Ｓ-1']))

  await t.test('words without a place for the keys', async (t) => {
    const refused = await call('POST', '/v1/products', {
      name: 'x', mail_template: { subject: 's', text: 'nothing', html: '<p>nothing</p>' }, locales: { fr: { mail_template: { text: 'rien' } } },
    })
    t.equal(refused.statusCode, 400)
    t.match(refused.json().errors, [/^mail_template\.text: must contain \{KEY\}/, /^mail_template\.html: must/, /^locales\.fr\.mail_template\.text: must/])
    t.match((await call('PUT', `/v1/products/${product.id}`, { mail_template: { subject: 's', text: 'no' } })).json().errors, [/^mail_template\.text: /])
    t.match((await call('POST', '/v1/products', { name: 'x', mail_template: WORDS, locales: { 'de!': {} } })).json().errors, [/^locales\.de!: is not/])
  })
  await t.test('external ids', async (t) => {
    const taken = await call('POST', '/v1/products', { name: 'Max', external_ids: ['sku-max', 'sku-pro'], mail_template: WORDS })
    t.equal(taken.statusCode, 409)
    t.match(taken.json(), { error_code: 'PRD_002', errors: [/^external_ids\.1: /], params: { taken: [{ external_id: 'sku-pro', product_id: product.id }] } })
    t.equal((await call('POST', '/v1/products', { name: 'Max', external_ids: [product.id], mail_template: WORDS })).statusCode, 400, 'the id of another product')
    t.equal((await call('POST', '/v1/products', { name: 'Max', external_ids: ['a', 'a'], mail_template: WORDS })).statusCode, 400)
    t.equal((await call('POST', '/v1/products', { name: 'Max', external_ids: ['sku-pro'], mail_template: WORDS }, stranger)).statusCode, 201, 'another account may use it')
    const racers = await Promise.all(Array.from({ length: 6 }, () => call('POST', '/v1/products', { name: 'R', external_ids: ['race-2', 'race-1'], mail_template: WORDS })))
    t.strictSame(racers.map(({ statusCode }) => statusCode).sort(), [201, 409, 409, 409, 409, 409], 'one of those that race gets it')
  })
  await t.test('a change replaces what is given', async (t) => {
    const changed = await call('PUT', `/v1/products/${product.id}`, { external_ids: ['sku-new'], id: 'PRD-999-999-999' })
    t.equal(changed.statusCode, 200)
    t.match(changed.json(), { id: product.id, name: 'Pro', external_ids: ['sku-new'], mail_template: WORDS, locales: product.locales })
    t.equal((await call('POST', '/v1/products', { name: 'Max', external_ids: ['sku-pro'], mail_template: WORDS })).statusCode, 201, 'the old one is free')
    t.match((await call('PUT', `/v1/products/${product.id}`, { name: 'Pro 2', locales: {} })).json(), { name: 'Pro 2', external_ids: ['sku-new'], locales: {} })
    t.match(await db.selectFrom('events').select(['type', 'actor', 'data']).where('subject_id', '=', product.id).orderBy('created_at').execute(), [
      { type: 'product.created', actor: vendor.key_id }, { type: 'product.updated', data: { fields: ['external_ids'] } }, { type: 'product.updated', data: { fields: ['name', 'locales'] } },
    ])
  })
  await t.test('what is not yours is as absent', async (t) => {
    for (const [method, payload] of [['GET', undefined], ['PUT', { name: 'mine' }]] as const) {
      const foreign = await call(method, `/v1/products/${product.id}`, payload, stranger)
      const absent = await call(method, '/v1/products/PRD-000-000-000', payload, stranger)
      t.equal(foreign.statusCode, 404)
      t.strictSame({ ...foreign.json(), request_id: '' }, { ...absent.json(), request_id: '' })
    }
    t.equal((await call('GET', `/v1/products/${product.id}`)).json().name, 'Pro 2')
  })
  await t.test('the list', async (t) => {
    const listed = await call('GET', '/v1/products?ordering(-name)&limit=1')
    t.match(listed.json(), [{ name: 'R' }])
    t.equal(listed.headers['content-range'], 'items 0-0/3')
    t.strictSame((await call('GET', '/v1/products?name=Pro%202')).json(), [(await call('GET', `/v1/products/${product.id}`)).json()])
    t.equal((await call('GET', '/v1/products', undefined, stranger)).headers['content-range'], 'items 0-0/1')
  })
})
