import { sql, type RawBuilder } from 'kysely'
import type { Operator } from './parse.js'

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
  /** where not all that its type allows makes sense */
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
  operators: readonly Operator[]
}

/** The fields of one resource. `Name` keeps the declared names, so that a misspelt default ordering does not compile. */
export interface Fields<Name extends string = string> {
  declared: Readonly<Record<Name, FieldDeclaration>>
  /** by name and alias */
  byName: ReadonlyMap<string, Field>
  id: Field
}

const ORDERED: readonly Operator[] = ['eq', 'ne', 'gt', 'ge', 'lt', 'le', 'in', 'out']
const UNORDERED: readonly Operator[] = ['eq', 'ne', 'in', 'out']
const OPERATORS: Record<FieldType, readonly Operator[]> = {
  text: UNORDERED, boolean: ['eq', 'ne'], integer: ORDERED, bigint: ORDERED, timestamp: ORDERED,
}

/** Declares what the lists of a resource can be filtered and ordered by. `id` is the last sort key of every list: unique, not null. */
export function rqlFields<Name extends string> (declared: Record<Name | 'id', FieldDeclaration>): Fields<Name | 'id'> {
  const byName = new Map<string, Field>()
  for (const [name, declaration] of Object.entries<FieldDeclaration>(declared)) {
    const { type, values, column = name, aliases = [], ordering = false, operators = OPERATORS[type] } = declaration
    const field = { name, type, values, column: typeof column === 'string' ? sql.ref(column) : column, ordering, operators }
    for (const known of [name, ...aliases]) byName.set(known, field)
  }
  return { declared, byName, id: byName.get('id')! }
}
