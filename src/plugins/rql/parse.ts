import { Problem } from '../../problems.js'
import { junction, OPERATORS, shown, type Filter, type Operator, type Query } from './query.js'
import { queryText, Scanner } from './scan.js'

/** By what a query calls it. `gte` and `lte` are what Connect's SDK sends for `ge` and `le`. */
const COMPARISONS = new Map<string, Operator | 'null'>([...OPERATORS.map((name) => [name, name] as const), ['gte', 'ge'], ['lte', 'le'], ['null', 'null']])
const FUNCTIONS = [...COMPARISONS.keys(), 'and', 'or', 'not', 'ordering', 'select']
/** `field=ge=value`, as the official grammar has it */
const INFIX = /(eq|ne|gte?|ge|lte?|le|in|out|i?like)=/y
/** `field__ge=value`, Connect's older spelling */
const SUFFIX = /^(.+)__(exact|eq|ne|gte?|ge|lte?|le|in|out|i?like|range|null|empty)$/

/** How a term begins. A comma joins terms as well as the values of one: it joins terms if this follows. */
const TERM = /(?!null\(\)|empty\(\))(?:\(|[A-Za-z][\w.-]*[=(])/.source
const COMMA_IN_LIST = new RegExp(`,(?! *${TERM})`, 'y')
const COMMA = /,/y

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

class Parser {
  readonly #in: Scanner
  readonly #query: Query = {}
  readonly #said = new Set<string>()
  #nesting = 0
  #terms = 0
  /** of the names in a tuple: its field and a dot */
  #prefix = ''

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
    if (this.#in.take(/ *\(/y)) return this.#nested(() => this.#alternatives())
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
    this.#in.expect(/\) */y)
    this.#nesting--
    return filter
  }

  /** `field=value`, `field=value,value` (the SDK's way to say `in`), `field=ge=value`, `field__ge=value`; `limit=` and the like */
  #assignment (name: string): Filter | undefined {
    if (name === 'ordering' || name === 'select') return this.#howToList(name)
    const operator = this.#in.take(INFIX)?.[1]
    if (operator !== undefined) return this.#comparison(operator, this.#field(name), COMMA_IN_LIST)
    const [, stem, suffix] = SUFFIX.exec(name) ?? []
    if (stem !== undefined && suffix !== undefined) return this.#comparison(suffix === 'exact' ? 'eq' : suffix, this.#field(stem), COMMA_IN_LIST)
    const filter = this.#comparison('eq', this.#field(name), COMMA_IN_LIST)
    if (filter?.operator !== 'eq' || !this.#in.ahead(COMMA_IN_LIST)) return filter
    this.#in.expect(COMMA)
    return { operator: 'in', field: filter.field, values: [...filter.values, ...this.#in.values(COMMA_IN_LIST)] }
  }

  /** `ge(field,value)`, `in(field,(value,value))`, `and(term,term)`, `or(term,term)`, `not(query)`, `t(term,term)`, `ordering(-field,field)` */
  #call (name: string): Filter | undefined {
    if (name === 'not') return { operator: 'not', filter: this.#nested(() => this.#alternatives()) }
    if (name === 'and' || name === 'or') return this.#nested(() => this.#listed(name))
    if (name === 't') return this.#nested(() => this.#listed('and'))
    if (name === 'ordering' || name === 'select') {
      this.#howToList(name)
      this.#in.expect(/\)/y)
      return undefined
    }
    if (!COMPARISONS.has(name)) throw new Problem('query-invalid', { detail: `there is no operator "${shown(name)}"; there are ${FUNCTIONS.join(', ')}`, params: { operators: FUNCTIONS } })
    const field = this.#field(this.#in.name())
    this.#in.expect(COMMA)
    const filter = this.#comparison(name, field, COMMA)
    this.#in.expect(/\)/y)
    return filter
  }

  #listed (operator: 'and' | 'or'): Filter | undefined {
    const filters: Filter[] = []
    do {
      const filter = this.#term()
      if (filter !== undefined) filters.push(filter)
    } while (this.#in.take(COMMA))
    return junction(operator, filters)
  }

  /** What follows the field: the operator is known, its values are not yet read. */
  #comparison (name: string, field: string, comma: RegExp): Filter | undefined {
    const operator = COMPARISONS.get(name)!
    if (operator === 'in' || operator === 'out') return { operator, field, values: this.#list(comma) }
    if (operator === 'null') return { operator: this.#flag() === 'true' ? 'eq' : 'ne', field, values: [null] }
    if (operator === 'empty') return { operator, field, values: [this.#flag()] }
    if (operator === 'range') {
      const from = this.#in.value()
      this.#in.expect(comma)
      return { operator, field, values: [from, this.#in.value()] }
    }
    if (operator !== 'eq') return { operator, field, values: [this.#in.valueOrNothing()] }
    if (this.#in.take(/t\(/y)) return this.#tuple(field)
    const value = this.#in.valueOrNothing()
    if (field === 'limit' || field === 'offset') return this.#page(field, value ?? '')
    if (field !== 'search') return { operator, field, values: [value] }
    if (value === null) throw this.#in.refusal('search takes a text')
    return value === '' ? undefined : { operator: 'search', term: value }
  }

  /** `(a,b)`, or `a,b` without its parentheses */
  #list (comma: RegExp): Array<string | null> {
    if (!this.#in.take(/ *\(/y)) return this.#in.values(comma)
    const values = this.#in.values(COMMA)
    this.#in.expect(/\) */y)
    return values
  }

  #flag (): 'true' | 'false' {
    const value = this.#in.value()
    if (value !== 'true' && value !== 'false') throw this.#in.refusal('true or false is expected')
    return value
  }

  /** `field=t(a=1,b=2)`: the field's `a` is 1 and its `b` is 2. */
  #tuple (field: string): Filter {
    const outer = this.#prefix
    this.#prefix = `${field}.`
    const filter = this.#nested(() => this.#listed('and'))
    this.#prefix = outer
    return filter
  }

  /** `__` is Connect's older spelling of the dot. */
  #field (name: string): string {
    return this.#prefix + name.replaceAll('__', '.')
  }

  /** The largest safe integer stands for all beyond it: no list is that long. */
  #page (name: 'limit' | 'offset', value: string): undefined {
    this.#once(name)
    if (/^\d+$/.test(value)) this.#query[name] = Math.min(Number(value), Number.MAX_SAFE_INTEGER)
  }

  /** `-field,field` of `ordering(…)` and `select(…)`; also as `ordering=-field,field`, since OpenAPI can describe only that. */
  #howToList (what: 'ordering' | 'select'): undefined {
    this.#once(what)
    const signed: Array<{ name: string, minus: boolean }> = []
    if (!this.#in.ahead(/$|[)&]/y)) {
      do {
        const minus = this.#in.take(/ *([+-]?)/y)?.[1] === '-'
        signed.push({ name: this.#in.name().replaceAll('__', '.'), minus })
      } while (this.#in.take(COMMA_IN_LIST))
    }
    if (what === 'ordering') this.#query.ordering = signed.map(({ name, minus }) => ({ field: name, descending: minus }))
    else this.#query.select = signed.map(({ name, minus }) => ({ name, shown: !minus }))
  }

  #once (name: string): void {
    if (this.#nesting > 0) throw new Problem('query-invalid', `${name} cannot stand between parentheses`)
    if (this.#said.has(name)) throw new Problem('query-invalid', `${name} is given twice`)
    this.#said.add(name)
  }
}
