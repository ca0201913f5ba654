/** Always text, coerced by the field's declared type later; null is `null()`, and `empty()` is the empty text. */
export type Value = string | null

/** `empty` has the value true or false, `range` both its ends, and every other but `in` and `out` one value. */
export const OPERATORS = ['eq', 'ne', 'gt', 'ge', 'lt', 'le', 'range', 'in', 'out', 'like', 'ilike', 'empty'] as const
export type Operator = typeof OPERATORS[number]

export type Filter =
  | { operator: Operator, field: string, values: Value[] }
  | { operator: 'search', term: string }
  | { operator: 'and' | 'or', filters: Filter[] }
  | { operator: 'not', filter: Filter }
export interface Sort { field: string, descending: boolean }
/** What `select(name,-name)` says of one name. */
export interface Selected { name: string, shown: boolean }

/** What a query says. Absent: not said; for limit and offset also said in a way that counts as not said. */
export interface Query { filter?: Filter, ordering?: Sort[], select?: Selected[], limit?: number, offset?: number }

/** Joins filters. Nested ones of a kind become one, and one of a single filter is that filter. */
export function junction (operator: 'and' | 'or', filters: Filter[]): Filter | undefined {
  if (filters.length <= 1) return filters[0]
  return { operator, filters: filters.flatMap((filter) => filter.operator === operator ? filter.filters : [filter]) }
}

/** A name as given, short enough for a message. */
export function shown (name: string): string {
  return name.length <= 60 ? name : `${name.slice(0, 60)}…`
}
