import t, { type Test } from 'tap'
import { inTransaction } from '../../src/database/transaction.js'
import { newDigitsId } from '../../src/ids.js'
import { copyValues } from '../../src/parameters/copy-values.js'
import { definitionsOf } from '../../src/parameters/definitions.js'
import { readParams, readValues } from '../../src/parameters/read-values.js'
import { renderedText } from '../../src/parameters/rendered-text.js'
import type { Param, ParamWrite } from '../../src/parameters/schema.js'
import { setLicenses } from '../../src/parameters/set-licenses.js'
import { sealTile } from '../../src/parameters/tile.js'
import { writeValues, type Target, type Written } from '../../src/parameters/write-values.js'
import { Problem } from '../../src/problems.js'
import { testDatabase } from '../support/database.js'
import { poolOf, vendorShop } from '../support/fixtures.js'
import { AS_VENDOR, saleOf, type NewParameter } from '../support/sales.js'

const CHOICES = { choices: [{ value: 'red', label: 'Red' }, { value: 'blue', label: 'Blue' }] }
const PARAMETERS: NewParameter[] = [
  { name: 'email', type: 'email', constraints: { required: true } },
  { name: 'colours', type: 'checkbox', constraints: CHOICES },
  { name: 'phone', type: 'phone' },
  { name: 'address', type: 'address' },
  { name: 'key', phase: 'fulfillment', secret: true },
  { name: 'internal', phase: 'fulfillment', constraints: { shared: 'none' } },
  { name: 'note', phase: 'fulfillment', constraints: { shared: 'edit' } },
  { name: 'reseller', scope: 'tier1' },
]
const SECRET = 'SECRET-0001'

async function arrange (t: Test) {
  const { db } = await testDatabase(t)
  const shop = await vendorShop(db)
  const { account_id, keyring } = shop
  const provider_id = newDigitsId('PA', 2)
  await db.insertInto('accounts').values({ id: provider_id, type: 'provider', name: 'Provider' }).execute()
  const sale = await saleOf(db, { account_id, provider_id, parameters: PARAMETERS })
  const { product_id, parameters } = sale
  const definitions = await definitionsOf(db, account_id, product_id, ['asset'])
  const write = (owner_id: string, writes: ParamWrite[], other: Partial<Target> = {}): Promise<Written> =>
    inTransaction(db, (trx) => writeValues(trx, keyring, { account_id, owner_id, definitions, ...AS_VENDOR, ...other }, writes))
  const read = async (owner_id: string, side: 'vendor' | 'provider' = 'vendor'): Promise<Record<string, Param>> => {
    const params = await readParams(db, keyring, { account_id, owner_id, product_id }, { scopes: ['asset'], side })
    return Object.fromEntries(params.map((param) => [param.id, param]))
  }
  const refused = async (t: Test, owner_id: string, writes: ParamWrite[], messages: RegExp[], other: Partial<Target> = {}): Promise<void> => {
    const before = await db.selectFrom('parameter_values').selectAll().execute()
    const problem = await write(owner_id, writes, other).then(() => undefined, (error: unknown) => error)
    t.ok(problem instanceof Problem && problem.type === 'validation-failed', String(messages[0]))
    t.match((problem as Problem).details.errors, messages)
    t.strictSame(await db.selectFrom('parameter_values').selectAll().execute(), before, 'nothing is written')
  }
  return { db, shop, keyring, account_id, product_id, parameters, definitions, write, read, refused }
}

