import Fastify from 'fastify'
import { Kysely, sql } from 'kysely'
import t, { type Test } from 'tap'
import { readConfig } from '../../src/config.js'
import { connectDatabase } from '../../src/database/connect.js'
import { list, listQuerySchema, rqlFields, selection, selectQuerySchema } from '../../src/plugins/rql/index.js'
import { problemReplies } from '../../src/plugins/problems.js'
import { schemaController } from '../../src/plugins/compilers.js'
import { Problem } from '../../src/problems.js'
import { testAccount, testApp } from '../support/app.js'
import { emptyDatabase } from '../support/database.js'
import { clientOf, sdk, type Json } from '../support/sdk.js'
import { exchange, listen, requestBytes } from '../support/socket.js'
import { callsOf, makePool, makeProduct, orderOf } from '../support/vendor.js'

interface Thing { id: string, status: string, age: number, name: string, title: string | null, note: string | null, created: string, active: boolean }
interface Things { things: Thing, params: { thing_id: string, name: string, value: string | null } }

const THINGS: Thing[] = [
  { id: 'T-1', status: 'pending', age: 1, name: 'mr Loop', title: 'a', note: null, created: '2019-12-31T23:59:59Z', active: true },
  { id: 'T-2', status: 'inquiring', age: 5, name: 'his vasya* too', title: 'b', note: '', created: '2020-01-01T00:00:00Z', active: false },
  { id: 'T-3', status: 'approved', age: 8, name: 'this MY Test it is', title: 'c', note: '100%_\\x', created: '2020-01-01T00:00:01Z', active: true },
  { id: 'T-4', status: 'pending', age: 9, name: 'a&b=c,(d);e|f "q"', title: null, note: 'ünïcode 🔑', created: '2021-06-01T12:00:00.5Z', active: false },
]
const PARAMS = [
  ['T-1', 'key', 'ABC'], ['T-1', 'seats', '5'], ['T-2', 'key', '5'], ['T-2', 'seats', null], ['T-3', 'seats', '5'], ['T-3', 'note', ''],
] as const

const fields = rqlFields({
  id: { type: 'text', column: 'things.id' },
  status: { type: 'text', values: ['pending', 'inquiring', 'approved'], ordering: true },
  age: { type: 'integer', ordering: true },
  name: { type: 'text', column: 'things.name', search: true },
  'a.title': { type: 'text', column: 'things.title', aliases: ['title'], ordering: true, search: true },
  note: { type: 'text', column: sql`things.note` },
  created: { type: 'timestamp', ordering: true },
  active: { type: 'boolean' },
  'params.id': { type: 'text', column: 'p.name', relation: 'params' },
  'params.value': { type: 'text', column: 'p.value', relation: 'params' },
}, { relations: { params: (where) => sql`exists (select from params p where p.thing_id = things.id and ${where})` } })

/** Lists of things: what they are asked for, byte for byte, and the ids they answer. */
async function thingsService (t: Test) {
  const { url } = await emptyDatabase(t)
  const db = connectDatabase(url, readConfig({})) as unknown as Kysely<Things>
  t.teardown(() => db.destroy())
  await sql`create table things (id text primary key, status text, age int, name text, title text, note text, created timestamptz, active boolean)`.execute(db)
  await sql`create table params (thing_id text, name text, value text, primary key (thing_id, name))`.execute(db)
  await db.insertInto('things').values(THINGS).execute()
  await db.insertInto('params').values(PARAMS.map(([thing_id, name, value]) => ({ thing_id, name, value }))).execute()

  const asked: string[] = []
  const app = Fastify({ schemaController })
  await app.register(problemReplies)
  for (const [path, unfiltered] of [['/v1/requests', undefined], ['/v1/assets', sql<boolean>`status = 'pending'`]] as const) {
    app.get(path, { schema: { querystring: listQuerySchema(fields) } }, async (request, reply) => {
      asked.push(request.raw.url!)
      const query = db.selectFrom('things').leftJoin('params', (join) => join.onRef('params.thing_id', '=', 'things.id').on('params.name', '=', 'key'))
        .select(['things.id', 'params.value as key'])
      return list(request, reply, { query, fields, defaultOrdering: 'created', unfiltered })
    })
  }
  const port = await listen(app)
  t.teardown(() => app.close())
  const ask = async (query: string, path = '/v1/requests') => {
    const { status, headers, body } = await exchange(port, requestBytes('GET', `${path}${query}`))
    const answer = JSON.parse(body) as Json
    return { status, range: headers['content-range'], type: headers['content-type'], body: answer, ids: Array.isArray(answer) ? answer.map(({ id }: Thing) => id.slice(2)).join('') : body }
  }
  return { ask, asked, client: clientOf(`http://127.0.0.1:${port}`, { authorization: 'ApiKey x' }).client }
}

