import { sql, type RawBuilder, type SelectQueryBuilder, type Simplify, type SqlBool } from 'kysely'
import { SHAPED_BY_CALLER } from '../../database/named-statements.js'
import { compileFilter, compileOrdering } from './compile.js'
import type { Fields } from './fields.js'
import { parseQuery } from './parse.js'

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
 * The count has the joins of the query but not its columns: PostgreSQL leaves out a left join of at most one row that nothing names.
 *
 * @throws Problem query-invalid
 */
export async function list<DB, TB extends keyof DB, Row, Name extends string> (
  request: { raw: { url?: string | undefined } }, reply: { header: (name: string, value: string) => unknown },
  { query, fields, defaultOrdering = 'id' as Name, unfiltered }: Listing<DB, TB, Row, Name>
): Promise<Array<Simplify<Row>>> {
  const asked = parseQuery(request.raw.url ?? '')
  const limit = Math.min(asked.limit ?? LIMIT_DEFAULT, LIMIT_MAX)
  const offset = asked.offset ?? 0
  const sorts = asked.ordering ?? [{ field: defaultOrdering.replace(/^-/, ''), descending: defaultOrdering.startsWith('-') }]
  const condition = asked.filter === undefined ? unfiltered : compileFilter(asked.filter, fields)
  const filtered = condition === undefined ? query : query.where(condition)
  const sorted = compileOrdering(sorts, fields).reduce((page, { column, direction }) => page.orderBy(column, direction), filtered)

  const unnamed = sql.raw(SHAPED_BY_CALLER)
  const page = sorted.limit(limit).offset(offset).modifyEnd(unnamed)
  let rows: Array<Simplify<Row>> = []
  let total: number
  if (offset === 0 && limit > 0) {
    rows = await page.execute()
    total = rows.length < limit ? rows.length : await count(filtered.modifyEnd(unnamed))
  } else {
    total = await count(filtered.modifyEnd(unnamed))
    if (limit > 0 && offset < total) rows = await page.execute()
  }
  const end = offset + rows.length
  reply.header('content-range', `items ${offset}-${Math.max(offset, end - 1)}/${rows.length === 0 ? total : Math.max(total, end)}`)
  return rows
}

async function count<DB, TB extends keyof DB> (filtered: SelectQueryBuilder<DB, TB, unknown>): Promise<number> {
  const { total } = await filtered.clearSelect().select(sql<string>`count(*)`.as('total')).$castTo<{ total: string }>().executeTakeFirstOrThrow()
  return Number(total)
}