// Guarantee: a write changes the parameters that it names and no others; what equals what is there changes nothing; a cleared value is empty.
t.test('values are written and read', async (t) => {
  const { db, parameters, write, read, refused } = await arrange(t)
  t.strictSame(Object.entries(await read('PR-1')).map(([id, { value, value_error, structured_value }]) => [id, value, value_error, structured_value]),
    ['email', 'colours', 'phone', 'address', 'key', 'internal', 'note'].map((id) => [id, '', '', undefined]), 'all are there before they have values, in the order of the product')
  const phone = { country_code: '+44', area_code: '20', phone_number: '79460000', extension: '' }
  t.strictSame(await write('PR-1', [
    { id: 'email', value: 'ada@example.com' }, { id: 'colours', structured_value: { red: true, blue: false } }, { id: 'phone', structured_value: phone }, { id: 'key', value: SECRET },
  ]), { changed: ['email', 'colours', 'phone', 'key'], faulty: [] })
  t.match(await read('PR-1'), {
    email: { name: 'email', title: 'Title of email', scope: 'asset', phase: 'ordering', type: 'email', value: 'ada@example.com', constraints: { required: true, unique: false }, reconciliation: false, value_choices: [] },
    colours: { value: '', structured_value: { red: true, blue: false }, value_choices: [{ value: 'red', label: 'Red' }, { value: 'blue', label: 'Blue' }] },
    phone: { value: '+44 20 79460000', structured_value: phone },
    key: { value: SECRET },
    internal: { value: '' },
  })
  const { updated_at } = await db.selectFrom('parameter_values').select('updated_at').where('parameter_id', '=', parameters['key']!).executeTakeFirstOrThrow()
  const whole = Object.values(await read('PR-1')) as ParamWrite[]
  t.strictSame(await write('PR-1', whole), { changed: [], faulty: [] }, 'whole objects posted back')
  t.strictSame((await db.selectFrom('parameter_values').select('updated_at').where('parameter_id', '=', parameters['key']!).executeTakeFirstOrThrow()).updated_at, updated_at)
  t.strictSame(await write('PR-1', [{ id: 'email', value: null }, { id: 'colours', structured_value: null }, { id: 'phone', structured_value: { ...phone, country_code: '', area_code: '', phone_number: '' } }]),
    { changed: ['email', 'colours', 'phone'], faulty: [] })
  t.match(await read('PR-1'), { email: { value: '' }, colours: { structured_value: undefined }, phone: { value: '', structured_value: undefined }, key: { value: SECRET } })
  t.match(await read('PR-2'), { key: { value: '' } }, 'of another owner')

  await t.test('which parameter is meant', async (t) => {
    t.strictSame((await write('PR-3', [
      { id: parameters['email']!, value: 'by-id@example.com' }, { id: 'PRM-000-000-000-0000', name: 'note', value: 'by name', scope: 'asset' },
      { id: parameters['reseller']!, name: 'reseller', scope: 'tier1', value: 'of another scope' }, { id: 'colours', structured_value: { red: true } }, { id: 'colours', structured_value: { blue: true } },
    ])).changed, ['email', 'note', 'colours'])
    t.match(await read('PR-3'), { email: { value: 'by-id@example.com' }, note: { value: 'by name' }, colours: { structured_value: { blue: true } } }, 'the last one counts')
    await refused(t, 'PR-3', [{ id: 'email', value: 'new@example.com' }, { id: 'emial', value: 'x' }, { id: 'reseller', value: 'x' }],
      [/^asset\.params: there is no parameter "emial"; there are email, colours/, /^asset\.params: there is no parameter "reseller"/])
  })
  await t.test('what is wrong', async (t) => {
    await refused(t, 'PR-1', [{ id: 'email', value: 'ada' }, { id: 'colours', structured_value: { green: true } }, { id: 'note', value: 'fine' }],
      [/^asset\.params\.email: must be one mail address/, /^asset\.params\.colours: structured_value has no choice "green"; there are red, blue$/])
    await refused(t, 'PR-1', [{ id: 'note', value: 'x'.repeat(2049) }], [/^params\.note: must not be longer than 2048/], { mode: 'validate', path: 'params' })
    await refused(t, 'PR-1', [{ id: 'note', value_error: 'x'.repeat(513) }], [/^asset\.params\.note: value_error must not be longer than 512/])
    t.strictSame(await write('PR-1', [{ id: 'email', value: 'ada' }, { id: 'note', value: 'fine' }], { mode: 'validate' }), { changed: ['email', 'note'], faulty: ['email'] })
    t.match(await read('PR-1'), { email: { value: 'ada', value_error: /^must be one mail address/ }, note: { value: 'fine', value_error: '' } })
    t.strictSame((await write('PR-1', [{ ...(await read('PR-1'))['email'] as ParamWrite, value: 'ada@example.com' }], { mode: 'validate' })).faulty, [], 'a value mended, its old error posted back')
    t.match(await read('PR-1'), { email: { value: 'ada@example.com', value_error: '' } })
  })
  await t.test('errors are written and cleared', async (t) => {
    await write('PR-1', [{ id: 'email', value_error: 'Not yours', structured_error: { a: 1 } }])
    t.match(await read('PR-1'), { email: { value: 'ada@example.com', value_error: 'Not yours', structured_error: { a: 1 } } })
    await write('PR-1', [{ id: 'email', value: 'ada@example.com' }])
    t.match(await read('PR-1'), { email: { value_error: 'Not yours' } }, 'the same value keeps it')
    await write('PR-1', [{ id: 'email', value: 'eve@example.com' }])
    t.match(await read('PR-1'), { email: { value: 'eve@example.com', value_error: '', structured_error: undefined } }, 'a new one clears it')
    await write('PR-1', [{ id: 'email', value_error: 'Again' }])
    await write('PR-1', [{ id: 'email', value_error: '' }])
    t.match(await read('PR-1'), { email: { value: 'eve@example.com', value_error: '' } })
  })
})