/** What the SDK is given, what it puts on the wire, and which things that means. */
const SENT: Array<[filter: object, wire: string, ids: string]> = [
  [{ status: 'pending', limit: 100, offset: 0 }, 'status=pending&limit=100&offset=0', '14'],
  [{ status: ['pending', 'inquiring'] }, 'status=pending,inquiring', '124'],
  [{ status: { $in: ['approved', 'inquiring'] } }, 'in(status,(approved,inquiring))', '23'],
  [{ status: { $out: ['approved', 'inquiring'] } }, 'out(status,(approved,inquiring))', '14'],
  [{ age: { $range: { min: 1, max: 5 } } }, 'range(age,1,5)', '12'],
  [{ age: { $gt: 1, $lte: 8 } }, 'gt(age,1)&lte(age,8)', '23'],
  [{ age: { $gte: 8 } }, 'gte(age,8)', '34'],
  [{ age: { $ge: 8 } }, 'ge(age,8)', '34'],
  [{ age: { $le: 1 } }, 'le(age,1)', '1'],
  [{ age: { $ne: 1 } }, 'ne(age,1)', '234'],
  [{ age: { $eq: 5 } }, 'eq(age,5)', '2'],
  [{ active: false }, 'active=false', '24'],
  [{ name: { $like: 'vasya*' } }, 'like(name,*vasya%5C**)', '2'],
  [{ name: { $ilike: 'my test' } }, 'ilike(name,%22*my%20test*%22)', '3'],
  [{ name: { $like: 'my test' } }, 'like(name,%22*my%20test*%22)', ''],
  [{ name: 'mr Loop' }, 'name=%22mr%20Loop%22', '1'],
  [{ age: { $not: [{ $eq: 5 }, { $in: [8, 9] }] } }, 'not(eq(age,5))&not(in(age,(8,9)))', '1'],
  [{ $or: [{ age: 1 }, { name: 'x' }, { title: 'c' }] }, '(((age=1)%7C(name=x))%7C(title=c))', '13'],
  [{ $and: [{ age: 1 }, { title: 'a' }] }, '(age=1)&(title=a)', '1'],
  [{ title: { $or: ['a', 'b'] } }, '((title=a)%7C(title=b))', '12'],
  [{ title: { $or: [{ $eq: 'a' }, { $eq: 'b' }] } }, '((eq(title,a))%7C(eq(title,b)))', '12'],
  [{ $select: ['-asset.items', 'asset.params'] }, 'select(-asset.items,asset.params)', '1234'],
  [{ $ordering: '-created' }, 'ordering(-created)', '4321'],
  [{ $ordering: ['title', '-created'], status: 'pending' }, 'ordering(title,-created)&status=pending', '14'],
  [{ created: { $gt: '2020-01-01T00:00:00+00:00' } }, 'gt(created,2020-01-01T00:00:00+00:00)', '34'],
  [{ title: 'null()' }, 'title=null()', '4'],
  [{ note: 'empty()' }, 'note=empty()', '2'],
  [{ note: { $empty: true } }, 'empty(note,true)', '12'],
  [{ note: { $empty: false } }, 'empty(note,false)', '34'],
  [{ title: { $null: true } }, 'null(title,true)', '4'],
  [{ title: { $null: false } }, 'null(title,false)', '123'],
  [{ note: 'ünïcode 🔑' }, 'note=%22%C3%BCn%C3%AFcode%20%F0%9F%94%91%22', '4'],
  [{ note: '100%_\\x' }, 'note=%22100%_%5Cx%22', '3'],
  [{ 'params.id': 'key', 'params.value': 'ABC' }, 'params.id=key&params.value=ABC', '1'],
]

