import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import PostalMime, { type Email } from 'postal-mime'
import t, { type Test } from 'tap'
import { PERMISSIONS } from '../../src/accounts/permissions.js'
import { readConfig } from '../../src/config.js'
import { startWorker } from '../../src/worker.js'
import { testAccount, testApp, type TestApp } from '../support/app.js'
import { assertInvariants } from '../support/invariants.js'
import { until } from '../support/until.js'
import { callsOf, keys, makePool, makeProduct, orderOf, type Call } from '../support/vendor.js'
import { keyOf } from '../contract/tenant.js'

type Json = Record<string, unknown> & { errors: string[] }

interface Shop { service: TestApp, call: Call, ask: (...given: Parameters<Call>) => Promise<Json>, product_id: string }

async function shop (t: Test): Promise<Shop> {
  const service = await testApp(t)
  const call = callsOf(service.app, service.vendor)
  const ask: Shop['ask'] = async (...given) => (await call(...given)).json()
  return { service, call, ask, product_id: await makeProduct(call, 'sku-pro') }
}

// Guarantee: what stands around the words is the account's to write, by part and locale; each text is a version, the same again none.
t.test('the wrapper', async (t) => {
  const { service, call, ask } = await shop(t)
  t.same(await ask('GET', '/v1/mail-wrapper'), { version: 0, texts: {}, created_at: null })
  const texts = { default: { signature: 'Yours\n{SENDER}' }, pt_BR: { greeting: '', details: '{ORDER_ID}' } }
  t.match(await ask('PUT', '/v1/mail-wrapper', { texts }), { version: 1, texts })
  t.match(await ask('PUT', '/v1/mail-wrapper', { texts: { pt_BR: { details: '{ORDER_ID}', greeting: '' }, default: texts.default } }), { version: 1 }, 'the same in another order')
  t.match(await ask('PUT', '/v1/mail-wrapper', { texts: {} }), { version: 2, texts: {} })
  t.match((await ask('PUT', '/v1/mail-wrapper', { texts: { pt: { greeting: 'Olá {FNAM} {KEY}' } } })).errors, [
    /^texts\.pt\.greeting: line 1, column 5: \{FNAM\} is no tag; did you mean \{FNAME\}/, /^texts\.pt\.greeting: line 1, column 12: \{KEY\} must not stand here/,
  ])
  for (const [wrong, errors] of [[{ x: {} }, [/^texts\.x/]], [{ de: { html: '' } }, [/^texts\.de\.html: is not a field here/]]] as const) {
    t.match((await ask('PUT', '/v1/mail-wrapper', { texts: wrong })).errors, errors)
  }
  t.match((await callsOf(service.app, service.stranger)('GET', '/v1/mail-wrapper')).json(), { version: 0 }, 'each account has its own')
  t.match(await service.db.selectFrom('events').select(['actor', 'data']).where('type', '=', 'mail_wrapper.updated').orderBy('id').execute(),
    [{ actor: service.vendor.key_id, data: { version: 1 } }, { data: { version: 2 } }])
  const racers = await Promise.all([1, 2, 3, 4].map((n) => call('PUT', '/v1/mail-wrapper', { texts: { default: { greeting: `${n}` } } })))
  t.same(racers.map(({ statusCode }) => statusCode), [200, 200, 200, 200])
  t.match(await ask('GET', '/v1/mail-wrapper'), { version: 6 })
})