// Guarantee: the provider writes what buyers give and what is shared with it to edit, may post back what it reads of the rest, and is not
// shown what the vendor shares with nobody.
t.test('the side of the provider', async (t) => {
  const { write, read, refused } = await arrange(t)
  await write('PR-1', [{ id: 'key', value: SECRET }, { id: 'internal', value: 'CRM-1' }])
  const seen = await read('PR-1', 'provider')
  t.match(seen, { key: { value: SECRET } }, 'the key is for the provider to read')
  t.notOk('internal' in seen, 'this is not')
  t.match(await read('PR-1', 'vendor'), { internal: { value: 'CRM-1' } })
  await refused(t, 'PR-1', [{ id: 'email', value: 'a@b.de' }, { id: 'key', value: 'forged' }], [/^asset\.params\.key: is written by the vendor$/], { side: 'provider' })
  const echo = Object.values(seen).map((param) => param.id === 'note' ? { ...param, value: 'a note' } : param) as ParamWrite[]
  t.strictSame((await write('PR-1', echo, { side: 'provider' })).changed, ['note'])
})

// Guarantee: a secret is nowhere in the table in clear, opens for its owner only, and is there again after it was copied.
t.test('secrets', async (t) => {
  const { db, keyring, account_id, product_id, write, read, refused } = await arrange(t)
  await write('PR-1', [{ id: 'key', value: SECRET }, { id: 'email', value: 'a@b.de' }, { id: 'address', structured_value: { address_line1: '1', city: 'x', country: 'GB' } }])
  await refused(t, 'PR-1', [{ id: 'key', structured_value: { a: 1 } }], [/^asset\.params\.key: is given as value/])
  await inTransaction(db, (trx) => copyValues(trx, keyring, account_id, 'PR-1', 'AS-1'))
  t.match(await read('AS-1'), { key: { value: SECRET }, email: { value: 'a@b.de' }, address: { structured_value: { city: 'x' } } })
  const dump = JSON.stringify((await db.selectFrom('parameter_values').selectAll().execute()).map(({ sealed, ...row }) => ({ ...row, sealed: sealed?.toString('latin1') })))
  t.ok(dump.includes('a@b.de') && !dump.includes(SECRET))
  const rows = await db.selectFrom('parameter_values').select(['owner_id', 'sealed']).where('sealed', 'is not', null).execute()
  t.equal(rows.length, 2)
  await db.updateTable('parameter_values').set({ owner_id: 'AS-2' }).where('owner_id', '=', 'AS-1').execute()
  await t.rejects(read('AS-2'), 'moved to another owner it does not open')

  await t.test('a copy takes the place of what was there', async (t) => {
    await write('PR-2', [{ id: 'email', value: null, value_error: 'stale' }, { id: 'key', value: 'SECRET-0002' }, { id: 'note', value: 'kept' }])
    await write('PR-3', [{ id: 'email', value: 'a@b.de' }, { id: 'key', value: SECRET }, { id: 'internal', value: 'own' }])
    await write('PR-3', [{ id: 'key', value: '' }])
    await inTransaction(db, (trx) => copyValues(trx, keyring, account_id, 'PR-3', 'PR-2'))
    t.match(await read('PR-2'), { email: { value: 'a@b.de', value_error: '' }, key: { value: '' }, note: { value: 'kept' }, internal: { value: 'own' } })
    await write('PR-2', [{ id: 'key', value: 'SECRET-0003' }])
    await inTransaction(db, (trx) => copyValues(trx, keyring, account_id, 'PR-2', 'PR-3'))
    t.match(await read('PR-3'), { key: { value: 'SECRET-0003' } })
  })
  await t.test('texts are rendered with them', async (t) => {
    const params = await readParams(db, keyring, { account_id, owner_id: 'PR-1', product_id }, { scopes: ['asset'], side: 'vendor' })
    const told = { account_id, owner_id: 'PR-1', template_body: 'Key {{ key }}, form {{ activation_form_url }}, {{ address }}', sealed_tile: null }
    t.equal(renderedText(keyring, told, params, { activation_form_url: 'https://x' }), `Key ${SECRET}, form https://x, 1, x, GB`)
    t.equal(renderedText(keyring, { ...told, template_body: null }, params), '')
    t.equal(renderedText(keyring, { ...told, template_body: null, sealed_tile: sealTile(keyring, account_id, 'PR-1', '# Own {{ key }}') }, params), '# Own {{ key }}')
  })
})

