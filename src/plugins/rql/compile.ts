import { sql, type RawBuilder, type SqlBool } from 'kysely'
import { Problem } from '../../problems.js'
import { coerce } from './coerce.js'
import type { Field, Fields } from './fields.js'
import { shown, type Filter, type Operator, type Sort } from './parse.js'

const COMPARISON = { gt: sql`>`, ge: sql`>=`, lt: sql`<`, le: sql`<=` }

/**
 * A filter as a condition, with every value a parameter. It is true or false, never unknown: `ne`, `out` and `not` hold for what
 * has no value, as a reader expects.
 *
 * @throws Problem query-invalid  unknown field, operator that the field does not take, value not of its type
 */
export function compileFilter (filter: Filter, fields: Fields): RawBuilder<SqlBool> {
  switch (filter.operator) {
    case 'not': return sql`(${compileFilter(filter.filter, fields)}) is not true`
    case 'and': return sql`(${sql.join(filter.filters.map((each) => compileFilter(each, fields)), sql` and `)})`
    case 'or': return sql`(${sql.join(filter.filters.map((each) => compileFilter(each, fields)), sql` or `)})`
    default: return compileComparison(fieldOf(fields, filter.field), filter.operator, filter.values)
  }
}

function compileComparison (field: Field, operator: Operator, values: Array<string | null>): RawBuilder<SqlBool> {
  const { name, column, operators } = field
  if (!operators.includes(operator)) throw new Problem('query-invalid', { detail: `${name}: cannot be compared by "${operator}"; it takes ${operators.join(', ')}`, params: { field: name, operators } })
  const given = values.filter((value) => value !== null).map((value) => coerce(field, value))
  const orNull = given.length < values.length
  switch (operator) {
    case 'eq': return orNull ? sql`${column} is null` : sql`${column} = ${given[0]}`
    case 'ne': return orNull ? sql`${column} is not null` : sql`${column} is distinct from ${given[0]}`
    // an array is one parameter: the text of the statement does not grow with the list
    case 'in': return orNull ? sql`(${column} = any(${given}) or ${column} is null)` : sql`${column} = any(${given})`
    case 'out': return orNull ? sql`(${column} <> all(${given}) and ${column} is not null)` : sql`(${column} <> all(${given}) or ${column} is null)`
  }
  if (orNull) throw new Problem('query-invalid', { detail: `${name}: null() can be compared only by eq, ne, in, out`, params: { field: name } })
  return sql`${column} ${COMPARISON[operator]} ${given[0]}`
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

function unordered (fields: Fields, name: string): Problem {
  const names = [...fields.byName].filter(([, field]) => field.ordering || field === fields.id).map(([known]) => known)
  return new Problem('query-invalid', { detail: `${name}: a list cannot be ordered by it; it can by ${names.join(', ')}`, params: { field: name, fields: names } })
}
