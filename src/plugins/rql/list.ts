import { sql, type RawBuilder, type SelectQueryBuilder, type Simplify, type SqlBool } from 'kysely'
import { SHAPED_BY_CALLER } from '../../database/named-statements.js'
import { compileFilter, compileOrdering } from './compile.js'
import type { Fields } from './fields.js'
import { parseQuery } from './parse.js'
import { unusedJoins } from './unused-joins.js'

const LIMIT_DEFAULT = 100
const LIMIT_MAX = 1000

interface Listing<DB, TB extends keyof DB, Row, Name extends string> {
  /** all that the caller may see: account and columns, without order, grouping or limit */
  query: SelectQueryBuilder<DB, TB, Row>
  fields: Fields<Name>
  /** where the caller gives none; without it, by id */
  defaultOrdering?: NoInfer<Name | `-${Name}`>
  /** holds where the caller filters by nothing: GET /requests is of the pending ones then */
  unfiltered?: RawBuilder<SqlBool> | undefined
}

/**
 * Answers a list: the page that the request's RQL asks for, and the header `Content-Range: items <first>-<last>/<total>`.
 * The total is counted by a second statement, so it may be of another moment, but where the first page is all there is.
 * A left join of the query is of at most one row: it is left out where nothing names it.
 *
 * @throws Problem query-invalid
 */
export async function list<DB, TB extends keyof DB, Row, Name extends string> (
  request: { raw: { url?: string | undefined } }, reply: { header: (name: string, value: string) => unknown },
  listing: Listing<DB, TB, Row, Name>
): Promise<Array<Simplify<Row>>> {
  return listWith(request, reply, listing, async (rows) => rows)
}

/** The same of what has more parts than its row: `documents` reads them while the total is counted. */
export async function listWith<DB, TB extends keyof DB, Row, Name extends string, Document> (
  request: { raw: { url?: string | undefined } }, reply: { header: (name: string, value: string) => unknown },
  { query, fields, defaultOrdering = 'id' as Name, unfiltered }: Listing<DB, TB, Row, Name>,
  documents: (rows: Array<Simplify<Row>>) => Promise<Document[]>
): Promise<Document[]> {
  const asked = parseQuery(request.raw.url ?? '')
  const limit = Math.min(asked.limit ?? LIMIT_DEFAULT, LIMIT_MAX)
  const offset = asked.offset ?? 0
  const sorts = asked.ordering ?? [{ field: defaultOrdering.replace(/^-/, ''), descending: defaultOrdering.startsWith('-') }]
  const condition = asked.filter === undefined ? unfiltered : compileFilter(asked.filter, fields)
  const filtered = condition === undefined ? query : query.where(condition)
  const sorted = compileOrdering(sorts, fields).reduce((page, { column, direction }) => page.orderBy(column, direction), filtered)

  const unnamed = sql.raw(SHAPED_BY_CALLER)
  const page = sorted.limit(limit).offset(offset).modifyEnd(unnamed).withPlugin(unusedJoins)
  const counted = filtered.modifyEnd(unnamed)
  let shown: Document[] = []
  let total = limit === 0 || offset > 0 ? await count(counted) : undefined
  if (total === undefined || (limit > 0 && offset < total)) {
    const rows = await page.execute()
    const isAll = offset === 0 && rows.length < limit
    ;[shown, total] = await Promise.all([documents(rows), total ?? (isAll ? rows.length : count(counted))])
  }
  const end = offset + shown.length
  reply.header('content-range', `items ${offset}-${Math.max(offset, end - 1)}/${shown.length === 0 ? total : Math.max(total, end)}`)
  return shown
}

async function count<DB, TB extends keyof DB> (filtered: SelectQueryBuilder<DB, TB, unknown>): Promise<number> {
  const { total } = await filtered.clearSelect().select(sql<string>`count(*)`.as('total')).$castTo<{ total: string }>().withPlugin(unusedJoins).executeTakeFirstOrThrow()
  return Number(total)
}