t.test('as Connect asks', async (t) => {
  const { ask, asked, client } = await thingsService(t)
  const pageOf = ({ ids, range }: { ids: string, range: string | undefined }) => ({ ids, range })

  // Guarantee: each filter that Connect's SDK can be given arrives in the form that is specified, and is answered by what it means.
  for (const [filter, wire, ids] of SENT) {
    t.test(wire, async (t) => {
      const found: Thing[] = await client['requests']!['search']!(filter)
      t.equal(asked.at(-1), `/v1/requests?${wire}`, 'what the SDK sent')
      t.equal(found.map(({ id }) => id.slice(2)).join(''), ids)
      t.equal((await ask(`?${wire}`)).ids, ids, 'the same bytes from any other client')
    })
  }

  // Guarantee: what the SDK makes of a filter that it cannot say is refused as its own error class knows it.
  t.test('a malformed filter', async (t) => {
    await t.rejects(client['requests']!['search']!({ $not: { a: 1 } }), { constructor: sdk.APIError, status: 400, errorCode: 'VAL_001', errors: [/there is no operator "a"/] })
    t.equal(asked.at(-1), '/v1/requests?a($not,1)')
    t.match(await ask('?a($not,1)'), { status: 400, type: /^application\/json$/ })
  })

  // Guarantee: each form of the grammar finds what it says, alone and together with others.
  const FOUND: Array<[query: string, ids: string]> = [
    ['like(name,mr%20Loop)', '1'], ['like(name,mr)', ''], ['like(name,mr*)', '1'], ['like(name,*Loop)', '1'], ['like(name,m*L*p)', '1'],
    ['ilike(name,MR%20LOOP)', '1'], ['like(name,*%5C**)', '2'], ['like(note,100%25_*)', '3'], ['like(note,1__%25*)', ''], ['like(note,*%5Cx)', '3'],
    ['name=like=*Loop', '1'], ['name=ilike=*loop', '1'], ['not(like(note,*100*))', '124'], ['like(note,"")', '2'],
    ['ne(title,null())', '123'], ['in(title,(a,null()))', '14'], ['out(title,(a,null()))', '23'], ['ne(title,a)', '234'], ['ne(note,empty())', '134'],
    ['empty(created,true)', ''], ['empty(age,false)&null(active,false)', '1234'], ['null(status,true)', ''],
    ['range(created,2020-01-01,2020-01-01T00:00:01)', '23'], ['created=ge=2020-01-01&created__lt=2021-01-01', '23'], ['created__range=2019-01-01,2020-01-01&age__gt=1', '2'],
    ['status__in=approved,inquiring', '23'], ['a__title=b', '2'], ['a__title__in=(b,c)&age=gt=5', '3'], ['title__exact=a', '1'], ['ordering(-a__title)&ne(title,null())', '321'],
    ['search=vasya', '2'], ['search=LOOP', '1'], ['search=*', '2'], ['search=%25', ''], ['search="B"', '24'], ['(search=a)&age=lt=5', '1'], ['not(search=o)', '34'],
    ['a=t(title=b)', '2'], ['t(age=1,status=pending)', '1'], ['in(age,1,5)', '12'], ['in(age,(1))', '1'],
    ['%61%67%65=1', '1'], ['&age=1&', '1'], ['age=1,status=pending', '1'], ['age=1|age=5;age=8', '123'], ['not(and(age=1,status=pending))', '234'],
    ["name='a&b=c,(d);e|f %22q%22'", '4'], ["name='a%26b%3Dc,(d);e%7Cf%20\"q\"'", '4'],
    // of a list relation: conditions of one conjunction are met by one row of it
    ['params.value=5', '123'], ['params.id=key', '12'], ['params.id=key&params.value=5', '2'], ['(params.id=key)&(params.value=5)', '2'],
    ['and(params.id=seats,age=gt=1,params.value=5)', '3'], ['params.id=key&(params.value=5|params.value=ABC)', '12'], ['(params.id=key|age=8)&params.value=5', '123'],
    ['params.id=key|params.id=note', '123'], ['in(params.id,(key,note))', '123'], ['like(params.value,A*)', '1'], ['params=t(id=key,value=5)', '2'],
    ['params.id=seats&null(params.value,true)', '2'], ['params.id=note&empty(params.value,true)', '3'], ['params.id=seats&ne(params.value,5)', '2'],
    ['ne(params.id,seats)', '123'], ['not(params.id=key)', '34'], ['not(params.id=seats&params.value=5)', '24'], ['params.id=seats&not(params.value=ABC)', '23'],
    ['not(not(params.id=key))', '12'], ['params.id=seats&out(params.value,(5,null()))', ''], ['params.id=key&search=loop', '1'],
  ]
  for (const [query, ids] of FOUND) t.test(query, async (t) => { t.equal((await ask(`?${query.replaceAll(' ', '%20').replaceAll('"', '%22')}`)).ids, ids) })

  // Guarantee: what a field does not take is refused, naming field and operator, and never asked of the database.
  const REFUSED: Array<[query: string, detail: RegExp]> = [
    ['page=1', /^page: there is no such field/], ['page_size=1', /^page_size: there/], ['format=json', /^format: there/], ['params.name=x', /^params\.name: there/],
    ['like(age,1*)', /^age: cannot be compared by "like"/], ['range(name,a,b)', /^name: cannot be compared by "range"/], ['gt(active,true)', /^active: cannot be compared by "gt"/],
    ['age=x', /^age: must be a whole number/], ['range(age,1,x)', /^age: must be/], ['active=1', /^active: must be true or false/], ['created=soon', /^created: must be a time/],
    ['status=lost', /^status: must be one of pending, inquiring, approved/], ['like(name,**)', /^name: "\*\*" is not a pattern/], ['like(name,null())', /^name: null\(\) can be compared only by/],
    ['range(age,null(),5)', /^age: null\(\) can/], ['gt(age,null())', /^age: null\(\) can/], ['ordering(params.id)', /^params\.id: a list cannot be ordered by it/],
    ['ordering(age)&ordering(age)', /^ordering is given twice/], ['limit=1&offset=1&limit=2', /^limit is given twice/], ['empty(age,1)', /true or false is expected/],
    ['age=1 or 1=1', /^age: must be a whole number/], ["name=a');drop table things;--", /is expected|is not expected/],
  ]
  for (const [query, detail] of REFUSED) {
    t.test(query, async (t) => { t.match(await ask(`?${query.replaceAll(' ', '%20')}`), { status: 400, type: /^application\/json$/, body: { error_code: 'VAL_001', errors: [detail] } }) })
  }

  // Guarantee: the default of a list holds where nothing is asked for, and how to list is not what to list.
  t.test('unfiltered', async (t) => {
    for (const [query, ids, range] of [
      ['', '14', 'items 0-1/2'], ['?', '14', 'items 0-1/2'], ['?limit=1&offset=1&ordering(-age)&select(-asset)', '1', 'items 1-1/2'], ['?limit=0', '', 'items 0-0/2'], ['?search=', '14', 'items 0-1/2'],
      ['?search=test', '3', 'items 0-0/1'], ['?null(id,false)', '1234', 'items 0-3/4'], ['?status=approved', '3', 'items 0-0/1'],
    ] as const) t.strictSame(pageOf(await ask(query, '/v1/assets')), { ids, range }, query)
  })

  // Guarantee: Content-Range counts all that match, on any page, full or not.
  t.test('pages', async (t) => {
    for (const [query, ids, range] of [
      ['limit=2', '12', 'items 0-1/4'], ['limit=4', '1234', 'items 0-3/4'], ['limit=5', '1234', 'items 0-3/4'], ['limit=2&offset=2', '34', 'items 2-3/4'], ['limit=2&offset=3', '4', 'items 3-3/4'],
      ['offset=4', '', 'items 4-4/4'], ['offset=9', '', 'items 9-9/4'], ['limit=0&offset=9', '', 'items 9-9/4'], ['age=77', '', 'items 0-0/0'], ['age=77&offset=1', '', 'items 1-1/0'],
    ] as const) t.strictSame(pageOf(await ask(`?${query}`)), { ids, range }, query)
  })
})

