import t from 'tap'
import { recordEvent, type NewEvent } from '../../src/events/record.js'
import { inTransaction } from '../../src/database/transaction.js'
import { testAccount, testApp, type TestAccount, type TestApp } from '../support/app.js'

const SUBJECTS = ['LI-0', 'LI-1', 'LI-2', 'LI-3', 'LI-4']

/** Five events of a new vendor, one minute apart: allocated, loaded, allocated, loaded, allocated. The first is the service's own. */
async function audited ({ db }: TestApp): Promise<TestAccount> {
  const account = await testAccount(db, 'vendor')
  await db.deleteFrom('events').where('account_id', '=', account.account_id).execute() // the ones of making it
  const events = SUBJECTS.map((subject_id, i): NewEvent => ({
    account_id: account.account_id, type: i % 2 === 0 ? 'license.allocated' : 'license.loaded', subject_id, actor: i === 0 ? null : account.key_id, data: { i },
  }))
  for (const event of events) await inTransaction(db, (trx) => recordEvent(trx, event))
  for (const [i, subject_id] of SUBJECTS.entries()) {
    await db.updateTable('events').set({ created_at: new Date(Date.UTC(2026, 0, 1, 0, i)), id: `EV-${i}` })
      .where('account_id', '=', account.account_id).where('subject_id', '=', subject_id).execute()
  }
  return account
}

interface Answer {
  status: number
  range: unknown
  body: Array<{ subject_id: string }> & { detail: string, error_code: string }
  subjects: string[]
}

async function ask ({ app }: TestApp, { authorization }: { authorization: string }, query: string): Promise<Answer> {
  const reply = await app.inject({ url: `/v1/events${query}`, headers: { authorization } })
  const body = reply.json<Answer['body']>()
  return { status: reply.statusCode, range: reply.headers['content-range'], body, subjects: Array.isArray(body) ? body.map(({ subject_id }) => subject_id) : [] }
}

