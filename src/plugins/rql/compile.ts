import { sql, type RawBuilder, type SqlBool } from 'kysely'
import { Problem } from '../../problems.js'
import { coerce } from './coerce.js'
import type { Field, Fields } from './fields.js'
import { containing, likePattern } from './like.js'
import { junction, shown, type Filter, type Operator, type Sort, type Value } from './query.js'

type Condition = RawBuilder<SqlBool>
const SYMBOLS = { gt: sql`>`, ge: sql`>=`, lt: sql`<`, le: sql`<=` }

/**
 * A filter as a condition, with every value a parameter. It is true or false, never unknown: `ne`, `out` and `not` hold for what
 * has no value, as a reader expects.
 * Conditions on one relation within one conjunction are met by one row of it; `ofRow` names the relation whose row this is about.
 *
 * @throws Problem query-invalid  unknown field, operator that the field does not take, value not of its type
 */
export function compileFilter (filter: Filter, fields: Fields, ofRow?: string): Condition {
  const relation = relationOf(filter, fields)
  if (relation !== undefined && relation !== ofRow) return fields.relations[relation]!(compileFilter(filter, fields, relation))
  const compiled = (filters: Filter[]) => filters.map((each) => compileFilter(each, fields, ofRow))
  switch (filter.operator) {
    case 'not': return sql`(${compileFilter(filter.filter, fields)}) is not true`
    case 'and': return conjunction(compiled(ofRow === undefined ? bySharedRow(filter.filters, fields) : filter.filters))
    case 'or': return disjunction(compiled(filter.filters))
    case 'search': return compileSearch(filter.term, fields)
    default: return compileComparison(fieldOf(fields, filter.field), filter.operator, filter.values)
  }
}

/** The relation that a filter is about and nothing else. A `not` is about none: it says that no row meets what it denies. */
function relationOf (filter: Filter, fields: Fields): string | undefined {
  switch (filter.operator) {
    case 'not': case 'search': return undefined
    case 'and': case 'or': {
      const [first, ...others] = filter.filters.map((each) => relationOf(each, fields))
      return others.every((each) => each === first) ? first : undefined
    }
    default: return fieldOf(fields, filter.field).relation
  }
}

/** What a conjunction asks of one relation becomes one filter, since one row has to meet it all. */
function bySharedRow (filters: Filter[], fields: Fields): Filter[] {
  const ofNone: Filter[] = []
  const ofRelation = new Map<string, Filter[]>()
  for (const filter of filters) {
    const relation = relationOf(filter, fields)
    if (relation === undefined) ofNone.push(filter)
    else ofRelation.set(relation, [...(ofRelation.get(relation) ?? []), filter])
  }
  return [...ofNone, ...[...ofRelation.values()].map((shared) => junction('and', shared)!)]
}

const conjunction = (conditions: Condition[]): Condition => sql`(${sql.join(conditions, sql` and `)})`
const disjunction = (conditions: Condition[]): Condition => sql`(${sql.join(conditions, sql` or `)})`

/** The term anywhere in any of the fields that are flagged for it, in upper or lower case. */
function compileSearch (term: string, fields: Fields): Condition {
  const searched = [...new Set(fields.byName.values())].filter((field) => field.search)
  if (searched.length === 0) throw new Problem('query-invalid', { detail: 'search: this list has no field to search in', params: { field: 'search' } })
  const pattern = containing(term)
  return disjunction(searched.map(({ column, relation }) => {
    const found = sql<SqlBool>`${column} ilike ${pattern}`
    return relation === undefined ? found : fields.relations[relation]!(found)
  }))
}

function compileComparison (field: Field, operator: Operator, values: Value[]): Condition {
  const { name, column } = field
  if (operator === 'empty') return compileEmpty(field, values[0] === 'true')
  const given = values.filter((value) => value !== null)
  const orNull = given.length < values.length
  const isNull = given.length === 0 && (operator === 'eq' || operator === 'ne')
  if (!isNull && !field.operators.includes(operator)) throw untaken(field, operator)
  if (operator === 'like' || operator === 'ilike') {
    if (orNull) throw nullNotTaken(field)
    const pattern = likePattern(name, given[0]!)
    return operator === 'like' ? sql`${column} like ${pattern}` : sql`${column} ilike ${pattern}`
  }
  const coerced = given.map((value) => coerce(field, value))
  switch (operator) {
    case 'eq': return orNull ? sql`${column} is null` : sql`${column} = ${coerced[0]}`
    case 'ne': return orNull ? sql`${column} is not null` : sql`${column} is distinct from ${coerced[0]}`
    // an array is one parameter: the text of the statement does not grow with the list
    case 'in': return orNull ? sql`(${column} = any(${coerced}) or ${column} is null)` : sql`${column} = any(${coerced})`
    case 'out': return orNull ? sql`(${column} <> all(${coerced}) and ${column} is not null)` : sql`(${column} <> all(${coerced}) or ${column} is null)`
  }
  if (orNull) throw nullNotTaken(field)
  if (operator === 'range') return sql`${column} between ${coerced[0]} and ${coerced[1]}`
  return sql`${column} ${SYMBOLS[operator]} ${coerced[0]}`
}

/** Without a value, which the empty text counts as. */
function compileEmpty ({ type, column }: Field, expected: boolean): Condition {
  if (type !== 'text') return expected ? sql`${column} is null` : sql`${column} is not null`
  return expected ? sql`(${column} is null or ${column} = '')` : sql`${column} <> ''`
}

/**
 * The sort keys of a list: those given, then the id, so that pages neither overlap nor leave gaps.
 * The id goes the way of the key before it, as an index on both is read.
 *
 * @throws Problem query-invalid  unknown field, or one that lists are not ordered by
 */
export function compileOrdering (sorts: readonly Sort[], fields: Fields): Array<{ column: RawBuilder<unknown>, direction: 'asc' | 'desc' }> {
  const keys = sorts.map(({ field: name, descending }) => {
    const field = fieldOf(fields, name)
    if (!field.ordering && field !== fields.id) throw unordered(fields, field.name)
    return { column: field.column, direction: descending ? 'desc' as const : 'asc' as const }
  })
  if (keys.some(({ column }) => column === fields.id.column)) return keys
  return [...keys, { column: fields.id.column, direction: keys.at(-1)?.direction ?? 'asc' }]
}

function fieldOf (fields: Fields, name: string): Field {
  const field = fields.byName.get(name)
  if (field !== undefined) return field
  const names = [...fields.byName.keys()]
  throw new Problem('query-invalid', { detail: `${shown(name)}: there is no such field; there are ${names.join(', ')}`, params: { field: shown(name), fields: names } })
}

function untaken ({ name, operators }: Field, operator: Operator): Problem {
  return new Problem('query-invalid', { detail: `${name}: cannot be compared by "${operator}"; it takes ${operators.join(', ')}`, params: { field: name, operators } })
}

function nullNotTaken ({ name }: Field): Problem {
  return new Problem('query-invalid', { detail: `${name}: null() can be compared only by eq, ne, in, out`, params: { field: name } })
}

function unordered (fields: Fields, name: string): Problem {
  const names = [...fields.byName].filter(([, field]) => field.ordering || field === fields.id).map(([known]) => known)
  return new Problem('query-invalid', { detail: `${name}: a list cannot be ordered by it; it can by ${names.join(', ')}`, params: { field: name, fields: names } })
}