// Guarantee: select hides what is shown and shows what is hidden, by any of its names; it narrows an answer to nothing else.
t.test('select', async (t) => {
  const parts = { template: true, 'asset.items': { shown: true, aliases: ['items'] }, 'asset.product.capabilities': false }
  const shownBy = (query: string) => {
    const { shows } = selection({ raw: { url: `/v1/requests/PR-1?${query}` } }, parts)
    return [shows('template'), shows('asset.items'), shows('asset.product.capabilities')].map(Number).join('')
  }
  t.equal(shownBy(''), '110')
  t.equal(shownBy('select(-asset.items)'), '100')
  t.equal(shownBy('select(-items,asset.product.capabilities)'), '101')
  t.equal(shownBy('select=-items,-template&limit=1'), '000')
  t.equal(shownBy('select(+asset.items)'), '110', 'it is not left alone')
  t.equal(shownBy('select(-asset__items,%2Basset__product__capabilities)'), '101')
  t.equal(shownBy('select(-items,asset.items)'), '110', 'the last word counts')
  t.equal(shownBy('select(-nothing,toString)'), '110', 'what is not known is ignored')
  t.throws(() => shownBy('select(-)'), new Problem('query-invalid', 'a name is expected, at character 9 of the decoded query'))
  const described = 'Comma-separated; also as select(…). Hide with "-": template, asset.items. Add: asset.product.capabilities.'
  for (const schema of [selectQuerySchema(parts), listQuerySchema(fields, parts)]) {
    t.match(schema, { anyOf: [{}, { properties: { select: { description: described, examples: ['-template'] } } }] }, 'the API reference says so')
  }
})