// Guarantee: each change of what mails say of a product is a version, as it was; other changes are none; only its vendor sees them. What was wrong before
// there was a check may stay, and nothing wrong may come.
t.test('versions of words', async (t) => {
  const { service, call, ask, product_id } = await shop(t)
  const url = `/v1/products/${product_id}`
  const change = { family_name: 'Studio', url_to_instructions: 'https://x.example/start', locales: { de: { name: 'Profi', family_name: 'Atelier', url_to_download: 'https://x.example/de' } } }
  t.match(await ask('PUT', url, change), change)
  await ask('PUT', url, change)
  await ask('PUT', url, { short_description: 'says nothing in a mail' })
  t.match(await ask('PUT', url, { family_name: '', url_to_instructions: null, url_to_download: '' }), { family_name: null, url_to_instructions: null, url_to_download: null })
  const versions = await call('GET', `${url}/mail-versions`)
  t.equal(versions.headers['content-range'], 'items 0-2/3')
  t.match(versions.json(), [
    { version: 3, family_name: null, locales: change.locales },
    { version: 2, ...change, created_by: service.vendor.key_id },
    { version: 1, family_name: null, locales: {} },
  ])
  t.match(await ask('GET', `${url}/mail-versions?version=2`), [{ version: 2 }])
  t.equal((await callsOf(service.app, service.stranger)('GET', `${url}/mail-versions`)).statusCode, 404)

  for (const [wrong, errors] of [
    [{ url_to_download: 'javascript:alert(1)' }, [/^url_to_download: must be a web address/]],
    [{ locales: { de: { url_to_instructions: 'x' } } }, [/^locales\.de\.url_to_instructions: must be/]],
    [{ mail_template: { subject: '{KEY}', text: '{KEY}\n {ORDERID}' } }, [/^mail_template\.subject: line 1, column 1/, /^mail_template\.text: line 2, column 2: \{ORDERID\} is no tag; did you mean \{ORDER_ID\}/]],
    [{ locales: { de: { mail_template: { text: 'kein Schlüssel', html: '<!--{KEY}-->' } } } }, [
      /^locales\.de\.mail_template\.text: must contain/, /html: must contain/, /html: line 1, column 5: \{KEY\} must not stand in a comment/,
    ]],
  ] as const) {
    const refused = await call('PUT', url, wrong)
    t.equal(refused.statusCode, 400)
    t.match(refused.json<Json>().errors, errors)
  }
  const old = { subject: 's', text: '{KEY} {OLD_WORD}' }
  await service.db.updateTable('products').set({ mail_template: JSON.stringify(old) }).where('id', '=', product_id).execute()
  t.match(await ask('PUT', url, { name: 'Renamed', mail_template: old }), { name: 'Renamed', mail_template: old }, 'a product is posted back whole')
  t.match((await ask('PUT', url, { mail_template: { subject: 's', text: '{KEY} {OLD_WORD} {NEW_WORD}' } })).errors, [/NEW_WORD/])

  t.match((await ask('PUT', `${url}/supplies`, [{ type: 'information', subject: '{FNAM}', text: 'x\n{KEYS}' }])).errors, [
    /^0\.text: line 2, column 1: \{KEYS\} is no tag; did you mean \{KEY\}/, /^0\.subject: line 1, column 1: \{FNAM\} is no tag; did you mean \{FNAME\}/,
  ])
  await ask('PUT', `${url}/supplies`, [{ type: 'information', subject: 'On its way', text: 'We will write {FNAME}.' }])
  t.match(await ask('PUT', url, { mail_template: { subject: 's', text: 'no key' } }), { mail_template: { text: 'no key' } }, 'a mail without licenses needs none')
  t.match(await ask('POST', `${url}/templates/preview`, {}), { subject: 'On its way', text: /We will write Ada\./, problems: [] })
  await assertInvariants(t, service.db)
})

// Guarantee: a preview is the mail that would be sent, with what is wrong with its words; it shows keys of an order only masked, unless the caller may
// reveal, which is recorded, and from then on they count as seen. It says nothing to whom the order is not.
t.test('previews', async (t) => {
  const { service, call, ask, product_id } = await shop(t)
  const url = `/v1/products/${product_id}/templates/preview`
  await ask('PUT', `/v1/products/${product_id}`, { locales: { pt: { mail_template: { subject: 'Chave', text: '{#KEYS}{N}:{KEY};{/KEYS}' } } } })
  t.match(await ask('POST', url, { locale: 'pt_BR', quantity: 2 }), {
    subject: 'Chave', text: /^Olá Ada Lovelace,\n\n1:SAMPLE-00001-XXXX-XXXX;2:SAMPLE-00002/, html: /<html lang="pt">/, locale_used: 'pt', problems: [],
  })
  const tried = await call('POST', url, { mail_template: { subject: 'Try {FNAME}', text: 'no key {KEYY}', html: '<p>{KEY}' } })
  t.equal(tried.statusCode, 200, 'bad words are shown, not refused')
  t.match(tried.json(), {
    subject: 'Try Ada',
    text: /no key \{KEYY\}\n\nSAMPLE-/,
    problems: [
      { field: 'mail_template.text', line: 1, column: 1, message: /must contain/ }, { field: 'mail_template.text', line: 1, column: 8, message: /no tag/ },
    ]
  })
  t.match(await ask('POST', url, { quantity: 10_000, mail_template: { subject: 's', text: '{KEY}'.repeat(1000) } }), { text: '', problems: [{ message: /too long/ }] })

  const [secret = ''] = keys(1)
  await makePool(call, { product_ids: [product_id] }, [secret])
  const { id: order_id } = await ask('POST', '/v1/orders', orderOf('A-1', { locale: 'pt_BR', customer: { email: 'bea@example.com', first_name: 'Bea' } }))
  const before = await service.db.selectFrom('license_sightings').selectAll().execute()
  const shown = await call('POST', url, { order_id })
  t.match(shown.json(), { text: /^Olá Bea,\n\n1:ABCD-…-01;/, locale_used: 'pt' })
  t.notOk(shown.body.includes(secret))
  t.equal(shown.headers['cache-control'], 'no-store')
  t.match(await ask('POST', url, { order_id, locale: 'de' }), { locale_used: null, text: /^Guten Tag Bea/ })
  t.same(await service.db.selectFrom('license_sightings').selectAll().execute(), before, 'nobody has seen a key')

  const blind = await keyOf(service, service.vendor.account_id, ['products:read', 'orders:read'])
  t.match((await call('POST', url, { order_id, reveal: true }, { authorization: blind })).json(), { status: 403, params: { permission: 'licenses:reveal' } })
  const without_orders = await keyOf(service, service.vendor.account_id, ['products:read', 'licenses:reveal'])
  t.match((await call('POST', url, { order_id }, { authorization: without_orders })).json(), { status: 403, params: { permission: 'orders:read' } })
  t.match((await ask('POST', url, { reveal: true })).errors, [/^reveal: /])
  t.match(await ask('POST', url, { order_id, reveal: true }), { text: new RegExp(`1:${secret};`), html: new RegExp(secret) })
  const seen = await service.db.selectFrom('license_sightings').select(['how', 'seen_by']).execute()
  t.match(seen, [{ how: 'revealed', seen_by: service.vendor.key_id }])
  t.match(await service.db.selectFrom('events').select(['actor', 'data']).where('type', '=', 'license.revealed').execute(), [{ actor: service.vendor.key_id, data: { order_id } }])
  t.match(await service.db.selectFrom('deliveries').select(['status', 'attempts']).execute(), [{ status: 'planned', attempts: 0 }], 'nothing counts as sent')

  const other = await makeProduct(call, 'sku-other')
  t.match((await ask('POST', `/v1/products/${other}/templates/preview`, { order_id })).errors, [/^order_id: the order has no line/])
  t.match(await ask('POST', url, { order_id: 'OR-1' }), { error_code: 'ORD_002' })
  const theirs = callsOf(service.app, await testAccount(service.db, 'vendor', PERMISSIONS))
  const their_product = await makeProduct(theirs, 'sku-theirs')
  t.match((await theirs('POST', `/v1/products/${their_product}/templates/preview`, { order_id })).json(), { error_code: 'ORD_002' }, 'another vendor\'s order is as absent')
  t.equal((await theirs('POST', url, {})).statusCode, 404)
  await assertInvariants(t, service.db)
})

