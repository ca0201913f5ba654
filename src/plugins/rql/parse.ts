import { Problem } from '../../problems.js'
import { queryText, Scanner, type Value } from './scan.js'

export type Operator = 'eq' | 'ne' | 'gt' | 'ge' | 'lt' | 'le' | 'in' | 'out'
export type Filter =
  | { operator: Operator, field: string, values: Value[] }
  | { operator: 'and' | 'or', filters: Filter[] }
  | { operator: 'not', filter: Filter }
export interface Sort { field: string, descending: boolean }
/** What a query says. Absent: not said; for limit and offset also said in a way that counts as not said. */
export interface Query { filter?: Filter, ordering?: Sort[], limit?: number, offset?: number }

/** `gte` and `lte` are what Connect's SDK sends for `ge` and `le`. */
const OPERATORS = new Map<string, Operator>([
  ['eq', 'eq'], ['ne', 'ne'], ['gt', 'gt'], ['ge', 'ge'], ['gte', 'ge'], ['lt', 'lt'], ['le', 'le'], ['lte', 'le'], ['in', 'in'], ['out', 'out'],
])
const FUNCTIONS = [...OPERATORS.keys(), 'and', 'or', 'not', 'ordering']

/** How a term begins. A comma joins terms as well as the values of one: it joins terms if this follows. */
const TERM = /(?!null\(\)|empty\(\))(?:\(|[A-Za-z][\w.-]*[=(])/.source
const COMMA_IN_LIST = new RegExp(`,(?!${TERM})`, 'y')

const NESTING_MAX = 50 // the SDK nests one level for each alternative of an $or
const TERMS_MAX = 200

/**
 * Reads the query string of a raw URL as RQL, Connect's query language, without knowing any field.
 * A limit or offset that is not a whole number counts as not given, as at Connect.
 *
 * @throws Problem query-invalid
 */
export function parseQuery (url: string): Query {
  return new Parser(queryText(url)).parse()
}

/** Nested ones of a kind become one, and one of a single filter is that filter. */
function junction (operator: 'and' | 'or', filters: Filter[]): Filter | undefined {
  if (filters.length <= 1) return filters[0]
  return { operator, filters: filters.flatMap((filter) => filter.operator === operator ? filter.filters : [filter]) }
}

class Parser {
  readonly #in: Scanner
  readonly #query: Query = {}
  readonly #said = new Set<string>()
  #nesting = 0
  #terms = 0

  constructor (text: string) { this.#in = new Scanner(text) }

  parse (): Query {
    const filter = this.#alternatives()
    this.#in.expect(/$/y)
    if (filter !== undefined) this.#query.filter = filter
    return this.#query
  }

  /** `a&b|c` is `(a&b)|c`; `;` is `|` */
  #alternatives (): Filter | undefined {
    const all = [this.#conjunction()]
    while (this.#in.take(/[|;]/y)) all.push(this.#conjunction())
    const filters = all.filter((filter) => filter !== undefined)
    if (all.length > 1 && filters.length < all.length) throw this.#in.refusal('an alternative is empty')
    return junction('or', filters)
  }

  /** `a&b`, `a,b`; a `&` too many is no harm */
  #conjunction (): Filter | undefined {
    const filters: Filter[] = []
    do {
      const filter = this.#in.ahead(/$|[&|;)]/y) ? undefined : this.#term()
      if (filter !== undefined) filters.push(filter)
    } while (this.#in.take(/[&,]/y))
    return junction('and', filters)
  }

  /** Undefined: it said how to list, not what. */
  #term (): Filter | undefined {
    if (++this.#terms > TERMS_MAX) throw new Problem('query-invalid', `the query has more than ${TERMS_MAX} terms`)
    if (this.#in.take(/\(/y)) return this.#nested(() => this.#alternatives())
    const name = this.#in.name()
    if (this.#in.take(/=/y)) return this.#assignment(name)
    if (this.#in.take(/\(/y)) return this.#call(name)
    throw this.#in.unexpected()
  }

  /** What stands between parentheses; the opening one is read. */
  #nested (content: () => Filter | undefined): Filter {
    if (++this.#nesting > NESTING_MAX) throw new Problem('query-invalid', `the query is nested deeper than ${NESTING_MAX}`)
    const filter = content()
    if (filter === undefined) throw this.#in.refusal('there is nothing between the parentheses')
    this.#in.expect(/\)/y)
    this.#nesting--
    return filter
  }

  /** `field=value`, `field=value,value` (the SDK's way to say `in`), `field=ge=value`; `limit=`, `offset=`, `ordering=` */
  #assignment (field: string): Filter | undefined {
    if (field === 'ordering') return this.#order()
    const operator = this.#in.take(/(eq|ne|gte?|ge|lte?|le|in|out)=/y)?.[1]
    if (operator !== undefined) return this.#comparison(operator, field)
    const values = [this.#in.value()]
    if (field === 'limit' || field === 'offset') return this.#page(field, values[0]!)
    while (this.#in.take(COMMA_IN_LIST)) values.push(this.#in.value())
    return { operator: values.length === 1 ? 'eq' : 'in', field, values }
  }

  /** `ge(field,value)`, `in(field,(value,value))`, `and(term,term)`, `or(term,term)`, `not(query)`, `ordering(-field,field)` */
  #call (name: string): Filter | undefined {
    if (name === 'not') return { operator: 'not', filter: this.#nested(() => this.#alternatives()) }
    if (name === 'and' || name === 'or') return this.#nested(() => this.#listed(name))
    if (name === 'ordering') {
      this.#order()
      this.#in.expect(/\)/y)
      return undefined
    }
    if (!OPERATORS.has(name)) throw new Problem('query-invalid', { detail: `there is no operator "${shown(name)}"; there are ${FUNCTIONS.join(', ')}`, params: { operators: FUNCTIONS } })
    const field = this.#in.name()
    this.#in.expect(/,/y)
    const filter = this.#comparison(name, field)
    this.#in.expect(/\)/y)
    return filter
  }

  #listed (operator: 'and' | 'or'): Filter | undefined {
    const filters: Filter[] = []
    do {
      const filter = this.#term()
      if (filter !== undefined) filters.push(filter)
    } while (this.#in.take(/,/y))
    return junction(operator, filters)
  }

  #comparison (name: string, field: string): Filter | undefined {
    const operator = OPERATORS.get(name)!
    const values = operator === 'in' || operator === 'out' ? this.#in.values() : [this.#in.value()]
    if (operator === 'eq' && (field === 'limit' || field === 'offset')) return this.#page(field, values[0]!)
    return { operator, field, values }
  }

  /** The largest safe integer stands for all beyond it: no list is that long. */
  #page (name: 'limit' | 'offset', value: Value): undefined {
    this.#once(name)
    if (value !== null && /^\d+$/.test(value)) this.#query[name] = Math.min(Number(value), Number.MAX_SAFE_INTEGER)
  }

  /** Also as `ordering=-field,field`, since OpenAPI can describe only that. */
  #order (): undefined {
    this.#once('ordering')
    const sorts: Sort[] = []
    this.#query.ordering = sorts
    if (this.#in.ahead(/$|[)&]/y)) return
    do {
      const descending = this.#in.take(/[+-]/y)?.[0] === '-'
      sorts.push({ field: this.#in.name(), descending })
    } while (this.#in.take(COMMA_IN_LIST))
  }

  #once (name: string): void {
    if (this.#nesting > 0) throw new Problem('query-invalid', `${name} cannot stand between parentheses`)
    if (this.#said.has(name)) throw new Problem('query-invalid', `${name} is given twice`)
    this.#said.add(name)
  }
}

/** A name as given, short enough for a message. */
export function shown (name: string): string {
  return name.length <= 60 ? name : `${name.slice(0, 60)}…`
}