t.test('events', async (t) => {
  const service = await testApp(t)
  const account = await audited(service)

  // Guarantee: a list is a bare array of whole events, and says in Content-Range what part of how many it is.
  t.test('the list', async (t) => {
    const { status, range, body } = await ask(service, account, '')
    t.equal(status, 200)
    t.equal(range, 'items 0-4/5')
    t.strictSame(body[0], { id: 'EV-4', type: 'license.allocated', subject_id: 'LI-4', actor: account.key_id, data: { i: 4 }, created_at: '2026-01-01T00:04:00.000Z' }, 'the newest first, all of it')
    t.strictSame(body[4], { id: 'EV-0', type: 'license.allocated', subject_id: 'LI-0', actor: null, data: { i: 0 }, created_at: '2026-01-01T00:00:00.000Z' })
  })

  // Guarantee: what RQL asks for is what is answered, with the total of all that match.
  const LISTS: Array<[query: string, subjects: string[], range: string]> = [
    ['?type=license.loaded', ['LI-3', 'LI-1'], 'items 0-1/2'],
    ['?type=license.loaded,nothing', ['LI-3', 'LI-1'], 'items 0-1/2'],
    ['?in(subject_id,(LI-1,LI-4))', ['LI-4', 'LI-1'], 'items 0-1/2'],
    ['?out(subject_id,(LI-1,LI-4))', ['LI-3', 'LI-2', 'LI-0'], 'items 0-2/3'],
    ['?subject_id=out=(LI-1,LI-4)&type=license.loaded', ['LI-3'], 'items 0-0/1'],
    ['?ne(type,license.loaded)', ['LI-4', 'LI-2', 'LI-0'], 'items 0-2/3'],
    ['?type=license.loaded&type=license.allocated', [], 'items 0-0/0'],
    ['?(subject_id=LI-0%7Csubject_id=LI-2)', ['LI-2', 'LI-0'], 'items 0-1/2'],
    ['?not(in(subject_id,(LI-0,LI-2)))', ['LI-4', 'LI-3', 'LI-1'], 'items 0-2/3'],
    ['?subject_id=%22LI-0%22', ['LI-0'], 'items 0-0/1'],
    ['?subject_id=%22a&type=b%22', [], 'items 0-0/0'],
    [`?ne(actor,${account.key_id})`, ['LI-0'], 'items 0-0/1'], // nobody is not that key
    [`?not(actor=${account.key_id})`, ['LI-0'], 'items 0-0/1'],
    ['?actor=null()', ['LI-0'], 'items 0-0/1'],
    ['?ne(actor,null())&limit=1', ['LI-4'], 'items 0-0/4'],
    [`?in(actor,(${account.key_id},null()))&limit=0`, [], 'items 0-0/5'],
    [`?out(actor,(${account.key_id},null()))`, [], 'items 0-0/0'],
    [`?out(actor,(${account.key_id}))`, ['LI-0'], 'items 0-0/1'],
    ['?out(actor,(x,null()))&limit=0', [], 'items 0-0/4'],
    ['?gt(created,2026-01-01T00:03:00+00:00)', ['LI-4'], 'items 0-0/1'],
    ['?ge(created_at,2026-01-01T01:03:00+01:00)', ['LI-4', 'LI-3'], 'items 0-1/2'],
    ['?gte(created,2026-01-01 00:03:00)&lt(created,2026-01-01T00:04:00.000Z)', ['LI-3'], 'items 0-0/1'],
    ['?le(created,2026-01-01)', ['LI-0'], 'items 0-0/1'],
    ['?lte(created,2026-01-01T00:01:00.000000Z)&ordering(created)', ['LI-0', 'LI-1'], 'items 0-1/2'],
    ['?in(created,(2026-01-01,2026-01-01T00:02:00Z))', ['LI-2', 'LI-0'], 'items 0-1/2'],
    ['?created=ge=2026-01-01T00:04:00', ['LI-4'], 'items 0-0/1'],
    ['?ordering(created)', SUBJECTS, 'items 0-4/5'],
    ['?ordering(-created,id)&limit=2', ['LI-4', 'LI-3'], 'items 0-1/5'],
    ['?ordering=created_at%2C-id&limit=2&offset=2', ['LI-2', 'LI-3'], 'items 2-3/5'],
    ['?ordering(id)&limit=2&offset=4', ['LI-4'], 'items 4-4/5'],
    ['?limit=0', [], 'items 0-0/5'],
    ['?limit=0&offset=3', [], 'items 3-3/5'],
    ['?offset=5', [], 'items 5-5/5'],
    ['?offset=1000', [], 'items 1000-1000/5'],
    ['?offset=99999999999999999999&limit=99999999999999999999', [], 'items 9007199254740991-9007199254740991/5'],
    ['?limit=-1&offset=garbage', ['LI-4', 'LI-3', 'LI-2', 'LI-1', 'LI-0'], 'items 0-4/5'],
    ['?eq(limit,1)&eq(offset,1)', ['LI-3'], 'items 1-1/5'],
  ]
  for (const [query, subjects, range] of LISTS) {
    t.test(query, async (t) => {
      const answer = await ask(service, account, query)
      t.strictSame({ status: answer.status, subjects: answer.subjects, range: answer.range }, { status: 200, subjects, range })
    })
  }

  // Guarantee: what is not understood is refused and named, with what would be; nothing is ignored in silence and nothing reaches SQL.
  const REFUSED: Array<[query: string, detail: RegExp]> = [
    ['?account_id=VA-1', /^account_id: there is no such field; there are id, type, subject_id, actor, created_at, created$/],
    ['?__proto__=1', /a name is expected, at character 1/],
    ['?constructor=1', /^constructor: there is no such field/],
    ['?gt(type,a)', /^type: cannot be compared by "gt"; it takes eq, ne, in, out, like, ilike$/],
    ['?like(created,*2026*)', /^created_at: cannot be compared by "like"; it takes eq, ne, gt, ge, lt, le, range, in, out$/],
    ['?range(type,a,b)', /^type: cannot be compared by "range"/],
    ['?like(type,license**)', /^type: "\*\*" is not a pattern/],
    ['?regex(type,a)', /^there is no operator "regex"; there are eq, ne/],
    ['?page_size=2', /^page_size: there is no such field/],
    ['?format=json', /^format: there is no such field/],
    ['?created=yesterday', /^created_at: must be a time of ISO 8601/],
    ['?created=2026-02-30', /^created_at: must be a time/],
    ['?created=2026-01-01T24:00:00Z', /^created_at: must be a time/],
    ['?gt(created,null())', /^created_at: null\(\) can be compared only by/],
    ['?ordering(type)', /^type: a list cannot be ordered by it; it can by id, created_at, created$/],
    ['?ordering(nothing)', /^nothing: there is no such field/],
    ['?limit=1&limit=1', /^limit is given twice$/],
    ['?offset=1&eq(offset,2)', /^offset is given twice$/],
    ['?ordering(id)&ordering(id)', /^ordering is given twice$/],
    ['?type=a%00', /NUL/],
    ['?page=2', /^page: there is no such field/],
    ["?type=a');drop table events;--", /is expected|is not expected/],
  ]
  for (const [query, detail] of REFUSED) {
    t.test(query, async (t) => {
      const { status, body } = await ask(service, account, query)
      t.match(body, { error_code: 'VAL_001', detail })
      t.equal(status, 400)
    })
  }

  // Guarantee: a page holds at most 1,000 and 100 unless asked, and pages in turn show every event once.
  t.test('pages', async (t) => {
    const many = await audited(service)
    await service.db.insertInto('events').values(Array.from({ length: 1200 }, (_, i) => ({
      account_id: many.account_id, id: `EV-many-${i}`, type: 'license.loaded', subject_id: `LI-many-${i}`, created_at: new Date(0),
    }))).execute()
    t.match(await ask(service, many, '?ordering(created)'), { range: 'items 0-99/1205', subjects: { length: 100 } })
    t.match(await ask(service, many, '?limit=5000'), { range: 'items 0-999/1205', subjects: { length: 1000 } })
    const seen: string[] = []
    // 1,200 are of one moment: only the id tells them apart
    for (let offset = 0; offset < 1205; offset += 241) seen.push(...(await ask(service, many, `?ordering(-created)&limit=241&offset=${offset}`)).subjects)
    t.equal(new Set(seen).size, 1205, 'no gap')
    t.equal(seen.length, 1205, 'no overlap')
  })

  // Guarantee: the events of another account are absent, whatever is asked.
  t.test('of another account', async (t) => {
    const one = await service.app.inject({ url: '/v1/events/EV-1', headers: { authorization: account.authorization } })
    t.match(one.json(), { id: 'EV-1', subject_id: 'LI-1', actor: account.key_id, data: { i: 1 } })
    for (const id of ['EV-1', 'EV-absent']) {
      const foreign = await service.app.inject({ url: `/v1/events/${id}`, headers: { authorization: service.stranger.authorization } })
      t.equal(foreign.statusCode, 404)
      t.match(foreign.json(), { error_code: 'EVT_001', detail: 'The account has no such event' }, `${id}: the same for what is another's and what is not`)
    }
    t.match(await ask(service, service.stranger, '?(id=EV-1%7Cne(id,EV-1))&in(subject_id,(LI-0,LI-1))'), { range: 'items 0-0/0', subjects: [] })
  })

  // Guarantee: the audit trail needs its permission.
  t.test('without the permission', async (t) => {
    const blind = await testAccount(service.db, 'vendor', ['orders:read'])
    t.equal((await ask(service, blind, '')).status, 403)
    t.equal((await service.app.inject('/v1/events')).statusCode, 401)
  })

  // Guarantee: the API reference shows limit, offset, ordering and every field, and the answer's Content-Range.
  t.test('documented', async (t) => {
    interface Parameter { name: string, in: string, required: boolean, example: unknown }
    interface Operation { parameters: Parameter[], responses: Record<string, unknown> }
    const operation = (service.app.swagger() as { paths: Record<string, { get: Operation }> }).paths['/v1/events']!.get
    t.strictSame(operation.parameters.map(({ name }) => name), ['limit', 'offset', 'ordering', 'search', 'id', 'type', 'subject_id', 'actor', 'created_at'])
    t.ok(operation.parameters.every(({ in: where, required, example }) => where === 'query' && !required && example !== undefined), 'each optional, with an example')
    t.match(operation.responses['200'], { headers: { 'Content-Range': {} }, content: { 'application/json': { schema: { type: 'array' } } } })
    t.match(operation.responses['400'], { $ref: /query-invalid/ })
  })

  // Guarantee: the largest query that is accepted is one that PostgreSQL answers.
  t.test('the largest queries', async (t) => {
    const alternatives = `(${Array.from({ length: 198 }, (_, i) => `subject_id=LI-${i}`).join('%7C')})`
    t.match(await ask(service, account, `?${alternatives}`), { range: 'items 0-4/5' })
    t.match(await ask(service, account, `?in(subject_id,(${Array.from({ length: 500 }, (_, i) => `LI-${i}`).join()}))`), { range: 'items 0-4/5' })
    t.match(await ask(service, account, `?${'not('.repeat(50)}subject_id=LI-0${')'.repeat(50)}`), { range: 'items 0-0/1' })
    t.match(await ask(service, account, `?${'('.repeat(48)}id=x${'%7Cid=y)%26(id=x'.repeat(48)}${')'.repeat(48)}`), { status: 200 })
  })
})
