import { sql, type RawBuilder, type SqlBool } from 'kysely'
import type { Operator } from './query.js'

export type FieldType = 'text' | 'integer' | 'bigint' | 'timestamp' | 'boolean'

/** What a resource says about one field that its lists can be filtered or ordered by. */
export interface FieldDeclaration {
  type: FieldType
  /** the only values there are (text) */
  values?: readonly string[]
  /** where the name in the query is not the column's: `orders.created_at`, or sql`customer ->> 'email'` */
  column?: string | RawBuilder<unknown>
  /** other names for it: Connect's `created` for `created_at` */
  aliases?: readonly string[]
  /** a list may be ordered by it */
  ordering?: boolean
  /** `search=` looks into it (text) */
  search?: boolean
  /** the column is of the rows of this list relation */
  relation?: string
  /** where not all that its type allows makes sense; null and empty can always be asked for */
  operators?: readonly Operator[]
  /** for the API reference */
  example?: string
}

/** A declaration with all that it left to the defaults. */
export interface Field {
  name: string
  type: FieldType
  values: readonly string[] | undefined
  column: RawBuilder<unknown>
  ordering: boolean
  search: boolean
  relation: string | undefined
  operators: readonly Operator[]
}

/** "Some row of it meets these conditions": sql`exists (select from … where … and ${conditions})`. */
export type Relation = (conditions: RawBuilder<SqlBool>) => RawBuilder<SqlBool>

/** The fields of one resource. `Name` keeps the declared names, so that a misspelt default ordering does not compile. */
export interface Fields<Name extends string = string> {
  declared: Readonly<Record<Name, FieldDeclaration>>
  /** by name and alias */
  byName: ReadonlyMap<string, Field>
  relations: Readonly<Record<string, Relation>>
  id: Field
}

const EQUALITY: readonly Operator[] = ['eq', 'ne', 'in', 'out']
const ORDERED: readonly Operator[] = ['eq', 'ne', 'gt', 'ge', 'lt', 'le', 'range', 'in', 'out']
const OPERATORS: Record<FieldType, readonly Operator[]> = {
  text: [...EQUALITY, 'like', 'ilike'], boolean: EQUALITY, integer: ORDERED, bigint: ORDERED, timestamp: ORDERED,
}

/**
 * Declares what the lists of a resource can be filtered and ordered by. `id` is the last sort key of every list: unique, not null.
 * Conditions on fields of one relation that are joined by "and" are met by one and the same row of it.
 */
export function rqlFields<Name extends string> (
  declared: Record<Name | 'id', FieldDeclaration>, { relations = {} }: { relations?: Record<string, Relation> } = {}
): Fields<Name | 'id'> {
  const byName = new Map<string, Field>()
  for (const [name, declaration] of Object.entries<FieldDeclaration>(declared)) {
    const { type, values, column = name, aliases = [], ordering = false, search = false, relation, operators = OPERATORS[type] } = declaration
    if (relation !== undefined && (relations[relation] === undefined || ordering)) throw new Error(`${name}: relation ${relation} is not declared, or cannot be ordered by`)
    const field = { name, type, values, column: typeof column === 'string' ? sql.ref(column) : column, ordering, search, relation, operators }
    for (const known of [name, ...aliases]) byName.set(known, field)
  }
  return { declared, byName, relations, id: byName.get('id')! }
}