// Guarantee: a retry says what the first try said, and a mail that is sent again what was said, whatever the product, the wrapper and the day are by then;
// what is planned and was not tried yet says the new words.
t.test('what was said', async (t) => {
  const { service, call, ask, product_id } = await shop(t)
  const dir = await mkdtemp(path.join(os.tmpdir(), 'latchkey-words-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const config = readConfig({ DATA_DIR: dir, MAIL_FROM: 'Acme <keys@acme.example>', WORKER_POLL_MS: '20' })
  const quiet = (): void => {}
  const work = () => startWorker({ db: service.db, config, keyring: service.keyring, log: { info: quiet, warn: quiet, error: quiet } })
  const mailOf = async (id: string): Promise<Email> => until(`the mail of ${id}`, async () =>
    (await readdir(path.join(dir, 'mail')).catch(() => [] as string[])).includes(`${id}.eml`) && PostalMime.parse(await readFile(path.join(dir, 'mail', `${id}.eml`))))
  const say = async (words: string): Promise<void> => {
    await ask('PUT', `/v1/products/${product_id}`, { name: words, mail_template: { subject: `${words} {PROGRAM_NAME}`, text: `${words} {DATE} {KEY}` } })
    await ask('PUT', '/v1/mail-wrapper', { texts: { default: { greeting: words, details: '', signature: words } } })
  }
  await say('old')
  await makePool(call, { product_ids: [product_id] }, keys(2))
  const { id, deliveries: [first] } = await ask('POST', '/v1/orders', orderOf('A-1')) as unknown as { id: string, deliveries: Array<{ id: string }> }
  await service.db.updateTable('deliveries').set({ words_version: 2, wrapper_version: 1, worded_at: new Date('2026-01-02T03:04:05Z') }).where('id', '=', first?.id ?? '').execute()
  await say('new')
  const worker = work()
  t.teardown(() => worker.stop(0))
  const said = await mailOf(first?.id ?? '')
  t.match(said, { subject: 'old old', text: /^old\n\nold 2026-01-02 ABCD-EFGH-00000001\n\nold\n/ }, 'a try after a change says what the first said')

  await until('it to be sent', async () => (await ask('GET', `/v1/deliveries/${first?.id ?? ''}`) as unknown as { status: string }).status === 'sent')
  const { deliveries } = await ask('POST', `/v1/orders/${id}/resend`) as unknown as { deliveries: Array<{ id: string, reason: string }> }
  const again = await mailOf(deliveries.find((delivery) => delivery.reason === 'resend')?.id ?? '')
  t.same([again.subject, again.text, again.html], [said.subject, said.text, said.html], 'so does one that is sent again')

  const { deliveries: [later] } = await ask('POST', '/v1/orders', orderOf('A-2')) as unknown as { deliveries: Array<{ id: string }> }
  t.match(await mailOf(later?.id ?? ''), { subject: 'new new', text: new RegExp(`^new\\n\\nnew ${new Date().toISOString().slice(0, 10)} `) })
  await worker.stop()
  await assertInvariants(t, service.db)
})