// Guarantee: resources are found by what stands in their lists: a pool by a product it serves, an order by what was bought, where all
// that is said of a line holds for one line.
t.test('what a resource lists', async (t) => {
  const { app, vendor, stranger } = await testApp(t)
  const call = callsOf(app, vendor)
  const [one, other] = [await makeProduct(call, 'sku-one'), await makeProduct(call, 'sku-other')]
  const pool = await makePool(call, { product_ids: [one] }, ['ABCD-EFGH-1', 'ABCD-EFGH-2'])
  const common = await makePool(call, {}, ['ABCD-EFGH-3'])
  const line_items = [{ product: 'sku-one', quantity: 2 }, { product: 'sku-other', quantity: 1 }]
  const { id: order } = (await call('POST', '/v1/orders', orderOf('A-1', { line_items }))).json() as { id: string }
  const FOUND: Array<[url: string, ids: string[]]> = [
    [`/v1/pools?product_ids=${one}`, [pool]], ['/v1/pools?null(product_ids,false)', [pool]], ['/v1/pools?not(null(product_ids,false))', [common]], ['/v1/pools?null(low_stock_threshold,true)&limit=0', []],
    [`/v1/orders?line_items.product_id=${other}`, [order]], [`/v1/orders?line_items.product_id=${one}&line_items.quantity=2`, [order]],
    [`/v1/orders?line_items.product_id=${other}&line_items.quantity=2`, []], [`/v1/orders?line_items=t(product_id=${other},le(quantity,1))`, [order]],
    ['/v1/orders?ilike(customer.email,ADA@*)&customer.first_name=Ada', [order]], ['/v1/orders?search=ada@example', [order]], ['/v1/orders?null(customer.company,true)', [order]],
  ]
  for (const [url, ids] of FOUND) {
    t.strictSame((await call('GET', url)).json<Thing[]>().map(({ id }) => id), ids, url)
    t.strictSame((await callsOf(app, stranger)('GET', url)).json(), [], `${url}: nothing of another account`)
  }
})

