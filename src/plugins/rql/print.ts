import type { Filter, Query, Value } from './query.js'

/**
 * A query as RQL in one canonical form: {@link parseQuery} of it, percent-encoded, gives the query again.
 * A value with both kinds of quotes can only have been read without quotes around it, and is printed so.
 */
export function printQuery ({ filter, ordering, select, limit, offset }: Query): string {
  return [
    ...(filter === undefined ? [] : [printFilter(filter)]),
    ...(ordering === undefined ? [] : [`ordering(${ordering.map(({ field, descending }) => `${descending ? '-' : ''}${field}`).join()})`]),
    ...(select === undefined ? [] : [`select(${select.map(({ name, shown }) => `${shown ? '' : '-'}${name}`).join()})`]),
    ...(limit === undefined ? [] : [`limit=${limit}`]),
    ...(offset === undefined ? [] : [`offset=${offset}`]),
  ].join('&')
}

function printFilter (filter: Filter): string {
  switch (filter.operator) {
    case 'and': case 'or': return `${filter.operator}(${filter.filters.map(printFilter).join()})`
    case 'not': return `not(${printFilter(filter.filter)})`
    case 'search': return `search=${printValue(filter.term)}`
    case 'in': case 'out': return `${filter.operator}(${filter.field},(${filter.values.map(printValue).join()}))`
    default: return `${filter.operator}(${filter.field},${filter.values.map(printValue).join()})`
  }
}

function printValue (value: Value): string {
  if (value === null) return 'null()'
  if (!value.includes('"')) return `"${value}"`
  return value.includes("'") ? value : `'${value}'`
}