// Guarantee: the keys of licenses are read in their order, copied as licenses, and stay so when they are posted back; a value written by
// hand takes their place.
t.test('values from a pool', async (t) => {
  const { db, shop, keyring, account_id, product_id, parameters, write, read } = await arrange(t)
  const { license_ids } = await poolOf(shop, product_id, ['KEY-0001', 'KEY-0002'])
  await inTransaction(db, async (trx) => {
    await setLicenses(trx, { account_id, owner_id: 'PR-1', parameter_id: parameters['key']!, license_ids: [...license_ids].reverse() })
    await copyValues(trx, keyring, account_id, 'PR-1', 'AS-1')
  })
  t.match(await read('AS-1'), { key: { value: 'KEY-0002\nKEY-0001' } })
  t.strictSame((await write('AS-1', [{ id: 'key', value: 'KEY-0002\nKEY-0001' }])).changed, [])
  t.strictSame((await db.selectFrom('parameter_values').select('license_ids').where('owner_id', '=', 'AS-1').executeTakeFirstOrThrow()).license_ids, [...license_ids].reverse())
  await write('AS-1', [{ id: 'key', value: 'BY-HAND' }])
  t.match(await read('AS-1'), { key: { value: 'BY-HAND' } })
  t.match(await read('PR-1'), { key: { value: 'KEY-0002\nKEY-0001' } })
})

// Guarantee: what is read of many owners is each one's own, also where two vendors have owners of one id, in as many statements as of one.
t.test('many owners at once', async (t) => {
  const { db, keyring, account_id, product_id, write } = await arrange(t)
  const other = await vendorShop(db, keyring)
  const provider = await db.selectFrom('accounts').select('id').where('type', '=', 'provider').executeTakeFirstOrThrow()
  const theirs = await saleOf(db, { account_id: other.account_id, provider_id: provider.id, parameters: PARAMETERS })
  const definitions = await definitionsOf(db, other.account_id, theirs.product_id, ['asset'])
  for (let n = 0; n < 20; n++) await write(`PR-${n}`, [{ id: 'email', value: `${n}@a.de` }, { id: 'key', value: `KEY-${n}` }])
  await inTransaction(db, (trx) => writeValues(trx, keyring, { account_id: other.account_id, owner_id: 'PR-7', definitions, ...AS_VENDOR }, [{ id: 'key', value: 'THEIRS' }]))
  let statements = 0
  const counted = db.withPlugin({ transformQuery: ({ node }) => { statements++; return node }, transformResult: async ({ result }) => result })
  const owners = Array.from({ length: 20 }, (_, n) => ({ account_id, owner_id: `PR-${n}`, product_id }))
  const paramsOf = await readValues(counted, keyring, [...owners, { account_id: other.account_id, owner_id: 'PR-7', product_id: theirs.product_id },
    { account_id, owner_id: 'AS-7', product_id, instead_id: 'PR-7' }, { account_id, owner_id: 'PR-8', product_id, instead_id: 'PR-7' }], { scopes: ['asset'], side: 'provider' })
  t.ok(statements <= 2, `${statements} statements`)
  const valueOf = (owner_id: string, id: string, account = account_id) => paramsOf({ account_id: account, owner_id }).find((param) => param.id === id)?.value
  for (let n = 0; n < 20; n++) t.strictSame([valueOf(`PR-${n}`, 'email'), valueOf(`PR-${n}`, 'key')], [`${n}@a.de`, `KEY-${n}`])
  t.equal(valueOf('PR-7', 'key', other.account_id), 'THEIRS')
  t.equal(valueOf('AS-7', 'key'), 'KEY-7', 'the values of another in place of none')
  t.strictSame(paramsOf({ account_id, owner_id: 'PR-99' }), [], 'one that was not asked for')
})