/** How each operator is asked for, with a value of the field. */
const WRITTEN = (field: string, value: string): Record<string, string> => ({
  range: `range(${field},${value},${value})`, in: `in(${field},(${value},null()))`, out: `out(${field},(${value},null()))`,
})

// Guarantee: every field that a list documents can be filtered by with every operator it documents, ordered by and searched, by whom
// the list is for: none of it ends in the database's refusal.
t.test('every list of the service', async (t) => {
  const { app, db, vendor, operator } = await testApp(t)
  const call = callsOf(app, vendor)
  const ids: Record<string, string> = { products: await makeProduct(call, 'sku'), pools: await makePool(call, {}, ['ABCD-EFGH-1', 'ABCD-EFGH-2']) }
  const callers = [vendor, operator, await testAccount(db, 'provider')]
  interface Parameter { name: string, in: string, example: unknown, description: string }
  const { paths } = app.swagger() as { paths: Record<string, { get?: { parameters?: Parameter[] } }> }
  let lists = 0
  for (const [path, { get: { parameters = [] } = {} }] of Object.entries(paths)) {
    const asked = parameters.filter((parameter) => parameter.in === 'query')
    if (!asked.some(({ name }) => name === 'ordering')) continue
    lists++
    const url = path.replace(/\/(\w+)\/\{\w+\}/, (_, kind: string) => `/${kind}/${ids[kind] ?? 'XX-0'}`).replace('{version}', '1')
    const sortable = asked.find(({ name }) => name === 'ordering')!.description.match(/ By: (.*?)\. /)![1]!.split(', ')
    const queries = [...sortable.map((field) => `ordering(-${field})`), 'limit=0', 'offset=1', ...(asked.some(({ name }) => name === 'search') ? ['search=x'] : [])]
    for (const { name, example, description } of asked) {
      const operators = /Operators: ([^.;]*)/.exec(description)?.[1]?.split(', ')
      if (operators === undefined) continue
      const value = encodeURIComponent(`"${String(example)}"`)
      const all = operators.map((operator) => WRITTEN(name, value)[operator] ?? `${operator}(${name},${value})`)
      queries.push(`${name}=${value}`, `(${[...all, `empty(${name},true)`, `null(${name},false)`].join('%7C')})`)
    }
    const failed: string[] = []
    await Promise.all(callers.map(async ({ authorization }) => {
      for (const query of queries) {
        const { statusCode, body } = await app.inject({ url: `${url}?${query}`, headers: { authorization } })
        if (![200, 403, 404].includes(statusCode)) failed.push(`${query}: ${statusCode} ${body}`)
        if (statusCode === 403 || statusCode === 404) break // not for this caller, or below what is not there
      }
    }))
    t.strictSame(failed, [], `${path}: ${queries.length} queries`)
  }
  t.ok(lists >= 11, `${lists} lists`)
})
