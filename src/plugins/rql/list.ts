import { sql, type SelectQueryBuilder, type Simplify } from 'kysely'
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
}

/**
 * Answers a list: the page that the request's RQL asks for, and the header `Content-Range: items <first>-<last>/<total>`.
 * Two statements, so the total may be of a moment before the page.
 *
 * @throws Problem query-invalid
 */
export async function list<DB, TB extends keyof DB, Row, Name extends string> (
  request: { raw: { url?: string | undefined } }, reply: { header: (name: string, value: string) => unknown },
  { query, fields, defaultOrdering = 'id' as Name }: Listing<DB, TB, Row, Name>
): Promise<Array<Simplify<Row>>> {
  const asked = parseQuery(request.raw.url ?? '')
  const limit = Math.min(asked.limit ?? LIMIT_DEFAULT, LIMIT_MAX)
  const offset = asked.offset ?? 0
  const sorts = asked.ordering ?? [{ field: defaultOrdering.replace(/^-/, ''), descending: defaultOrdering.startsWith('-') }]
  const filtered = asked.filter === undefined ? query : query.where(compileFilter(asked.filter, fields))
  const sorted = compileOrdering(sorts, fields).reduce((page, { column, direction }) => page.orderBy(column, direction), filtered)

  const unnamed = sql.raw(SHAPED_BY_CALLER)
  const { count } = await filtered.clearSelect().select(sql<string>`count(*)`.as('count')).modifyEnd(unnamed).$castTo<{ count: string }>().executeTakeFirstOrThrow()
  const rows = limit === 0 || offset >= Number(count) ? [] : await sorted.limit(limit).offset(offset).modifyEnd(unnamed).execute()
  const end = offset + rows.length
  const total = rows.length === 0 ? Number(count) : Math.max(Number(count), end)
  reply.header('content-range', `items ${offset}-${Math.max(offset, end - 1)}/${total}`)
  return rows
}
